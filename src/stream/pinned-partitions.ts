import type { Config } from '../config/schema.ts'
import { WeirError } from '../core/errors.ts'
import { partitionOf } from '../core/partition.ts'
import type { Log, LogRecord, TopicPartition } from '../core/ports.ts'
import type { LaneWork } from './lane.ts'

/**
 * Holds the topics to the number of partitions that the installation was made with. Kafka's producers choose a
 * partition by the key's hash modulo their number, so once it changes customers move away from their states.
 *
 * A topic that was found changed stays so until the process ends: Kafka never takes a partition back.
 */
export class PinnedPartitions {
  readonly #log: Pick<Log, 'partitions'>
  readonly #topics: readonly string[]
  readonly #pinned: number
  readonly #found = new Map<string, WeirError>()

  constructor(log: Pick<Log, 'partitions'>, topics: Config['topics']) {
    this.#log = log
    const { transactions, labels, decisions, alerts, dead_letters, entity_updates, features } = topics
    this.#topics = [transactions, labels, decisions, alerts, dead_letters, entity_updates].concat(
      features ?? [],
    )
    this.#pinned = topics.partitions
  }

  /** What is wrong with the topics, as far as it is known; null while nothing is. */
  get finding(): WeirError | null {
    return this.#found.values().next().value ?? null
  }

  /**
   * Asks for the partitions of all topics. Rejects only when the log cannot be asked, and when all have been: a question
   * that is still open would keep a closed log connected, and with it the process.
   */
  async look(): Promise<void> {
    const asked = await Promise.allSettled(this.#topics.map((topic) => this.#ask(topic)))
    for (const one of asked) if (one.status === 'rejected') throw one.reason
  }

  /**
   * Resolves when the records may be worked on. They were put there while the topic was as it should be if each lies
   * where its key belongs, or if the topic, asked after they were read, still is. The hash comes first because it asks
   * nobody; the question is for producers that choose partitions in a way of their own.
   *
   * @throws WeirError WEIR_LOG_PARTITIONS.
   */
  async admit({ topic, partition }: TopicPartition, records: readonly LogRecord[]): Promise<void> {
    if (!this.#found.has(topic) && !this.#areHome(partition, records)) {
      await this.#ask(topic)
    }
    const changed = this.#found.get(topic)
    if (changed !== undefined) throw changed
  }

  /** The same work, for records that were admitted. A rebuild needs no leave: what it reads was decided. */
  guard(at: TopicPartition, work: LaneWork): LaneWork {
    const { degraded } = work
    return {
      ...work,
      work: async (records, read) => {
        await this.admit(at, records)
        return work.work(records, read)
      },
      ...(degraded !== undefined && {
        degraded: async (records: readonly LogRecord[]) => {
          await this.admit(at, records)
          return degraded(records)
        },
      }),
    }
  }

  /** Whether each record lies where its key belongs. */
  #areHome(partition: number, records: readonly LogRecord[]): boolean {
    if (partition >= this.#pinned) return false
    for (const { key } of records) {
      if (key === null || partitionOf(key, this.#pinned) !== partition) return false
    }
    return true
  }

  async #ask(topic: string): Promise<void> {
    const partitions = await this.#log.partitions(topic)
    if (partitions === this.#pinned || this.#found.has(topic)) return
    this.#found.set(
      topic,
      new WeirError(
        'WEIR_LOG_PARTITIONS',
        `${topic} has ${partitions} partitions, topics.partitions pins ${this.#pinned}: customers would be decided without their states`,
        {
          cure: 'stop the members, then move the installation to topics with more partitions by `weir rekey`; where topics.partitions was wrong from the beginning, set it to what exists',
        },
      ),
    )
  }
}
