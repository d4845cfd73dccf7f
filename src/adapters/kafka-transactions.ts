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
  /** Any that there is: where kafkajs is to know of none, it asks for the metadata of all. */
  readonly topic: string
}

/** Where a group moves to with a transaction. */
export interface GroupPosition {
  readonly group: string
  readonly topic: string
  readonly partition: number
  /** The next to read. */
  readonly offset: number
}

/** For questions who leads and who coordinates. */
const retry = { initialRetryTime: 10, multiplier: 1.5, maxRetryTime: 500, retries: 18 }
/**
 * A step that may be repeated is, for so long after it first failed, beside what kafkajs itself repeats. A leader or a
 * coordinator that moved is found by then. One that died may not be, as brokers give it 9 s by default: then the next
 * fence waits for it.
 */
const repeatMs = 5_000
const firstPauseMs = 1
const longestPauseMs = 200
/** For so long a leader waits for its followers: it answers before the client gives up. */
const followersMs = 10_000
/** Sequence numbers have 31 bits, and begin again at 0. */
const sequences = 2 ** 31

/**
 * Transactions of one transactional id, one at a time, in three trips to the brokers (docs/decisions/0032):
 *
 * 1. The coordinator is told of the group and of all partitions.
 * 2. The group's coordinator gets the position, and each leader its batches.
 * 3. The coordinator is told to commit.
 *
 * After a transaction that failed nothing more may be written.
 */
export class KafkaTransactions {
  readonly #cluster: Cluster
  readonly #options: TransactionsOptions
  #id: ProducerId | null = null
  /** By partition, as `topic/partition`: the number of the next record. */
  readonly #nextSequence = new Map<string, number>()
  #isCommitting = false
  #isClosed = false

  private constructor(cluster: Cluster, options: TransactionsOptions) {
    this.#cluster = cluster
    this.#options = options
  }

