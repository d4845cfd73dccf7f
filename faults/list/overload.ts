import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../../test/helpers/services-ready.ts'
import { Breaches, breachesOf, type Fault } from '../fault.ts'
import { watchHealth } from '../health.ts'
import { MemberProcess } from '../member-process.ts'
import { judge, openScene, type Scene, say, settle, startFeed } from '../scene.ts'
import { lagOf } from '../verifier/evidence.ts'

const most = 5
/** With fewer customers, 1.5 payments a day each, a fast stream would run years ahead. */
const world = { customers: 30_000, merchants: 3_000 }

/** Events a second that one member decides when it never has to wait for them. */
async function capacityOf({ config }: Scene, start: () => MemberProcess, seed: number) {
  const feed = startFeed(config, seed, 4_000, world)
  await sleep(4_000)
  await feed.stop()
  const member = start()
  await member.step('written')
  const [before, begun] = [(await lagOf(config)).decided, performance.now()]
  await settle(config, 60)
  const { decided } = await lagOf(config)
  if (decided === before)
    throw new Error('all was decided before anybody looked: what a member can decide is not known')
  return { member, capacity: Math.round((decided - before) / ((performance.now() - begun) / 1_000)) }
}

export const overload: Fault = {
  name: 'overload',
  promise: `at ${most} times what a member can decide, what waits on the log grows and the member's memory does not`,
  times: { whole: 120, short: 15 },
  async run({ seed, times }) {
    // Small chunks make a member slow enough to be overloaded by one producer.
    const scene = await openScene({ env: { WEIR_CHUNK__MAX_RECORDS: '10' } })
    try {
      const port = await freePort()
      const start = () => new MemberProcess({ ...scene.env, WEIR_HTTP__PORT: String(port) })
      const { member, capacity } = await capacityOf(scene, start, seed)
      say(`a member decides ${capacity} events/s; ${most * capacity} are offered for ${times} s`)
      const feed = startFeed(scene.config, seed + 1, most * capacity, world)
      const watch = watchHealth(member, port, 1)
      const begun = performance.now()
      await sleep(times * 1_000)
      const sent = await feed.stop()
      const offered = sent / ((performance.now() - begun) / 1_000)
      const { lag } = await lagOf(scene.config)
      const health = await watch.stop()
      // The machine may give it less than it did before.
      await settle(scene.config, (2 * lag) / capacity)
      await member.stop()
      const verdict = await judge(scene.config)
      const breaches = new Breaches()
      breaches.must(offered > (most - 1) * capacity, `only ${Math.round(offered)} events/s were offered`)
      breaches.must(lag > sent / 2, `${lag} of ${sent} events waited: it was no overload`)
      // In a short run code is still being compiled and caches fill.
      const mostGrowth = times < 60 ? 1.5 : 1.1
      breaches.must(health.rss_ratio < mostGrowth, `memory grew to ${health.rss_ratio} times what it was`)
      return {
        injected: times,
        verdict,
        figures: { capacity_per_s: capacity, offered_per_s: Math.round(offered), lag_most: lag, ...health },
        breaches: [...breachesOf(verdict), ...breaches.all],
      }
    } finally {
      await scene.stop()
    }
  },
}
