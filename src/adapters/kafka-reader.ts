import { setTimeout as sleep } from 'node:timers/promises'
import { WeirError } from '../core/errors.ts'
import type { LogRecord, TopicPartition } from '../core/ports.ts'
import type { KafkaClientOptions } from './kafka-client.ts'
import { type Cluster, openCluster } from './kafka-cluster.ts'
import { asLogError, isErrorType } from './kafka-errors.ts'
import type { FetchedRecord } from './kafka-fetch.ts'
import { historyGone } from './log-errors.ts'

const consumer = -1
const [readUncommitted, readCommitted] = [0, 1]
const latest = '-1'
const partitionBytes = 1_048_576
const waitMs = 250
/** Some half a minute: a leader is found again by then. */
const mostFailures = 20
const longestPauseMs = 2_000
/** A leader that was just elected may not know yet how far records are committed. */
const longestStallMs = 60_000

/** Reads ranges of partitions as anybody, a fetch at a time: no group, no position, nothing that stays. */
export class KafkaReader {
  readonly #cluster: Cluster

  constructor(cluster: Cluster) {
    this.#cluster = cluster
  }

  /** Connects to the brokers. */
  static async open(client: KafkaClientOptions): Promise<KafkaReader> {
    return new KafkaReader(await openCluster(client, { initialRetryTime: 100, retries: 5 }))
  }

  disconnect(): Promise<void> {
    return this.#cluster.disconnect()
  }

  /** @param to no more than the partition's end: until it is reached, reading goes on. */
  async *read(at: TopicPartition, from: number, to: number): AsyncGenerator<LogRecord[]> {
    let failures = 0
    let movedAt = performance.now()
    for (let position = from; position < to; ) {
      let fetched: readonly FetchedRecord[]
      try {
        fetched = await this.#fetch(at, position)
        failures = 0
      } catch (error) {
        await this.#recover(error, at, position, failures++)
        continue
      }
      const { records, next, unreadable } = within(fetched, position, to)
      if (records.length > 0) yield records
      if (unreadable !== undefined) throw unreadable
      const now = performance.now()
      if (next > position || records.length > 0) movedAt = now
      else if (now - movedAt > longestStallMs) throw stalled(at, position)
      position = next
    }
  }

  /** The offset after the last record, those of open transactions included. */
  async end({ topic, partition }: TopicPartition): Promise<number> {
    const leader = await this.#leaderOf({ topic, partition })
    const { responses } = await leader.listOffsets({
      isolationLevel: readUncommitted,
      topics: [{ topic, partitions: [{ partition, timestamp: latest }] }],
    })
    return Number(responses[0]?.partitions[0]?.offset)
  }

  async #leaderOf({ topic, partition }: TopicPartition) {
    await this.#cluster.addMultipleTargetTopics([topic])
    const [nodeId] = Object.keys(this.#cluster.findLeaderForPartitions(topic, [partition]))
    if (nodeId === undefined) {
      throw new WeirError('WEIR_LOG_TOPIC', `Topic ${topic} has no partition ${partition}.`)
    }
    return this.#cluster.findBroker({ nodeId })
  }

  async #fetch(at: TopicPartition, offset: number): Promise<readonly FetchedRecord[]> {
    const { topic, partition } = at
    const broker = await this.#leaderOf(at)
    const { responses } = await broker.fetch({
      replicaId: consumer,
      isolationLevel: readCommitted,
      maxWaitTime: waitMs,
      minBytes: 1,
      maxBytes: partitionBytes,
      topics: [{ topic, partitions: [{ partition, fetchOffset: String(offset), maxBytes: partitionBytes }] }],
    })
    return responses[0]?.partitions[0]?.messages ?? []
  }

  /** Waits before the next try, by then perhaps of another leader; throws where none can help. */
  async #recover(error: unknown, at: TopicPartition, position: number, failures: number): Promise<void> {
    if (isErrorType(error, 'OFFSET_OUT_OF_RANGE')) throw historyGone(at, position, null)
    const reason = asLogError(error, `reading ${at.topic}`)
    if (!reason.retriable || failures >= mostFailures) throw reason
    await sleep(Math.min(50 * 2 ** failures, longestPauseMs))
    await this.#cluster.refreshMetadata().catch(() => {})
  }
}

/** Of what was fetched: what is in the range and meant for readers, and where to go on. */
function within(fetched: readonly FetchedRecord[], from: number, to: number) {
  const records: LogRecord[] = []
  let next = from
  for (const record of fetched) {
    const { offset, isControlRecord } = record
    const { unreadable } = record.origin
    if (offset < from) continue
    if (offset >= to && unreadable === undefined) return { records, next: to }
    if (unreadable !== undefined && !isControlRecord) return { records, next, unreadable }
    next = offset + 1
    if (!isControlRecord) records.push(record.open())
  }
  return { records, next }
}

function stalled({ topic, partition }: TopicPartition, offset: number): WeirError {
  const where = `from offset ${offset} of partition ${partition} of ${topic} on`
  return new WeirError('WEIR_LOG_UNAVAILABLE', `Kafka gave nothing for a minute ${where}.`, {
    cure: 'Look at the brokers of the partition; then read again.',
    retriable: true,
  })
}