  /**
   * Fences whoever has the id: the broker answers when a transaction that was open is aborted, and one that is being
   * committed is complete.
   */
  static async open(options: TransactionsOptions): Promise<KafkaTransactions> {
    const { client, transactionalId, timeoutMs: transactionTimeout, topic } = options
    const cluster = await openCluster(client, retry)
    const transactions = new KafkaTransactions(cluster, options)
    try {
      transactions.#id = await transactions.#repeated(async () => {
        await cluster.addMultipleTargetTopics([topic])
        const coordinator = await transactions.#coordinator()
        return coordinator.initProducerId({ transactionalId, transactionTimeout })
      })
    } catch (error) {
      transactions.close()
      throw error
    }
    return transactions
  }

  /** Resolves when records and position are committed. Where it rejects, they may be. */
  async commit(records: readonly NewRecord[], position: GroupPosition): Promise<void> {
    if (this.#isCommitting) throw new Error('a transaction is under way, or has failed')
    this.#isCommitting = true
    const batches = toBatches(records)
    for (const batch of batches) await this.#repeated(() => this.#findLeaders(batch))
    await Promise.all([this.#addGroup(position), this.#addPartitions(batches)])
    await Promise.all([this.#movePosition(position), this.#send(batches)])
    const coordinator = await this.#repeated(() => this.#coordinator())
    await this.#unlessClosed(() => coordinator.endTxn({ ...this.#producer, transactionResult: true }))
    this.#isCommitting = false
  }

  /** Nobody waits for it: with a broker gone, a disconnect takes as long as its last request. */
  close(): void {
    this.#isClosed = true
    this.#cluster.disconnect().catch(() => {})
  }

  get #producer() {
    const { transactionalId } = this.#options
    return { ...(this.#id as ProducerId), transactionalId }
  }

  #addGroup({ group }: GroupPosition): Promise<void> {
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

  /**
   * Sent again only where the broker said no. A request whose answer is lost may be waiting there, and nothing numbers it:
   * it could come behind that of a later transaction, and set the group back.
   */
  #movePosition({ group, topic, partition, offset }: GroupPosition): Promise<void> {
    const topics = [{ topic, partitions: [{ partition, offset: String(offset) }] }]
    const asked = { ...this.#producer, groupId: group, topics }
    const of = { groupId: group, coordinatorType: coordinatorTypes.group }
    const find = () => this.#cluster.findGroupCoordinator(of)
    return this.#repeated(async () => (await this.#repeated(find)).txnOffsetCommit(asked), isRefusal)
  }

  /** One after the other: a broker takes the records of a partition in the order of their numbers. */
  async #send(batches: readonly Batch[]): Promise<void> {
    for (const batch of batches) {
      const numbered = this.#number(batch)
      await this.#repeated(() => this.#produce(numbered))
    }
  }

  /** A batch that is sent again keeps its numbers: a broker that has it says so, and takes it once. */
  #number(batch: Batch): TopicData[] {
    return Array.from(batch, ([topic, { byPartition }]) => {
      const partitions = Object.entries(byPartition).map(([text, messages]) => {
        const at = `${topic}/${text}`
        const firstSequence = this.#nextSequence.get(at) ?? 0
        this.#nextSequence.set(at, (firstSequence + messages.length) % sequences)
        return { partition: Number(text), firstSequence, messages }
      })
      return { topic, partitions }
    })
  }

  async #produce(batch: readonly TopicData[]): Promise<void> {
    const byLeader = new Map<string, TopicData[]>()
    for (const { topic, partitions } of batch) {
      const wanted = partitions.map(({ partition }) => partition)
      for (const [leader, led] of this.#leadersOf(topic, wanted)) {
        const part = { topic, partitions: partitions.filter(({ partition }) => led.includes(partition)) }
        byLeader.set(leader, [...(byLeader.get(leader) ?? []), part])
      }
    }
    const requests = [...byLeader].map(([nodeId, topicData]) => async () => {
      const leader = await this.#cluster.findBroker({ nodeId })
      await leader.produce({ ...this.#producer, acks: -1, timeout: followersMs, topicData })
    })
    // Each for itself: one may still connect when another has failed for good.
    await Promise.all(requests.map((request) => this.#unlessClosed(request)))
  }

  /** Looks whether all is there before anything is sent. */
  async #findLeaders(batch: Batch): Promise<void> {
    await this.#cluster.addMultipleTargetTopics([...batch.keys()])
    await this.#cluster.refreshMetadataIfNecessary()
    for (const [topic, { byPartition }] of batch) this.#leadersOf(topic, Object.keys(byPartition).map(Number))
  }

  /**
   * By broker: those of the partitions that it leads, all of them in all.
   *
   * @throws WeirError WEIR_LOG_TOPIC where one is not known: kafkajs leaves it out.
   */
  #leadersOf(topic: string, partitions: readonly number[]): [nodeId: string, led: number[]][] {
    const leaders = Object.entries(this.#cluster.findLeaderForPartitions(topic, partitions))
    const missing = partitions.find((partition) => !leaders.some(([, led]) => led.includes(partition)))
    if (missing === undefined) return leaders
    throw new WeirError('WEIR_LOG_TOPIC', `Topic ${topic} has no partition ${missing}.`, {
      cure: 'Output topics need as many partitions as the input topic: see weir topics check.',
      retriable: true,
    })
  }

  /** Who coordinates the transactions of this id. */
  #coordinator(): Promise<Broker> {
    const { transactionalId } = this.#options
    const coordinatorType = coordinatorTypes.transaction
    return this.#cluster.findGroupCoordinator({ groupId: transactionalId, coordinatorType })
  }

  /**
   * Takes a step again that changes nothing by that: for five seconds where it fails, and as long as a transaction may
   * last where the one before is not complete. The broker answers a commit before the markers of the transaction are
   * written, and refuses to begin the next until they are.
   */
  async #repeated<T>(step: () => Promise<T>, mayPass = isPassing): Promise<T> {
    const began = performance.now()
    let failedAt: number | null = null
    for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(1.5 * pauseMs, longestPauseMs)) {
      try {
        return await this.#unlessClosed(step)
      } catch (error) {
        const now = performance.now()
        const isIncomplete = isErrorType(error, 'CONCURRENT_TRANSACTIONS')
        if (isIncomplete) {
          failedAt = null
          if (now - began > this.#options.timeoutMs) throw error
        } else {
          failedAt ??= now
          if (!mayPass(error) || now - failedAt > repeatMs) throw error
        }
        await sleep(pauseMs)
        if (!isIncomplete) await this.#unlessClosed(() => this.#lookAgain())
      }
    }
  }

  /** Asks who leads and who coordinates by now. Where nobody tells, the next try fails by itself. */
  async #lookAgain(): Promise<void> {
    forgetCoordinators(this.#cluster)
    try {
      if (!this.#cluster.isConnected()) await this.#cluster.connect()
      await this.#cluster.refreshMetadata()
    } catch {}
  }

  /** kafkajs connects again to whatever is asked: once it is closed nothing may be, and what was under way must not last. */
  async #unlessClosed<T>(step: () => Promise<T>): Promise<T> {
    if (this.#isClosed) throw new WeirError('WEIR_LOG_UNAVAILABLE', 'This writer is closed.')
    try {
      return await step()
    } finally {
      if (this.#isClosed) this.close()
    }
  }
}

/** A broker that is gone or does not answer, and one that is not the right one any more: what kafkajs calls retriable. */
function isPassing(error: unknown): boolean {
  const { name, retriable } = error as { name?: string; retriable?: boolean }
  // Says kafkajs where no broker told: the connection of the only one was cut, or none coordinates yet.
  const isCut = name === 'KafkaJSGroupCoordinatorNotFound'
  return !(error instanceof WeirError) && (retriable === true || isCut)
}

/** The broker has it and does not do it, for now. */
function isRefusal(error: unknown): boolean {
  return isPassing(error) && (error as { type?: string }).type !== undefined
}
