import type { Fault } from './fault.ts'
import { changelog } from './list/changelog.ts'
import { flush } from './list/flush.ts'
import { kill } from './list/kill.ts'
import { overload } from './list/overload.ts'
import { redisDown } from './list/redis-down.ts'
import { sleep } from './list/sleep.ts'
import { soak } from './list/soak.ts'

/** Every fault, in the order in which they run. */
export const faults: readonly Fault[] = [kill, sleep, flush, redisDown, changelog, overload, soak]
