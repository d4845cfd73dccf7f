import { setTimeout as sleep } from 'node:timers/promises'
import { Breaches, breachesOf, type Fault } from '../fault.ts'
import { judge, openScene, say, underLoad } from '../scene.ts'

const seconds = { whole: 60, short: 5 }
const rate = 300

export const redisDown: Fault = {
  name: 'redis-down',
  promise:
    'without Redis the policy decides, nothing waits, and the states come back, though Redis comes back empty',
  times: { whole: seconds.whole, short: seconds.short },
  async run({ seed, times }) {
    // Without its file Redis comes back empty.
    const scene = await openScene({ redis: { appendonly: 'no' } })
    try {
      await underLoad(scene, seed, async () => {
        await scene.redis.kill()
        say(`Redis is away for ${times} s`)
        await sleep(times * 1_000)
        await scene.redis.restart()
      })
      const verdict = await judge(scene.config)
      const breaches = new Breaches()
      // That members write states again is part of the load: a part of what came meanwhile is enough.
      const least = (rate * times) / 3
      breaches.must(
        verdict.degraded > least,
        `${verdict.degraded} degraded decisions: more than ${least} were due`,
      )
      return {
        injected: times,
        verdict,
        figures: { degraded: verdict.degraded },
        breaches: [...breachesOf(verdict, true), ...breaches.all],
      }
    } finally {
      await scene.stop()
    }
  },
}
