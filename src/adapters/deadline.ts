import { setTimeout as sleep } from 'node:timers/promises'

/** A timer that comes later than this was held up by work in this process, milliseconds. */
const heldUpMs = 10

/** Between two questions whether the server answers again, milliseconds. */
const askEveryMs = 100

/**
 * Gives calls of a server a time limit, and lets nobody wait for a server that is known not to answer: after a call
 * that ran out of time all others fail at once, until the server has answered a question within half the limit. So a
 * frozen or slow server costs each caller one wait, not one a call; and one that takes as long as the limit, now a little
 * less and now a little more, costs no wait after the other.
 */
export class Deadline {
  readonly #ms: number
  readonly #ask: () => Promise<unknown>
  readonly #told: (isAway: boolean) => void
  #isAway = false
  #isClosed = false

  /**
   * @param ask any call that a server in order answers, if only to refuse it.
   * @param told when the server no longer answers, and when it does again.
   */
  constructor(ms: number, ask: () => Promise<unknown>, told: (isAway: boolean) => void = () => {}) {
    this.#ms = ms
    this.#ask = ask
    this.#told = told
  }

  /** The call's result. Rejects as the call does, or with a TimeoutError. */
  async within<T>(call: () => Promise<T>): Promise<T> {
    if (this.#isAway) throw new TimeoutError(`no answer within ${this.#ms} ms to an earlier call`)
    try {
      return await limited(this.#ms, call())
    } catch (error) {
      if (error instanceof TimeoutError) void this.#untilItAnswers()
      throw error
    }
  }

  /** Asks no more. */
  close(): void {
    this.#isClosed = true
  }

  async #untilItAnswers(): Promise<void> {
    if (this.#isAway) return
    this.#isAway = true
    this.#told(true)
    while (!this.#isClosed) {
      const failure = await limited(this.#ms / 2, this.#ask()).then(
        () => null,
        (error: unknown) => error,
      )
      if (!(failure instanceof TimeoutError)) break
      await sleep(askEveryMs, undefined, { ref: false })
    }
    this.#isAway = false
    if (!this.#isClosed) this.#told(false)
  }
}

export class TimeoutError extends Error {}

/**
 * The call's result, or a TimeoutError past the limit. Time during which this process was too busy to read the answer
 * does not count: a chunk is worked on without a pause, and the server is not to blame for that.
 */
export function limited<T>(ms: number, call: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    let timer: NodeJS.Timeout
    const wait = (left: number) => {
      const due = performance.now() + left
      timer = setTimeout(() => {
        const lateMs = performance.now() - due
        if (lateMs > heldUpMs) wait(lateMs)
        else reject(new TimeoutError(`no answer within ${ms} ms`))
      }, left)
    }
    wait(ms)
    call.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}
