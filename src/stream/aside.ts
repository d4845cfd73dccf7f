import type { LogRecord } from '../core/ports.ts'
import type { LaneStates } from './lane-states.ts'

/** Records folded at once: so long, some 50 ms, a payment waits for its turn. */
export const sliceRecords = 500

/** Folds into states what they miss, beside the records that come meanwhile and are answered without states. */
export class Aside {
  /** Where the states ended when it began. */
  readonly from: number
  /** Never rejects. */
  readonly ended: Promise<void>
  #hasEnded = false
  #failure: unknown = null

  /**
   * Begins at once.
   *
   * @param missed what the states miss, in order.
   * @param isHeld false once the lane has let go of the states: nothing is folded any more.
   */
  constructor(
    states: LaneStates,
    missed: AsyncIterable<readonly LogRecord[]>,
    fold: (records: readonly LogRecord[], to: number) => Promise<void>,
    isHeld: () => boolean,
  ) {
    this.from = states.upTo
    this.ended = this.#run(missed, fold, isHeld)
  }

  get hasEnded(): boolean {
    return this.#hasEnded
  }

  /** What ended it before its time, else null. */
  get failure(): unknown {
    return this.#failure
  }

  async #run(
    missed: AsyncIterable<readonly LogRecord[]>,
    fold: (records: readonly LogRecord[], to: number) => Promise<void>,
    isHeld: () => boolean,
  ): Promise<void> {
    try {
      for await (const records of missed) {
        for (let at = 0; at < records.length; at += sliceRecords) {
          if (!isHeld()) return
          const slice = records.slice(at, at + sliceRecords)
          await fold(slice, (slice.at(-1) as LogRecord).offset + 1)
        }
      }
    } catch (error) {
      this.#failure = error
    } finally {
      this.#hasEnded = true
    }
  }
}
