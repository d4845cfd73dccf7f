import type { Codec } from '../adapters/avro.ts'
import type { Contracts } from '../adapters/avro-contracts.ts'
import { WeirError } from '../core/errors.ts'
import type { Log, LogRecord, TopicPartition } from '../core/ports.ts'
import type { Label } from '../core/types.ts'
import { checkRecords } from '../stream/decoded.ts'
import { mergeByTime } from './merge.ts'
import type { HistoryItem, Source } from './source.ts'

/** Where a range of a topic begins or ends: a record timestamp, epoch milliseconds, or an offset by partition. */
export type Position = { readonly time: number } | { readonly offsets: readonly number[] }

export interface TopicSourceOptions {
  readonly log: Log
  readonly contracts: Pick<Contracts, 'transactions' | 'labels'>
  readonly topics: { readonly transactions: string; readonly labels: string }
  /** Of the transactions; the first that are there when absent. */
  readonly from?: Position | undefined
  /** Not part of it; what lies on the topic at the beginning when absent. */
  readonly to?: Position | undefined
  /** Offsets at which the labels end, likewise. */
  readonly labelsTo?: readonly number[] | undefined
}

/** Records of a partition from `from` up to, without it, `to`. */
export interface Range extends TopicPartition {
  readonly from: number
  readonly to: number
}

export interface TopicSource extends Source {
  /** By partition, what is read. `to` is the offset that a reader would go on from. */
  readonly ranges: { readonly transactions: readonly Range[]; readonly labels: readonly Range[] }
}

/**
 * History as it lies on the topics: committed transactions of a range, partitions merged by event time, each in its order
 * of offsets, and between them all labels of the labels topic by observed_time. Reads outside any group, beside live
 * traffic; what is appended after the call is not part of it.
 *
 * @throws WeirError WEIR_LOG_TOPIC where a topic is missing; when it is read, WEIR_LOG_HISTORY_GONE where the range begins
 *   with offsets that were deleted.
 */
export async function openTopicSource(options: TopicSourceOptions): Promise<TopicSource> {
  const { log, contracts, topics, from, to, labelsTo } = options
  const notes: string[] = []
  const transactions = await rangesOf(log, topics.transactions, from, to)
  const labels = await rangesOf(log, topics.labels, undefined, labelsTo && { offsets: labelsTo })
  for (const range of transactions) {
    const { first } = await log.bounds(range)
    if (first === 0 || range.from !== first) continue
    notes.push(`${nameOf(range)} begins at offset ${first}: what was before it was deleted`)
  }
  const positions = { transactions: transactions.map(() => 0), labels: labels.map(() => 0) }
  const labelItems = () =>
    labels.map((range) => itemsOf(log, range, positions.labels, contracts.labels, labelItem))
  const isWhole = [...transactions, ...labels].every((range) => range.from === 0)
  return {
    name: `${topics.transactions}, ${transactions.map((r) => `${r.partition}: ${r.from} to ${r.to}`).join(', ')}`,
    ranges: { transactions, labels },
    ends: { transactions: transactions.map((range) => range.to), labels: labels.map((range) => range.to) },
    async *items(onFraction = () => {}) {
      const total = transactions.reduce((sum, range) => sum + Math.max(0, range.to - range.from), 0)
      let read = 0
      const payments = transactions.map((range) =>
        itemsOf(log, range, positions.transactions, contracts.transactions, (transaction, { offset }) => ({
          kind: 'transaction',
          partition: range.partition,
          offset,
          transaction,
          labels: [],
        })),
      )
      // Labels first: what is known at the time of a payment comes before it.
      for await (const items of mergeByTime([...labelItems(), ...payments], timeOf)) {
        yield items
        read += items.reduce((count, { kind }) => count + Number(kind === 'transaction'), 0)
        onFraction(Math.min(1, read / total))
      }
    },
    async *labels() {
      for await (const items of mergeByTime(labelItems(), timeOf)) {
        yield items.flatMap((item): Label[] => (item.kind === 'label' ? [item.label] : []))
      }
    },
    ...(isWhole && {
      places: () => ({ topics: { transactions: topics.transactions, labels: topics.labels }, positions }),
    }),
    notes: () => notes,
  }
}

const labelItem = (label: Label): HistoryItem => ({ kind: 'label', label })

/** A record that cannot be read has no time: it comes as soon as it is reached. */
function timeOf(item: HistoryItem): number {
  if (item.kind === 'transaction') return item.transaction.event_time
  return item.kind === 'label' ? item.label.observed_time : Number.NEGATIVE_INFINITY
}

/** @param positions by partition: gets the offset after the last record, refused ones included. */
async function* itemsOf<T>(
  log: Log,
  range: Range,
  positions: number[],
  codec: Codec<T>,
  item: (value: T, record: LogRecord) => HistoryItem,
): AsyncGenerator<HistoryItem[]> {
  for await (const records of log.read(range, range.from, range.to)) {
    const checked = await checkRecords(codec, records)
    positions[range.partition] = (records.at(-1)?.offset ?? -1) + 1
    yield checked.map((one, i) => {
      const record = records[i] as LogRecord
      if (one.ok) return item(one.value, record)
      const { code, message } = one.rejection
      return {
        kind: 'rejected',
        at: `${nameOf(range)}, offset ${record.offset}`,
        reason: `${message} (${code})`,
      }
    })
  }
}

async function rangesOf(log: Log, topic: string, from?: Position, to?: Position): Promise<Range[]> {
  const partitions = await log.partitions(topic)
  const ranges = Array.from({ length: partitions }, async (_, partition): Promise<Range> => {
    const at = { topic, partition }
    const { first, end } = await log.bounds(at)
    return {
      ...at,
      from: await offsetOf(log, at, from, first),
      to: Math.min(end, await offsetOf(log, at, to, end)),
    }
  })
  return Promise.all(ranges)
}

/** @param other where no position is given. @throws WeirError WEIR_CLI_USAGE when it has no offset for the partition. */
export async function offsetOf(
  log: Pick<Log, 'offsetAt'>,
  at: TopicPartition,
  position: Position | undefined,
  other: number,
): Promise<number> {
  if (position === undefined) return other
  if ('time' in position) return log.offsetAt(at, position.time)
  const offset = position.offsets[at.partition]
  if (offset !== undefined) return offset
  throw new WeirError('WEIR_CLI_USAGE', `there is no offset for partition ${at.partition} of ${at.topic}`, {
    cure: 'give an offset for each partition, in order',
  })
}

const nameOf = ({ topic, partition }: TopicPartition): string => `${topic}-${partition}`
