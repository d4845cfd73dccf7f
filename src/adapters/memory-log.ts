import { WeirError } from '../core/errors.ts'
import type {
  Clock,
  Log,
  LogRecord,
  NewRecord,
  RunHandler,
  Subscription,
  TopicPartition,
  TransactionalWriter,
} from '../core/ports.ts'
import { historyGone } from './log-errors.ts'
import { type GroupPartition, MemoryGroup, MemoryMember } from './memory-group.ts'
import { MemoryPartition } from './memory-partition.ts'

export interface MemoryLogOptions {
  /** Number of partitions by topic. */
  readonly topics: Readonly<Record<string, number>>
  /** Largest number of records in a run. Default 2,000. */
  readonly maxRunRecords?: number
  /**
   * `unread` drops records that every group has read (and committed, where it writes transactions), so that a
   * stream of any length fits; a topic without a group then keeps nothing, so subscribe before appending.
   * Default `all`.
   */
  readonly retain?: 'all' | 'unread'
  /** Record timestamps. Default `Date.now`. */
  readonly clock?: Clock
}

/** The embedded log: topics, groups, transactions and fencing as Kafka has them, in memory and deterministic. */
export function createMemoryLog(options: MemoryLogOptions): MemoryLog {
  return new MemoryLog(options)
}

export class MemoryLog implements Log {
  readonly #topics = new Map<string, MemoryPartition[]>()
  readonly #groups = new Map<string, { members: MemoryGroup; topics: Map<string, GroupPartition[]> }>()
  readonly #subscriptions = new Set<Subscription>()
  readonly #maxRunRecords: number
  readonly #retain: 'all' | 'unread'
  readonly #clock: Clock

  constructor({ topics, maxRunRecords = 2_000, retain = 'all', clock = Date.now }: MemoryLogOptions) {
    for (const [topic, partitions] of Object.entries(topics)) this.createTopic(topic, partitions)
    this.#maxRunRecords = maxRunRecords
    this.#retain = retain
    this.#clock = clock
  }

  createTopic(topic: string, partitions: number): void {
    this.#topics.set(
      topic,
      Array.from({ length: partitions }, () => new MemoryPartition()),
    )
  }

  async partitions(topic: string): Promise<number> {
    return this.#topic(topic).length
  }

  async bounds(at: TopicPartition): Promise<{ first: number; end: number }> {
    const { first, end } = this.#partition(at)
    return { first, end }
  }

  async offsetAt(at: TopicPartition, time: number): Promise<number> {
    const partition = this.#partition(at)
    for await (const records of this.read(at, partition.first, partition.end)) {
      const found = records.find(({ timestamp }) => timestamp >= time)
      if (found !== undefined) return found.offset
    }
    return partition.end
  }

  async *read(at: TopicPartition, from: number, to: number): AsyncGenerator<LogRecord[]> {
    const partition = this.#partition(at)
    const last = Math.min(to, partition.end)
    for (let next = from; next < last; ) {
      if (next < partition.first) throw historyGone(at, next, partition.first)
      const records = partition.read(next, Math.min(this.#maxRunRecords, last - next))
      next += records.length
      yield records
    }
  }

  async append(records: readonly NewRecord[]): Promise<void> {
    this.#write(records)
  }

  async fence(group: string, at: TopicPartition): Promise<TransactionalWriter> {
    const position = this.#groupPartition(group, at)
    const epoch = ++position.epoch
    let dead: WeirError | undefined
    const commit = async (records: readonly NewRecord[], nextOffset: number): Promise<void> => {
      if (position.epoch !== epoch) dead ??= fenced(group, at)
      if (dead !== undefined) throw dead
      try {
        this.#write(records)
      } catch (error) {
        dead = new WeirError('WEIR_LOG_UNAVAILABLE', 'this writer is dead after a failed commit')
        throw error
      }
      position.committed = nextOffset
      this.#trim(at)
    }
    const close = async (): Promise<void> => {
      dead ??= new WeirError('WEIR_LOG_UNAVAILABLE', 'this writer is closed')
    }
    return { commit, close }
  }

  async committed(group: string, at: TopicPartition): Promise<number | null> {
    return this.#groupPartition(group, at).committed
  }

  async members(group: string): Promise<number> {
    return this.#groups.get(group)?.members.size ?? 0
  }

  async subscribe(group: string, topics: readonly string[], handler: RunHandler): Promise<Subscription> {
    const { members } = this.#group(group)
    const member = new MemoryMember(members, {
      handler,
      topics: new Map(topics.map((topic) => [topic, this.#groupTopic(group, topic)])),
      maxRunRecords: this.#maxRunRecords,
      onHandled: (at) => this.#trim(at),
    })
    this.#subscriptions.add(member)
    await members.join(member)
    return member
  }

  async close(): Promise<void> {
    await Promise.all([...this.#subscriptions].map((subscription) => subscription.stop()))
  }

  /** All or nothing: every destination is looked up before the first record is written. */
  #write(records: readonly NewRecord[]): void {
    const partitions = records.map((record) => this.#partition(record))
    const now = this.#clock()
    records.forEach((record, i) => {
      partitions[i]?.append(record, now)
    })
    // Topics that no group reads are emptied here; the others when a run has been handled.
    if (this.#retain === 'unread') {
      records.forEach((record, i) => {
        if (partitions[i] !== partitions[i + 1]) this.#trim(record)
      })
    }
    for (const { members } of this.#groups.values()) members.wake()
  }

  /** Drops what every group has read, where that is wished. */
  #trim(at: TopicPartition): void {
    if (this.#retain === 'all') return
    const partition = this.#partition(at)
    let unread = partition.end
    for (const { topics } of this.#groups.values()) {
      const group = topics.get(at.topic)?.[at.partition]
      if (group === undefined) continue
      // A group that writes transactions may go back to what it has committed, others never go back.
      const safe = group.epoch === 0 ? group.position : (group.committed ?? partition.first)
      unread = Math.min(unread, safe, group.position)
    }
    partition.drop(unread)
  }

  #topic(topic: string): MemoryPartition[] {
    const partitions = this.#topics.get(topic)
    if (partitions !== undefined) return partitions
    throw new WeirError('WEIR_LOG_TOPIC', `There is no topic ${topic}.`, {
      cure: `Topics: ${[...this.#topics.keys()].join(', ')}.`,
    })
  }

  #partition({ topic, partition }: TopicPartition): MemoryPartition {
    const found = this.#topic(topic)[partition]
    if (found !== undefined) return found
    throw new WeirError('WEIR_LOG_TOPIC', `Topic ${topic} has no partition ${partition}.`)
  }

  #group(group: string): { members: MemoryGroup; topics: Map<string, GroupPartition[]> } {
    let found = this.#groups.get(group)
    if (found === undefined) {
      found = { members: new MemoryGroup(), topics: new Map() }
      this.#groups.set(group, found)
    }
    return found
  }

  #groupTopic(group: string, topic: string): GroupPartition[] {
    const { topics } = this.#group(group)
    let found = topics.get(topic)
    if (found === undefined) {
      found = this.#topic(topic).map((log, partition) => {
        return { topic, partition, log, position: log.first, committed: null, epoch: 0, resting: false }
      })
      topics.set(topic, found)
    }
    return found
  }

  #groupPartition(group: string, at: TopicPartition): GroupPartition {
    this.#partition(at)
    return this.#groupTopic(group, at.topic)[at.partition] as GroupPartition
  }
}

function fenced(group: string, { topic, partition }: TopicPartition): WeirError {
  return new WeirError('WEIR_LOG_FENCED', `Another writer of ${group} took over ${topic}-${partition}.`)
}
