import type { KafkaLog } from '../adapters/kafka-log.ts'
import { WeirError } from '../core/errors.ts'
import type { Clock, NewRecord, TopicPartition, TransactionalWriter } from '../core/ports.ts'
import { type DeadLetter, redriveMark } from '../core/redrive.ts'
import type { Range } from '../replay/topic-source.ts'
import { isLetter, isSelected, marksFrom, readLetters, type Selection } from './letters.ts'
import type { Prepare } from './prepare.ts'

export interface RedriveOptions {
  readonly log: Pick<KafkaLog, 'partitions' | 'bounds' | 'offsetAt' | 'read' | 'settledEnd' | 'fence'>
  /** Of the topic for dead letters: where the letters of the selection lie. */
  readonly ranges: readonly Range[]
  readonly selection: Pick<Selection, 'code' | 'topic'>
  readonly prepare: Prepare
  /** Only tells what would happen. */
  readonly dryRun: boolean
  readonly clock: Clock
  /** Told of letters that have been dealt with. */
  readonly onOutcomes: (outcomes: readonly Outcome[]) => void
}

/** What became of a letter: put back now, put back earlier, or left since it would be a dead letter again. */
export interface Outcome {
  readonly letter: DeadLetter
  readonly state: 'redriven' | 'before' | 'refused'
  /** Where it went; null where it did not. */
  readonly to: TopicPartition | null
  /** Why it was refused. */
  readonly refusal: { readonly code: string; readonly message: string } | null
}

/** Names the transactional ids, and a group whose position is behind the last letter that was put back. */
const group = 'weir-redrive'
/** Of one transaction: far below its timeout, and readers of the inputs wait for its end. */
const mostLetters = 500

/**
 * Puts dead letters back, each once: docs/decisions/0023-redriven-once.md. Partition after partition it takes the
 * transactional id over, so that no other redrive of the partition can commit any more; reads which letters have a mark;
 * and commits the others in transactions, each record with its mark.
 *
 * @throws WeirError WEIR_LOG_FENCED when another redrive takes over; its message says how to go on.
 */
export async function redrive(options: RedriveOptions): Promise<void> {
  for (const range of options.ranges) {
    if (range.from >= range.to) continue
    const writer = options.dryRun ? null : await options.log.fence(group, range)
    try {
      await redriveRange(options, range, writer)
    } catch (error) {
      throw asRedriveError(error)
    } finally {
      await writer?.close()
    }
  }
}

async function redriveRange(
  { log, selection, prepare, clock, onOutcomes }: RedriveOptions,
  { topic, partition, from, to }: Range,
  writer: TransactionalWriter | null,
): Promise<void> {
  const at = { topic, partition }
  // Open transactions of members would hide marks behind them.
  const end = writer === null ? (await log.bounds(at)).end : await log.settledEnd(at)
  const marks = await marksFrom(log, at, from, end)
  for await (const batch of readLetters(log, at, from, to)) {
    const letters = batch.filter(isLetter).filter((letter) => isSelected(selection, ofLetter(letter)))
    for (let first = 0; first < letters.length; first += mostLetters) {
      const some = letters.slice(first, first + mostLetters)
      const before = some.filter(({ record }) => marks.has(record.offset))
      const prepared = await prepare(some.filter(({ record }) => !marks.has(record.offset)))
      const records: NewRecord[] = prepared.flatMap(({ letter, record }) =>
        record === null ? [] : [record, redriveMark(letter, clock())],
      )
      const last = prepared.findLast(({ record }) => record !== null)
      if (last !== undefined) await writer?.commit(records, last.letter.record.offset + 1)
      onOutcomes([
        ...before.map((letter): Outcome => ({ letter, state: 'before', to: null, refusal: null })),
        ...prepared.map(
          ({ letter, record, refusal }): Outcome =>
            record === null
              ? { letter, state: 'refused', to: null, refusal }
              : {
                  letter,
                  state: 'redriven',
                  to: { topic: record.topic, partition: record.partition },
                  refusal,
                },
        ),
      ])
    }
  }
}

const ofLetter = ({ code, source: { topic } }: DeadLetter) => ({ code, topic })

function asRedriveError(error: unknown): unknown {
  if (!(error instanceof WeirError)) return error
  const again = 'run it again: what was put back has a mark and is left out'
  if (error.code === 'WEIR_LOG_FENCED') {
    return new WeirError(
      'WEIR_LOG_FENCED',
      'another redrive took over; what was not committed is not put back',
      {
        cure: `wait for the other to end, then ${again}`,
        cause: error,
      },
    )
  }
  if (!error.retriable) return error
  return new WeirError(error.code, error.message, {
    cure: `${error.cure ?? ''} Then ${again}.`.trim(),
    retriable: true,
    cause: error,
  })
}
