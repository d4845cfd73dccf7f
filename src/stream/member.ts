import type { Run, RunHandler, TopicPartition } from '../core/ports.ts'
import type { PartitionLane } from './partition-lane.ts'

/** One member of the consumer group: gives each of its partitions a lane, and lets go of those that moved away. */
export class Member implements RunHandler {
  readonly #createLane: (at: TopicPartition) => PartitionLane
  readonly #now: () => number
  readonly #lanes = new Map<string, PartitionLane>()
  /** When the runs began that are being handled. */
  readonly #running = new Map<string, number>()

  /** @param now seconds on any steady clock. */
  constructor(createLane: (at: TopicPartition) => PartitionLane, now: () => number) {
    this.#createLane = createLane
    this.#now = now
  }

  /** Seconds that the longest of the runs in hand has taken so far; 0 when none is. */
  get longestRunSeconds(): number {
    const begun = Math.min(...this.#running.values())
    return Number.isFinite(begun) ? this.#now() - begun : 0
  }

  /** The lanes of the partitions that are this member's now. */
  lanes(): PartitionLane[] {
    return [...this.#lanes.values()]
  }

  /** Those of them that have no run in hand. */
  quietLanes(): PartitionLane[] {
    return [...this.#lanes].flatMap(([name, lane]) => (this.#running.has(name) ? [] : [lane]))
  }

  onAssigned(partitions: readonly TopicPartition[]): void {
    const assigned = new Set(partitions.map(nameOf))
    for (const [name, lane] of this.#lanes) {
      if (assigned.has(name)) continue
      this.#lanes.delete(name)
      void lane.release()
    }
    // At once, not with the first record: a dead member's open transaction hides what others wrote until it is fenced.
    for (const at of partitions) this.#laneOf(at).start()
  }

  /**
   * Tries again to take over what could not be taken: a quiet partition brings no record that would. Not what another has
   * taken: there are records, and they come again only when the group has confirmed that they are for this member.
   */
  restart(): void {
    for (const lane of this.#lanes.values()) if (lane.state === 'acquiring' && !lane.isTaken) lane.start()
  }

  async onRun(run: Run, heartbeat: () => Promise<void>): Promise<number> {
    const name = nameOf(run)
    this.#running.set(name, this.#now())
    try {
      return await this.#laneOf(run).onRun(run, heartbeat)
    } finally {
      this.#running.delete(name)
    }
  }

  /** Lets go of every partition. Only when no run is being handled. */
  async release(): Promise<void> {
    const lanes = [...this.#lanes.values()]
    this.#lanes.clear()
    await Promise.all(lanes.map((lane) => lane.release()))
  }

  #laneOf(at: TopicPartition): PartitionLane {
    const name = nameOf(at)
    let lane = this.#lanes.get(name)
    if (lane === undefined) {
      lane = this.#createLane(at)
      this.#lanes.set(name, lane)
    }
    return lane
  }
}

const nameOf = ({ topic, partition }: TopicPartition): string => `${topic}-${partition}`
