import type { Run, RunHandler, Subscription, TopicPartition } from '../core/ports.ts'
import type { MemoryPartition } from './memory-partition.ts'

/** How long a partition rests after its handler rejected. */
const retryPauseMs = 20

/** A partition as one group sees it. */
export interface GroupPartition extends TopicPartition {
  readonly log: MemoryPartition
  /** Offset to read next. */
  position: number
  /** Offset of the group, moved by transactions only. */
  committed: number | null
  /** Number of fences so far; a writer of an earlier epoch is fenced. */
  epoch: number
  resting: boolean
}

/** A consumer group: shares the partitions of each topic among the members that subscribed to it. */
export class MemoryGroup {
  readonly #members: MemoryMember[] = []
  #rebalanced: Promise<void> = Promise.resolve()

  get size(): number {
    return this.#members.length
  }

  join(member: MemoryMember): Promise<void> {
    return this.#rebalance(() => this.#members.push(member))
  }

  leave(member: MemoryMember): Promise<void> {
    return this.#rebalance(() => this.#members.splice(this.#members.indexOf(member), 1))
  }

  wake(): void {
    for (const member of this.#members) member.wake()
  }

  /** As in Kafka, nobody owns anything until every member has finished what it was handling. */
  #rebalance(change: () => void): Promise<void> {
    this.#rebalanced = this.#rebalanced.then(async () => {
      await Promise.all(this.#members.map((member) => member.revoke()))
      change()
      for (const member of this.#members) member.assign(this.#shareOf(member))
    })
    return this.#rebalanced
  }

  /** Partition p of every topic goes to the same member where all members subscribed to the same topics. */
  #shareOf(member: MemoryMember): GroupPartition[] {
    return [...member.topics].flatMap(([topic, partitions]) => {
      const members = this.#members.filter((other) => other.topics.has(topic))
      return partitions.filter((at) => members[at.partition % members.length] === member)
    })
  }
}

export interface MemberOptions {
  readonly handler: RunHandler
  /** Partitions of each topic, in the order of subscription. */
  readonly topics: ReadonlyMap<string, readonly GroupPartition[]>
  readonly maxRunRecords: number
  /** Called after each handled run. */
  readonly onHandled: (at: GroupPartition) => void
}

/**
 * One subscriber. Serves its partitions one after another, one run each, in the order of subscription and
 * partition number, so that the same appends give the same runs.
 */
export class MemoryMember implements Subscription {
  readonly topics: ReadonlyMap<string, readonly GroupPartition[]>
  readonly #options: MemberOptions
  readonly #group: MemoryGroup
  #assigned: readonly GroupPartition[] = []
  #active = false
  #cursor = 0
  #serving: Promise<void> | undefined
  #stopped: Promise<void> | undefined
  #idlers: (() => void)[] = []

  constructor(group: MemoryGroup, options: MemberOptions) {
    this.#group = group
    this.#options = options
    this.topics = options.topics
  }

  idle(): Promise<void> {
    if (this.#isIdle()) return Promise.resolve()
    return new Promise((resolve) => this.#idlers.push(resolve))
  }

  seek({ topic, partition }: TopicPartition, offset: number): void {
    const found = this.#assigned.find((at) => at.topic === topic && at.partition === partition)
    if (found === undefined) return
    found.position = offset
    this.wake()
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#group.leave(this).then(() => this.#releaseIdlers())
    return this.#stopped
  }

  /** Starts no further run; resolves when the running one is done. */
  async revoke(): Promise<void> {
    this.#active = false
    await this.#serving
  }

  assign(partitions: readonly GroupPartition[]): void {
    for (const at of partitions) at.position = at.committed ?? at.log.first
    this.#assigned = partitions
    this.#cursor = 0
    this.#active = true
    this.#options.handler.onAssigned(partitions.map(({ topic, partition }) => ({ topic, partition })))
    this.wake()
    this.#settle()
  }

  /** There may be something to read. */
  wake(): void {
    if (this.#serving !== undefined || !this.#active || this.#next() === undefined) return
    this.#serving = this.#serve()
  }

  async #serve(): Promise<void> {
    // Appends of the same turn of the event loop belong to one run.
    await undefined
    for (let at = this.#next(); at !== undefined; at = this.#next()) {
      this.#cursor = this.#assigned.indexOf(at) + 1
      await this.#handle(at)
    }
    this.#serving = undefined
    this.#settle()
  }

  async #handle(at: GroupPartition): Promise<void> {
    at.position = Math.max(at.position, at.log.first)
    const { topic, partition, position: from } = at
    const records = at.log.read(from, this.#options.maxRunRecords)
    const run: Run = { topic, partition, from, records }
    try {
      at.position = await this.#options.handler.onRun(run, async () => {})
    } catch {
      this.#rest(at)
    }
    this.#options.onHandled(at)
  }

  #rest(at: GroupPartition): void {
    at.resting = true
    setTimeout(() => {
      at.resting = false
      this.#group.wake()
    }, retryPauseMs)
  }

  #next(): GroupPartition | undefined {
    if (!this.#active) return undefined
    const count = this.#assigned.length
    for (let i = 0; i < count; i++) {
      const at = this.#assigned[(this.#cursor + i) % count]
      if (at !== undefined && !at.resting && at.position < at.log.end) return at
    }
    return undefined
  }

  #isIdle(): boolean {
    const read = this.#assigned.every((at) => at.position >= at.log.end)
    return this.#stopped !== undefined || (this.#active && this.#serving === undefined && read)
  }

  #settle(): void {
    if (this.#isIdle()) this.#releaseIdlers()
  }

  #releaseIdlers(): void {
    const idlers = this.#idlers
    this.#idlers = []
    for (const resolve of idlers) resolve()
  }
}
