import type { Fault } from './fault.ts'
import { flush } from './list/flush.ts'
import { kill } from './list/kill.ts'
import { partitions } from './list/partitions.ts'
import { redisDown } from './list/redis-down.ts'
import { sleep } from './list/sleep.ts'

/** Every fault, in the order in which they run. */
export const faults: readonly Fault[] = [kill, sleep, flush, redisDown, partitions]
