import { Refused } from './problem.ts'

/** Runs work unless so much is running already. */
export type Gate = <T>(work: () => Promise<T>) => Promise<T>

/**
 * Lets in what can be answered soon; the rest is told to come again, since the member's one core is needed for payments.
 *
 * @param what is limited, in words.
 * @throws {Refused} 503 with Retry-After.
 */
export function createGate(most: number, what: string): Gate {
  let running = 0
  return async (work) => {
    if (running >= most) throw new Refused(503, 'WEIR_HTTP_BUSY', `${most} ${what} are in hand already`, 1)
    running++
    try {
      return await work()
    } finally {
      running--
    }
  }
}
