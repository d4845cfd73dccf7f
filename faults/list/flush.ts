import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { breachesOf, type Fault } from '../fault.ts'
import { judge, openScene, underLoad } from '../scene.ts'

export const flush: Fault = {
  name: 'flush',
  promise:
    'states that somebody deletes with FLUSHALL come back from the log; nothing is decided on what is left',
  times: { whole: 10, short: 2 },
  async run({ seed, times }) {
    const scene = await openScene()
    try {
      await underLoad(scene, seed, async () => {
        const redis = new Redis(scene.config.redis.url)
        for (let i = 0; i < times; i++) {
          await redis.flushall()
          await sleep(2_000)
        }
        redis.disconnect()
      })
      const verdict = await judge(scene.config)
      return { injected: times, verdict, figures: {}, breaches: breachesOf(verdict, true) }
    } finally {
      await scene.stop()
    }
  },
}
