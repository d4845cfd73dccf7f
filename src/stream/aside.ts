import type { LogRecord } from '../core/ports.ts'
import type { LaneStates } from './lane-states.ts'

/** Records folded at once: so long, some 50 ms, a payment waits for its turn. */
const sliceRecords = 500

/** Folds into states what they miss, beside the records that come meanwhile and are answered without states. */
export class Aside {
  readonly states: LaneStates
  /** Where the states ended when it began. */
  readonly from: number
  #isRunning = true
  #failure: unknown = null

  constructor(states: LaneStates) {
    this.states = states
    this.from = states.upTo
  }

  get isRunning(): boolean {
    return this.#isRunning
  }

  /** What ended it before its time, else null. */
  get failure(): unknown {
    return this.#failure
  }

  /**
   * Never rejects.
   *
   * @param missed what the states miss, in order.
   * @param isHeld false once the lane has let go of the states: nothing is folded any more.
   */
  async run(
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
      this.#isRunning = false
    }
  }
}
