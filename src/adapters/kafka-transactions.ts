import { setTimeout as sleep } from 'node:timers/promises'
import { WeirError } from '../core/errors.ts'
import type { NewRecord } from '../core/ports.ts'
import { type Batch, toBatches } from './kafka-batches.ts'
import type { KafkaClientOptions } from './kafka-client.ts'
import {
  type Broker,
  type Cluster,
  coordinatorTypes,
  openCluster,
  type ProducerId,
  type TopicData,
} from './kafka-cluster.ts'
import { isErrorType } from './kafka-errors.ts'
import { forgetCoordinators } from './kafka-patches.ts'

export interface TransactionsOptions {
  readonly client: KafkaClientOptions
  readonly transactionalId: string
  /** Milliseconds after which the broker ends a transaction that was left open. */
  readonly timeoutMs: number
}

/** Offsets that a group moves to with a transaction. */
export interface Position {
  readonly group: string
  readonly topic: string
  readonly partition: number
  /** The next to read. */
  readonly offset: number
}

/** For questions who leads and who coordinates. */
const retry = { initialRetryTime: 10, multiplier: 1.5, maxRetryTime: 500, retries: 18 }
/** A step that may be repeated is, for so long after it first failed: by then another broker leads, or coordinates. */
const repeatMs = 5_000
const firstPauseMs = 10
const longestPauseMs = 500
/** Sequence numbers have 31 bits, and begin again at 0. */
const sequences = 2 ** 31

/**
 * Transactions of one transactional id, one at a time, as Kafka's own client makes them (KIP-98, "Data Flow"), where
 * kafkajs makes five requests one after the other:
 *
 * 1. The coordinator is told of the group and, in one request, of all partitions.
 * 2. The group's coordinator gets the position, and each leader its batches.
 * 3. The coordinator is told to commit.
 *
 * A batch that is sent again is sent under the numbers that it had: a broker that has it already says so (KIP-98,
 * "Idempotent Producer Guarantees"). After a transaction that failed nothing more may be written.
 */
export class KafkaTransactions {
  readonly #cluster: Cluster
  readonly #options: TransactionsOptions
  #producer: ProducerId & { readonly transactionalId: string }
  /** By partition, as `topic/partition`: the number of the next record. */
  readonly #next = new Map<string, number>()
  readonly #topics = new Set<string>()
  #isClosed = false

  private constructor(cluster: Cluster, options: TransactionsOptions, id: ProducerId) {
    this.#cluster = cluster
    this.#options = options
    this.#producer = { ...id, transactionalId: options.transactionalId }
  }

