import type { Codec } from '../adapters/avro.ts'
import { readLetter } from '../core/dead-letter.ts'
import { offsetIn } from '../core/decide.ts'
import type { Headers, Log, LogRecord, TopicPartition } from '../core/ports.ts'
import type { Decision } from '../core/types.ts'
import { windowsBack } from './windows-back.ts'

/** How far the outputs on the log answer an input partition. */
export interface Answered {
  /** The offset after the last record that has an answer; null where none was found. */
  readonly next: number | null
  /** Decisions have been deleted, and none is left that would tell how far they went. */
  readonly decisionsGone: boolean
  /** Likewise for dead letters. */
  readonly lettersGone: boolean
}

export interface AnsweredOptions {
  readonly log: Pick<Log, 'bounds' | 'read' | 'partitions'>
  readonly topics: {
    readonly decisions: string
    readonly deadLetters: string
    readonly entityUpdates: string
  }
  readonly decisions: Codec<Decision>
  /** Records of each partition that are looked through, from its end. Default: all. */
  readonly most?: number
}

/** Offsets that are looked through first, from the end. */
const firstLook = 200

/** From decisions, dead letters and declared skips, which lie in the order of what they answer. */
export async function answeredTransactions(
  { log, topics, decisions, most }: AnsweredOptions,
  { topic, partition }: TopicPartition,
): Promise<Answered> {
  const decided = await lastIn(log, { topic: topics.decisions, partition }, most, async (records) => {
    const checked = await decisions.decode(records)
    return checked.map((one) => {
      const offset = one.ok ? offsetIn(one.value.decision_id, topic, partition) : null
      return offset === null ? null : offset + 1
    })
  })
  const refused = await lastLetter(log, topics.deadLetters, { topic, partition }, most)
  return {
    next: latest(decided.next, refused.next),
    decisionsGone: decided.isGone,
    lettersGone: refused.isGone,
  }
}

/** From what label chunks leave: an entity update each, in the partition of some entity, and dead letters. */
export async function answeredLabels(
  { log, topics, most }: Omit<AnsweredOptions, 'decisions'>,
  at: TopicPartition,
): Promise<Answered> {
  // Nothing ever lay there that could have been answered: no need to go through all updates in vain.
  if ((await log.bounds(at)).end === 0) return { next: null, decisionsGone: false, lettersGone: false }
  const refused = await lastLetter(log, topics.deadLetters, at, most)
  let { next } = refused
  for (let home = 0; home < (await log.partitions(topics.entityUpdates)); home++) {
    const updates = { topic: topics.entityUpdates, partition: home }
    const found = await lastIn(log, updates, most, async (records) => {
      return records.map(({ headers }) => receiptOf(headers, at))
    })
    next = latest(next, found.next)
  }
  // Updates of transactions lie between them: that some were deleted says nothing of labels.
  return { next, decisionsGone: false, lettersGone: refused.isGone }
}

const [receiptSource, receiptNext] = ['weir-answers', 'weir-next']

/** What tells that a chunk of labels was answered: headers of its entity updates. */
export const receipt = ({ topic, partition }: TopicPartition, next: number): Headers => ({
  [receiptSource]: `${topic}-${partition}`,
  [receiptNext]: String(next),
})

function receiptOf(headers: Headers, { topic, partition }: TopicPartition): number | null {
  return headers[receiptSource] === `${topic}-${partition}` ? Number(headers[receiptNext]) : null
}

function lastLetter(log: AnsweredOptions['log'], topic: string, at: TopicPartition, most?: number) {
  return lastIn(log, { topic, partition: at.partition }, most, async (records) =>
    records.map((record) => {
      const letter = readLetter(record)
      return letter?.topic === at.topic && letter.partition === at.partition ? letter.next : null
    }),
  )
}

/**
 * Looks from the end of a partition of outputs towards its beginning, until something tells.
 *
 * @param nextOf for each record, the offset after what it answers; null where it is no answer to the input in question.
 */
async function lastIn(
  log: Pick<Log, 'bounds' | 'read'>,
  at: TopicPartition,
  most = Number.POSITIVE_INFINITY,
  nextOf: (records: readonly LogRecord[]) => Promise<(number | null)[]>,
): Promise<{ next: number | null; isGone: boolean }> {
  const { first, end } = await log.bounds(at)
  const last = Math.max(first, end - most)
  let next: number | null = null
  for (const [from, to] of windowsBack(last, end, firstLook)) {
    if (next !== null) break
    for await (const records of log.read(at, from, to)) {
      for (const found of await nextOf(records)) next = latest(next, found)
    }
  }
  return { next, isGone: next === null && first > 0 }
}

const latest = (a: number | null, b: number | null): number | null =>
  a === null || b === null ? (a ?? b) : Math.max(a, b)
