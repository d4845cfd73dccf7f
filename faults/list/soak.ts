import { setTimeout as sleep } from 'node:timers/promises'
import { Random } from '../../src/core/random.ts'
import { freePort } from '../../test/helpers/services-ready.ts'
import { Breaches, breachesOf, type Fault } from '../fault.ts'
import { watchHealth } from '../health.ts'
import { MemberProcess } from '../member-process.ts'
import { caughtUp, judge, openScene, type Scene, say, sayFigures, settle, startFeed } from '../scene.ts'

const minuteMs = 60_000

/** Once a minute the one that is killed next is not the one that is watched. */
async function killEachMinute(scene: Scene, minutes: number, random: Random): Promise<MemberProcess> {
  let victim = new MemberProcess(scene.env)
  for (let minute = 1; minute <= minutes; minute++) {
    const moment = random.unit() * 0.8 * minuteMs
    await sleep(moment)
    victim.signal('SIGKILL')
    await victim.exit()
    victim = new MemberProcess(scene.env)
    await sleep(minuteMs - moment)
    if (minute % 5 === 0) say(`${minute} of ${minutes} minutes`)
  }
  return victim
}

export const soak: Fault = {
  name: 'soak',
  promise:
    'at 500 events/s with a kill every minute a member holds no more after an hour than after the first 20 minutes',
  times: { whole: 60, short: 0 },
  async run({ seed, times }) {
    // So little is remembered that it is full when the watch begins: else the soak would show how it fills.
    const env = { WEIR_CHUNK__MAX_RECORDS: '2000', WEIR_REDIS__CACHE_MIB: '8' }
    const scene = await openScene({ env })
    try {
      const port = await freePort()
      const watched = new MemberProcess({ ...scene.env, WEIR_HTTP__PORT: String(port) })
      // As many customers as make 1.5 payments each a day of the stream: an hour is some 40 days.
      const feed = startFeed(scene.config, seed, 500, {
        history: 200_000,
        customers: 30_000,
        merchants: 3_000,
      })
      await watched.step('written')
      // A backlog first: at 500/s it takes long until what is often called is compiled, and that is memory.
      await caughtUp(scene.config, 1_000)
      const watch = watchHealth(watched, port, 5)
      const last = await killEachMinute(scene, times, new Random(seed, 1))
      await feed.stop()
      const health = await watch.stop()
      sayFigures({ ...health })
      await settle(scene.config)
      await Promise.all([watched.stop(), last.stop()])
      const breaches = new Breaches()
      breaches.must(health.rss_ratio < 1.1, `memory grew to ${health.rss_ratio} times what it was`)
      breaches.must(
        (health.rss_slope_mib_per_hour ?? 0) < 1,
        `memory grows by ${health.rss_slope_mib_per_hour} MiB an hour`,
      )
      breaches.must(
        health.descriptors_gained <= 2,
        `${health.descriptors_gained} descriptors more than before`,
      )
      breaches.must(health.timers_gained <= 2, `${health.timers_gained} timers more than before`)
      const verdict = await judge(scene.config)
      return {
        injected: times,
        verdict,
        figures: { ...health },
        breaches: [...breachesOf(verdict), ...breaches.all],
      }
    } finally {
      await scene.stop()
    }
  },
}
