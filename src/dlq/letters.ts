import { WeirError } from '../core/errors.ts'
import type { Log, LogRecord, TopicPartition } from '../core/ports.ts'
import { type DeadLetter, deadLetterOf, markOf, type RedriveMark } from '../core/redrive.ts'
import { offsetOf, type Position, type Range } from '../replay/topic-source.ts'

type Reader = Pick<Log, 'partitions' | 'bounds' | 'offsetAt' | 'read'>

/** Which dead letters. */
export interface Selection {
  /** Places on the topic for dead letters; record timestamps are those of the records that the letters stand for. */
  readonly from?: Position | undefined
  readonly to?: Position | undefined
  readonly code?: string | undefined
  /** Of the records that the letters stand for. */
  readonly topic?: string | undefined
}

/** Code and topic are those of a letter or of its mark. */
export const isSelected = (
  { code, topic }: Selection,
  of: { readonly code: string; readonly topic: string },
): boolean => (code === undefined || code === of.code) && (topic === undefined || topic === of.topic)

/** Of each partition, where the letters of a selection lie; marks lie up to the partition's end. */
export async function rangesOf(log: Reader, topic: string, { from, to }: Selection): Promise<Range[]> {
  const ranges: Range[] = []
  for (let partition = 0; partition < (await log.partitions(topic)); partition++) {
    const at = { topic, partition }
    const { first, end } = await log.bounds(at)
    ranges.push({
      ...at,
      from: Math.max(first, await offsetOf(log, at, from, first)),
      to: Math.min(end, await offsetOf(log, at, to, end)),
    })
  }
  return ranges
}

/** The letters and marks of a partition, in order. */
export async function* readLetters(
  log: Reader,
  at: TopicPartition,
  from: number,
  to: number,
): AsyncGenerator<readonly (DeadLetter | RedriveMark)[], void, undefined> {
  for await (const records of log.read(at, from, to)) {
    yield records.flatMap((record: LogRecord) => deadLetterOf(at, record) ?? markOf(record) ?? [])
  }
}

export const isLetter = (one: DeadLetter | RedriveMark): one is DeadLetter => 'record' in one

/** The marks of letters from an offset on, by the offset of the letter. */
export async function marksFrom(
  log: Reader,
  at: TopicPartition,
  from: number,
  to: number,
): Promise<Map<number, RedriveMark>> {
  const marks = new Map<number, RedriveMark>()
  for await (const batch of readLetters(log, at, from, to)) {
    for (const one of batch) if (!isLetter(one) && one.offset >= from) marks.set(one.offset, one)
  }
  return marks
}

/** A letter by its own place, or by that of the record that it stands for. */
export interface LetterName {
  /** Of the record; null: `offset` is the letter's own. */
  readonly topic: string | null
  readonly partition: number
  readonly offset: number
}

/** `partition-offset` of a letter, or `topic-partition-offset` of its record. @throws WeirError WEIR_CLI_USAGE. */
export function parseLetterName(text: string): LetterName {
  const [, topic, partition, offset] = /^(?:(.+)-)?(\d{1,9})-(\d{1,15})$/.exec(text) ?? []
  if (partition !== undefined && offset !== undefined)
    return { topic: topic ?? null, partition: Number(partition), offset: Number(offset) }
  throw new WeirError('WEIR_CLI_USAGE', `${text} names no dead letter`, {
    cure: 'give partition-offset as weir dlq list shows it, or topic-partition-offset of the record: 0-17, payments.transactions.v1-0-123',
  })
}

/**
 * Finds a letter by name. It lies in the partition of the record that it stands for.
 *
 * @throws WeirError WEIR_DLQ_NOT_FOUND.
 */
export async function findLetter(log: Reader, topic: string, name: LetterName): Promise<DeadLetter> {
  const { partition, offset } = name
  const partitions = await log.partitions(topic)
  const at = { topic, partition }
  const bounds = partition < partitions ? await log.bounds(at) : { first: 0, end: 0 }
  const [from, to] = name.topic === null ? [offset, offset + 1] : [bounds.first, bounds.end]
  if (from >= bounds.first) {
    for await (const batch of readLetters(log, at, from, Math.min(to, bounds.end))) {
      const found = batch.find((one) => isLetter(one) && isNamed(one, name))
      if (found !== undefined) return found as DeadLetter
    }
  }
  const what = name.topic === null ? `${partition}-${offset}` : `${name.topic}-${partition}-${offset}`
  throw new WeirError('WEIR_DLQ_NOT_FOUND', `${topic} has no dead letter ${what}`, {
    cure: 'weir dlq list shows what there is; retention may have taken it',
  })
}

function isNamed({ record, source }: DeadLetter, { topic, offset }: LetterName): boolean {
  return topic === null ? record.offset === offset : source.topic === topic && source.offset === offset
}
