import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { freePort } from '../../test/helpers/services-ready.ts'
import { Breaches, type Fault } from '../fault.ts'
import { readiness } from '../health.ts'
import { MemberProcess } from '../member-process.ts'
import { type Loss, rate, runLosses } from '../outages.ts'
import { openScene, type Scene } from '../scene.ts'

/** What somebody does to a Redis that runs, what weir must say of it, and the way back. */
interface Misuse {
  readonly name: string
  readonly says: RegExp
  /** Whether states cannot be written; what is evicted is soon rebuilt, and may need no decision without states. */
  readonly degrades: boolean
  begin(redis: Redis): Promise<unknown>
  end(redis: Redis): Promise<unknown>
}

const numberIn = async (redis: Redis, name: string): Promise<number> =>
  Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(await redis.info())?.[1])

/** To a share of what it uses already. */
async function limit(redis: Redis, policy: string, share: number): Promise<void> {
  const used = (await numberIn(redis, 'used_memory')) - (await numberIn(redis, 'mem_not_counted_for_evict'))
  await redis.config('SET', 'maxmemory-policy', policy)
  await redis.config('SET', 'maxmemory', Math.round(used * share))
}

const unlimited = (redis: Redis) => redis.config('SET', 'maxmemory', 0)

const misuses: readonly Misuse[] = [
  {
    name: 'evicting',
    says: /allkeys-random/,
    degrades: false,
    begin: (redis) => limit(redis, 'allkeys-random', 0.98),
    end: unlimited,
  },
  {
    name: 'full',
    says: /is full/,
    degrades: true,
    // Far beyond what clients that come and go make of it.
    begin: (redis) => limit(redis, 'noeviction', 0.5),
    end: unlimited,
  },
  {
    name: 'readonly',
    says: /read-only replica/,
    degrades: true,
    begin: async (redis) => redis.replicaof('127.0.0.1', await freePort()),
    end: (redis) => redis.replicaof('NO', 'ONE'),
  },
]

const seconds = 3

/** Waits until a member, which looks at Redis every 5 s, has told what is wrong. Null when it did, else what it says. */
async function unheard(member: MemberProcess, says: RegExp): Promise<string | null> {
  for (let left = 100; left > 0; left--) {
    const isLogged = member.log
      .split('\n')
      .some((line) => line.includes('"level":"error"') && says.test(line))
    if (isLogged && says.test(await readiness(member, 'redis'))) return null
    await sleep(200)
  }
  return `/readyz says "${await readiness(member, 'redis')}" of Redis`
}

function lossOf(
  scene: Scene,
  redis: Redis,
  { name, says, degrades, begin, end }: Misuse,
  breaches: Breaches,
): Loss {
  return {
    name,
    seconds,
    leastDegraded: degrades ? rate : 0,
    // Lanes that are evicted again and again are read again and again, those of labels and entities too.
    longestWaitMs: degrades ? 2_000 : 10_000,
    async take() {
      await begin(redis)
    },
    async giveBack(members) {
      for (const member of members) {
        const silence = await unheard(member, says)
        breaches.must(silence === null, `${name}: ${silence}`)
      }
      const another = new MemberProcess(scene.env)
      await Promise.race([another.exit(), sleep(60_000, undefined, { ref: false })])
      breaches.must(another.ended, `${name}: another member started`)
      const { log } = another
      breaches.must(/WEIR_STORE_UNFIT/.test(log) && says.test(log), `${name}: another member said ${log}`)
      another.signal('SIGKILL')
      await end(redis)
    },
  }
}

export const redisUnfit: Fault = {
  name: 'redis-unfit',
  promise:
    'a Redis that evicts, is full or is a read-only replica is refused at the start; one that becomes so is named, and what cannot be scored on whole states is decided by the policy',
  times: { whole: 5, short: 1 },
  async run({ seed, times }) {
    const scene = await openScene({ arrivalTimes: true, env: { WEIR_LOG__LEVEL: 'info' } })
    const redis = new Redis(scene.config.redis.url)
    try {
      const breaches = new Breaches()
      const losses = Array.from({ length: times }, () =>
        misuses.map((one) => lossOf(scene, redis, one, breaches)),
      )
      const outcome = await runLosses(scene, seed, losses.flat())
      const evicted = await numberIn(redis, 'evicted_keys')
      breaches.must(evicted >= times, `${evicted} keys evicted: it proved little`)
      return {
        ...outcome,
        figures: { ...outcome.figures, evicted_lanes: evicted },
        breaches: [...outcome.breaches, ...breaches.all],
      }
    } finally {
      redis.disconnect()
      await scene.stop()
    }
  },
}
