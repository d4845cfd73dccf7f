import type { Fault } from '../fault.ts'
import { putToSleep } from '../sleepers.ts'

const transactionTimeoutMs = 4_000
/** Beyond both timeouts and the broker's next look at what is overdue. */
const stallMs = 8_000

export const stall: Fault = {
  name: 'stall',
  promise:
    'a member that stalls inside a transaction beyond session and transaction timeout has no visible effect when it goes on, whether it was replaced meanwhile or not',
  times: { whole: 10, short: 1 },
  async run(order) {
    const outcome = await putToSleep(order, {
      scene: {
        env: { WEIR_KAFKA__TRANSACTION_TIMEOUT_MS: String(transactionTimeoutMs) },
        kafka: { 'transaction.abort.timed.out.transaction.cleanup.interval.ms': '500' },
      },
      // All records are sent, and the request that ends the transaction is next.
      place: 'ending',
      ms: stallMs,
      replaced: (group) => group % 2 === 0,
    })
    if (outcome.verdict?.aborted_records !== 0) return outcome
    const breach = 'nobody stalled inside a transaction: it proved nothing'
    return { ...outcome, breaches: [...outcome.breaches, breach] }
  },
}
