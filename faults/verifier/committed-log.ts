import {
  Admin,
  type ClusterMetadata,
  Consumer,
  FetchIsolationLevels,
  type RecordsBatch,
} from '@platformatic/kafka'
import type { LogRecord } from '../../src/core/ports.ts'

export interface CommittedRecord extends LogRecord {
  /** When readers could see it, by the broker's clock, epoch milliseconds: records that a transaction wrote. */
  readonly visibleAt?: number
}

/** What a reader with isolation level read_committed may see of a topic. */
export interface CommittedTopic {
  /** By partition, in offset order. */
  readonly partitions: readonly (readonly CommittedRecord[])[]
  /** Records of aborted transactions: what dying writers left behind. */
  readonly aborted: number
  /** Records of transactions that are neither committed nor aborted. */
  readonly open: number
}

const isControl = 0b10_0000
const isTransactional = 0b1_0000
const hasAppendTime = 0b1000
const commitMarker = 1

/**
 * Reads Kafka by a client that weir does not use, and decides itself what is committed: everything is read, aborted
 * records too, and a transaction counts when its commit marker is found. (The client's own filter for committed reads
 * knows one aborted transaction a producer and response, and shows the others.)
 */
export class CommittedLog {
  readonly #consumer: Consumer
  readonly #admin: Admin

  constructor(brokers: readonly string[]) {
    const options = { clientId: 'verifier', bootstrapBrokers: [...brokers] }
    this.#consumer = new Consumer({ ...options, groupId: 'verifier-that-never-joins' })
    this.#admin = new Admin(options)
  }

  /** @param from the first offset of each partition; what transactions that began before left there counts too. */
  async read(topic: string, from: readonly (number | null)[] = []): Promise<CommittedTopic> {
    const metadata = await this.#consumer.metadata({ topics: [topic], forceUpdate: true })
    const count = metadata.topics.get(topic)?.partitionsCount ?? 0
    const partitions: CommittedRecord[][] = []
    let [aborted, open] = [0, 0]
    for (let partition = 0; partition < count; partition++) {
      const fates = new Fates()
      for await (const batch of this.#batches(metadata, topic, partition, from[partition] ?? 0)) {
        fates.add(batch)
      }
      partitions.push(fates.committed.sort((a, b) => a.offset - b.offset))
      aborted += fates.aborted
      open += fates.open
    }
    return { partitions, aborted, open }
  }

  /** The group's position in each partition of a topic, null where it has none. */
  async positions(group: string, topic: string, partitions: number): Promise<(number | null)[]> {
    const partitionIndexes = Array.from({ length: partitions }, (_, partition) => partition)
    const [found] = await this.#admin.listConsumerGroupOffsets({
      groups: [{ groupId: group, topics: [{ name: topic, partitionIndexes }] }],
      requireStable: true,
    })
    const offsets = found?.topics.find(({ name }) => name === topic)?.partitions ?? []
    return partitionIndexes.map((partition) => {
      const offset = offsets.find(({ partitionIndex }) => partitionIndex === partition)?.committedOffset
      return offset === undefined || offset < 0n ? null : Number(offset)
    })
  }

  /** Where each partition of a topic ends. */
  async ends(topic: string, partitions: number): Promise<number[]> {
    const wanted = Array.from({ length: partitions }, (_, partition) => partition)
    const found = await this.#consumer.listOffsets({ topics: [topic], partitions: { [topic]: wanted } })
    return (found.get(topic) ?? []).map(Number)
  }

  async close(): Promise<void> {
    await Promise.all([this.#consumer.close(), this.#admin.close()])
  }

  async *#batches(
    { topics }: ClusterMetadata,
    topic: string,
    partition: number,
    from: number,
  ): AsyncGenerator<RecordsBatch, void, undefined> {
    const { id: topicId, partitions } = topics.get(topic) as NonNullable<ReturnType<typeof topics.get>>
    const node = partitions[partition]?.leader as number
    let end: bigint | undefined
    for (let at = BigInt(from); end === undefined || at < end; ) {
      const request = { partition, fetchOffset: at, currentLeaderEpoch: -1, lastFetchedEpoch: -1 }
      const { responses } = await this.#consumer.fetch({
        node,
        isolationLevel: FetchIsolationLevels.READ_UNCOMMITTED,
        minBytes: 1,
        maxWaitTime: 100,
        maxBytes: 16_777_216,
        topics: [{ topicId, partitions: [{ ...request, partitionMaxBytes: 4_194_304 }] }],
      })
      const found = responses[0]?.partitions[0]
      end ??= found?.highWatermark
      for (const batch of found?.records ?? []) {
        at = batch.firstOffset + BigInt(batch.lastOffsetDelta) + 1n
        yield batch
      }
    }
  }
}

/** Holds the records of a transaction back until its marker says what became of them. */
class Fates {
  readonly committed: CommittedRecord[] = []
  aborted = 0
  readonly #undecided = new Map<bigint, LogRecord[]>()

  get open(): number {
    return [...this.#undecided.values()].reduce((sum, records) => sum + records.length, 0)
  }

  add(batch: RecordsBatch): void {
    const { attributes, producerId } = batch
    if ((attributes & isControl) !== 0) {
      const records = this.#undecided.get(producerId) ?? []
      this.#undecided.delete(producerId)
      // The key of a marker: version and type, 16 bits each.
      if (batch.records[0]?.key?.readInt16BE(2) === commitMarker) {
        const visibleAt = Number(batch.firstTimestamp)
        for (const record of records) this.committed.push({ ...record, visibleAt })
      } else this.aborted += records.length
    } else if ((attributes & isTransactional) === 0) {
      this.committed.push(...recordsOf(batch))
    } else {
      this.#undecided.set(producerId, [...(this.#undecided.get(producerId) ?? []), ...recordsOf(batch)])
    }
  }
}

function recordsOf({
  attributes,
  firstOffset,
  firstTimestamp,
  maxTimestamp,
  records,
}: RecordsBatch): LogRecord[] {
  const isAppendTime = (attributes & hasAppendTime) !== 0
  return records.map(({ offsetDelta, timestampDelta, key, value, headers }) => ({
    offset: Number(firstOffset) + offsetDelta,
    timestamp: Number(isAppendTime ? maxTimestamp : firstTimestamp + timestampDelta),
    key,
    value,
    headers: textsOf(headers),
  }))
}

/** As weir has them: values of one name behind each other, a null by its name. */
function textsOf(headers: Iterable<readonly [unknown, unknown]>): Record<string, string> {
  const texts = new Map<string, string>()
  for (const [name, value] of headers) {
    const before = texts.get(String(name))
    texts.set(String(name), before === undefined ? String(value) : `${before},${value}`)
  }
  return Object.fromEntries(texts)
}
