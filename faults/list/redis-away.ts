import { localRedis } from '../../test/helpers/services-local.ts'
import type { Fault } from '../fault.ts'
import { type Loss, rate, runLosses } from '../outages.ts'
import { openScene, type Scene } from '../scene.ts'
import { SlowProxy } from '../slow-proxy.ts'

/** Three ways to be away, and back with all data. */
function losses({ redis }: Scene, proxy: SlowProxy, seconds: number): Loss[] {
  const signal = async (name: 'SIGSTOP' | 'SIGCONT') => void process.kill(await redis.pid(), name)
  // How soon states are written again is part of the load.
  const common = { seconds, leastDegraded: (rate * seconds) / 3 }
  const slow = (delayMs: number) => async () => {
    proxy.delayMs = delayMs
  }
  return [
    { ...common, name: 'down', take: redis.kill, giveBack: redis.restart },
    { ...common, name: 'frozen', take: () => signal('SIGSTOP'), giveBack: () => signal('SIGCONT') },
    { ...common, name: 'slow', take: slow(500), giveBack: slow(0) },
  ]
}

export const redisAway: Fault = {
  name: 'redis-away',
  promise:
    'while Redis is down, frozen or slow every payment is decided in time, by the policy; states are exact again when it is back',
  times: { whole: 60, short: 4 },
  async run({ seed, times }) {
    let proxy: SlowProxy | undefined
    const scene = await openScene({
      arrivalTimes: true,
      async startStore() {
        const redis = await localRedis({})
        proxy = await SlowProxy.open(redis.address)
        return { ...redis, address: proxy.address }
      },
    })
    try {
      return await runLosses(scene, seed, losses(scene, proxy as SlowProxy, times))
    } finally {
      await scene.stop()
      proxy?.close()
    }
  },
}
