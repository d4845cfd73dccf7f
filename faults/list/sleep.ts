import type { Fault } from '../fault.ts'
import { putToSleep } from '../sleepers.ts'

/** Beyond session and transaction timeout of any installation; a single one wakes as soon as it is replaced. */
const wholeMs = 60_000

export const sleep: Fault = {
  name: 'sleep',
  promise: 'a member that sleeps through its own replacement has no visible effect when it wakes',
  times: { whole: 10, short: 1 },
  // Between work and commit: each wakes with an answer in hand that somebody else has given.
  run: (order) =>
    putToSleep(order, { place: 't.worked', ms: order.times > 1 ? wholeMs : 0, replaced: () => true }),
}