  /**
   * Fences whoever has the id: the broker answers when a transaction that was open is aborted, and one that is being
   * committed is complete.
   */
  static async open(options: TransactionsOptions): Promise<KafkaTransactions> {
    const { client, transactionalId, timeoutMs } = options
    const cluster = await openCluster(client, retry)
    const transactions = new KafkaTransactions(cluster, options, { producerId: '-1', producerEpoch: -1 })
    try {
      const id = await transactions.#repeated(async () => {
        const coordinator = await transactions.#coordinator()
        return coordinator.initProducerId({ transactionalId, transactionTimeout: timeoutMs })
      })
      transactions.#producer = { ...id, transactionalId }
    } catch (error) {
      transactions.close()
      throw error
    }
    return transactions
  }

  /** Resolves when records and position are committed. Where it rejects, they may be. */
  async commit(records: readonly NewRecord[], position: Position): Promise<void> {
    const batches = toBatches(records)
    await this.#cluster.refreshMetadataIfNecessary()
    await Promise.all([this.#addGroup(position), this.#addPartitions(batches)])
    await Promise.all([this.#move(position), this.#send(batches)])
    const coordinator = await this.#coordinator()
    await coordinator.endTxn({ ...this.#producer, transactionResult: true })
  }

  /** Nobody waits for it: with a broker gone, a disconnect takes as long as its last request. */
  close(): void {
    this.#isClosed = true
    this.#cluster.disconnect().catch(() => {})
  }

  #addGroup({ group }: Position): Promise<void> {
    const asked = { ...this.#producer, groupId: group }
    return this.#repeated(async () => (await this.#coordinator()).addOffsetsToTxn(asked))
  }

  async #addPartitions(batches: readonly Batch[]): Promise<void> {
    const partitions = new Map<string, Set<number>>()
    for (const [topic, { byPartition }] of batches.flatMap((batch) => [...batch])) {
      const known = partitions.get(topic) ?? new Set()
      for (const partition in byPartition) known.add(Number(partition))
      partitions.set(topic, known)
    }
    if (partitions.size === 0) return
    const topics = Array.from(partitions, ([topic, known]) => ({ topic, partitions: [...known] }))
    const asked = { ...this.#producer, topics }
    await this.#repeated(async () => (await this.#coordinator()).addPartitionsToTxn(asked))
  }

  #move({ group, topic, partition, offset }: Position): Promise<void> {
    const topics = [{ topic, partitions: [{ partition, offset: String(offset) }] }]
    const asked = { ...this.#producer, groupId: group, topics }
    return this.#repeated(async () => (await this.#groupCoordinator(group)).txnOffsetCommit(asked))
  }

  /** One after the other: a broker takes the records of a partition in the order of their numbers. */
  async #send(batches: readonly Batch[]): Promise<void> {
    for (const batch of batches) {
      const numbered = this.#number(batch)
      await this.#repeated(() => this.#produce(numbered))
    }
  }

  #number(batch: Batch): TopicData[] {
    return Array.from(batch, ([topic, { byPartition }]) => {
      const partitions = Object.entries(byPartition).map(([text, messages]) => {
        const at = `${topic}/${text}`
        const firstSequence = this.#next.get(at) ?? 0
        this.#next.set(at, (firstSequence + messages.length) % sequences)
        return { partition: Number(text), firstSequence, messages }
      })
      return { topic, partitions }
    })
  }

  async #produce(batch: readonly TopicData[]): Promise<void> {
    await this.#know(batch.map(({ topic }) => topic))
    const requests = [...this.#byLeader(batch)].map(async ([nodeId, topicData]) => {
      const leader = await this.#cluster.findBroker({ nodeId })
      await leader.produce({ ...this.#producer, topicData })
    })
    await Promise.all(requests)
  }

  #byLeader(batch: readonly TopicData[]): Map<string, TopicData[]> {
    const byLeader = new Map<string, TopicData[]>()
    for (const { topic, partitions } of batch) {
      const wanted = partitions.map(({ partition }) => partition)
      const led = Object.entries(this.#cluster.findLeaderForPartitions(topic, wanted))
      const missing = wanted.find((partition) => !led.some(([, those]) => those.includes(partition)))
      if (missing !== undefined) throw noPartition(topic, missing)
      for (const [nodeId, those] of led) {
        const part = { topic, partitions: partitions.filter(({ partition }) => those.includes(partition)) }
        byLeader.set(nodeId, [...(byLeader.get(nodeId) ?? []), part])
      }
    }
    return byLeader
  }

  async #know(topics: readonly string[]): Promise<void> {
    if (topics.every((topic) => this.#topics.has(topic))) return
    await this.#cluster.addMultipleTargetTopics(topics)
    for (const topic of topics) this.#topics.add(topic)
  }

  /** Who coordinates the transactions of this id. */
  #coordinator(): Promise<Broker> {
    const { transactionalId } = this.#options
    const coordinatorType = coordinatorTypes.transaction
    return this.#cluster.findGroupCoordinator({ groupId: transactionalId, coordinatorType })
  }

  #groupCoordinator(groupId: string): Promise<Broker> {
    return this.#cluster.findGroupCoordinator({ groupId, coordinatorType: coordinatorTypes.group })
  }

  /** For steps that change nothing when they are taken again. */
  async #repeated<T>(step: () => Promise<T>): Promise<T> {
    let failedAt: number | null = null
    for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(1.5 * pauseMs, longestPauseMs)) {
      try {
        return await this.#whenSettled(step)
      } catch (error) {
        const now = performance.now()
        failedAt ??= now
        if (!isPassing(error) || now - failedAt > repeatMs) throw error
        await sleep(pauseMs)
        if (this.#isClosed) throw error
        await this.#lookAgain()
      }
    }
  }

  /**
   * The broker answers a commit before the markers of the transaction are written, and refuses to begin the next until
   * they are; nothing was done then.
   */
  async #whenSettled<T>(step: () => Promise<T>): Promise<T> {
    const end = performance.now() + this.#options.timeoutMs
    for (let pauseMs = 1; ; pauseMs = Math.min(pauseMs * 1.5, 100)) {
      try {
        return await step()
      } catch (error) {
        if (!isErrorType(error, 'CONCURRENT_TRANSACTIONS') || performance.now() > end) throw error
        await sleep(pauseMs)
      }
    }
  }

  /** Who leads and who coordinates by now. Where nobody tells, the next try fails by itself. */
  async #lookAgain(): Promise<void> {
    forgetCoordinators(this.#cluster)
    try {
      if (!this.#cluster.isConnected()) await this.#cluster.connect()
      await this.#cluster.refreshMetadata()
    } catch {}
    // Perhaps while it connected.
    if (this.#isClosed) this.close()
  }
}

/** What kafkajs calls retriable: a broker that is gone or does not answer, and one that is not the right one any more. */
function isPassing(error: unknown): boolean {
  return error instanceof WeirError ? false : (error as { retriable?: boolean }).retriable === true
}

function noPartition(topic: string, partition: number): WeirError {
  return new WeirError('WEIR_LOG_TOPIC', `Topic ${topic} has no partition ${partition}.`, {
    cure: 'Output topics need as many partitions as the input topic: see weir topics check.',
    retriable: true,
  })
}
