import type { Log, StateStore, Subscription } from '../core/ports.ts'
import { restoring } from './lane-states.ts'
import type { Member } from './member.ts'
import type { PartitionLane } from './partition-lane.ts'

export interface QuietLanesOptions {
  readonly member: Member
  readonly subscription: Subscription
  readonly log: Log
  readonly store: StateStore
}

/** Where a lane and its states stood. */
interface Place {
  readonly position: number
  readonly watermark: number | null
}

/**
 * States are made whole by the partition's next record: after a member died between commit and write, or the store lost
 * them. A quiet partition gets none for long. So its missing records are delivered once more, to be folded in again.
 */
export class QuietLanes {
  readonly #options: QuietLanesOptions
  /** Whose states were behind at the last look. */
  #behind = new Map<PartitionLane, Place>()

  constructor(options: QuietLanesOptions) {
    this.#options = options
  }

  /**
   * To be called every few seconds. Mends a lane when two looks find it at the same place with states that are behind,
   * and no run in hand. Does nothing where the store or the log cannot be asked.
   */
  async look(): Promise<void> {
    const before = this.#behind
    this.#behind = new Map()
    const lanes = this.#options.member.quietLanes()
    await Promise.all(lanes.map((lane) => this.#lookAt(lane, before.get(lane)).catch(() => {})))
  }

  async #lookAt(lane: PartitionLane, before: Place | undefined): Promise<void> {
    const { member, subscription, log, store } = this.#options
    const { id, topic, position } = lane
    if (position === null) return
    const watermark = await store.watermark(id)
    const isWhole = watermark !== null && watermark >= position
    // From a snapshot: that takes as long as it takes.
    const isLoading = watermark !== null && watermark < 0 && watermark !== restoring
    if (isWhole || isLoading) return
    this.#behind.set(lane, { position, watermark })
    if (before?.position !== position || before.watermark !== watermark) return
    const at = { topic, partition: id.partition }
    // Where a member died while it restored them from the changelog, they are restored anew.
    const isLost = watermark === null || watermark === restoring
    const from = isLost ? (await log.bounds(at)).first : watermark
    if (from >= position) return
    // Perhaps a run has come while store and log were asked.
    if (!member.quietLanes().includes(lane)) return
    // It may believe that its states are whole: taking over again, it asks.
    await lane.release()
    subscription.seek(at, from)
  }
}
