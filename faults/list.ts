import type { Fault } from './fault.ts'
import { cut } from './list/cut.ts'
import { flush } from './list/flush.ts'
import { kill } from './list/kill.ts'
import { membership } from './list/membership.ts'
import { overload } from './list/overload.ts'
import { redisDown } from './list/redis-down.ts'
import { rolling } from './list/rolling.ts'
import { sleep } from './list/sleep.ts'
import { soak } from './list/soak.ts'
import { stall } from './list/stall.ts'

/** Every fault, in the order in which they run. */
export const faults: readonly Fault[] = [
  kill,
  cut,
  sleep,
  stall,
  membership,
  rolling,
  flush,
  redisDown,
  overload,
  soak,
]
