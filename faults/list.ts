import type { Fault } from './fault.ts'
import { bombs } from './list/bombs.ts'
import { brokerKill, brokerRolling, leaderChange } from './list/broker.ts'
import { cards } from './list/cards.ts'
import { changelog } from './list/changelog.ts'
import { changes } from './list/changes.ts'
import { cut } from './list/cut.ts'
import { diskFull } from './list/disk-full.ts'
import { flush } from './list/flush.ts'
import { idsExpired } from './list/ids-expired.ts'
import { kill, killChangelog } from './list/kill.ts'
import { membership } from './list/membership.ts'
import { modelLive, modelMutants } from './list/model.ts'
import { modelSlow } from './list/model-slow.ts'
import { offsets } from './list/offsets.ts'
import { order } from './list/order.ts'
import { overload } from './list/overload.ts'
import { partitions } from './list/partitions.ts'
import { poison } from './list/poison.ts'
import { redisAway } from './list/redis-away.ts'
import { redisBehind } from './list/redis-behind.ts'
import { redisCluster } from './list/redis-cluster.ts'
import { redisEmpty } from './list/redis-empty.ts'
import { redisUnfit } from './list/redis-unfit.ts'
import { rolling } from './list/rolling.ts'
import { sleep } from './list/sleep.ts'
import { soak } from './list/soak.ts'
import { stall } from './list/stall.ts'

/** Every fault, in the order in which they run. */
export const faults: readonly Fault[] = [
  kill,
  killChangelog,
  cut,
  sleep,
  stall,
  membership,
  rolling,
  bombs,
  brokerKill,
  brokerRolling,
  leaderChange,
  cards,
  changelog,
  changes,
  diskFull,
  flush,
  idsExpired,
  modelLive,
  modelMutants,
  modelSlow,
  offsets,
  order,
  partitions,
  poison,
  redisAway,
  redisBehind,
  redisCluster,
  redisEmpty,
  redisUnfit,
  overload,
  soak,
]
