import type { Fault } from './fault.ts'
import { brokerKill, brokerRolling, leaderChange } from './list/broker.ts'
import { diskFull } from './list/disk-full.ts'
import { flush } from './list/flush.ts'
import { idsExpired } from './list/ids-expired.ts'
import { kill } from './list/kill.ts'
import { modelLive, modelMutants } from './list/model.ts'
import { order } from './list/order.ts'
import { overload } from './list/overload.ts'
import { redisAway } from './list/redis-away.ts'
import { redisBehind } from './list/redis-behind.ts'
import { redisEmpty } from './list/redis-empty.ts'
import { redisUnfit } from './list/redis-unfit.ts'
import { sleep } from './list/sleep.ts'
import { soak } from './list/soak.ts'

/** Every fault, in the order in which they run. */
export const faults: readonly Fault[] = [
  kill,
  sleep,
  flush,
  redisAway,
  redisEmpty,
  redisBehind,
  redisUnfit,
  brokerKill,
  brokerRolling,
  leaderChange,
  idsExpired,
  order,
  modelMutants,
  modelLive,
  diskFull,
  overload,
  soak,
]
