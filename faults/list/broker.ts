import { setTimeout as sleep } from 'node:timers/promises'
import { Random } from '../../src/core/random.ts'
import { moveLeaders, shutDown } from '../cluster.ts'
import { Breaches, breachesOf, type Fault, type Outcome } from '../fault.ts'
import { judge, openScene, type Scene, say, underLoad } from '../scene.ts'
import { lagOf } from '../verifier/evidence.ts'

const rate = 200
/** As by default: how fast a member works off what has come meanwhile is measured here. */
const env = { WEIR_CHUNK__MAX_RECORDS: '2000', WEIR_LOG__LEVEL: 'info' }
const mostSecondsBehind = 30
const warmUpMs = 25_000

/** Seconds until no more waits than comes within a second. */
async function secondsBehind({ config }: Scene): Promise<number> {
  const begun = performance.now()
  const seconds = () => (performance.now() - begun) / 1_000
  // While coordinators move nobody can tell.
  const behind = () =>
    lagOf(config).then(
      ({ lag }) => lag,
      () => Number.POSITIVE_INFINITY,
    )
  while (seconds() < 4 * mostSecondsBehind) {
    if ((await behind()) <= rate) return seconds()
    await sleep(250)
  }
  return seconds()
}

/** Does something to a cluster of three so often, and measures after each time how long the members are behind. */
async function ofThree(
  seed: number,
  times: number,
  hit: (scene: Scene, random: Random) => Promise<void>,
): Promise<Outcome> {
  const scene = await openScene({ brokers: 3, env })
  try {
    const random = new Random(seed, 1)
    const behind: number[] = []
    const damage = async () => {
      // Three brokers that have just begun take all cores of a small machine for a minute or two, and a backlog comes of
      // it that no damage made.
      await sleep(warmUpMs)
      const more = await secondsBehind(scene)
      say(`members keep up ${more.toFixed(1)} s after ${warmUpMs / 1_000} s of warming up`)
      for (let i = 0; i < times; i++) {
        await hit(scene, random)
        behind.push(await secondsBehind(scene))
        say(`${i + 1} of ${times}: caught up after ${behind.at(-1)?.toFixed(1)} s`)
      }
    }
    await underLoad(scene, seed, damage, { rate })
    const verdict = await judge(scene.config)
    const longest = Math.max(...behind)
    const breaches = new Breaches()
    breaches.must(
      longest <= mostSecondsBehind,
      `caught up only ${longest.toFixed(1)} s after the brokers were back`,
    )
    return {
      injected: behind.length,
      verdict,
      figures: { behind_s_max: Math.round(longest * 10) / 10 },
      breaches: [...breachesOf(verdict), ...breaches.all],
    }
  } finally {
    await scene.stop()
  }
}

const any = <T>(all: readonly T[], random: Random) => all[random.between(0, all.length - 1)] as T

export const brokerKill: Fault = {
  name: 'broker-kill',
  promise:
    'of three brokers one dies by kill -9 and comes back: nothing is lost, and all is caught up 30 s later',
  times: { whole: 20, short: 1 },
  run: ({ seed, times }) =>
    ofThree(seed, times, async ({ brokers }, random) => {
      const broker = any(brokers, random)
      await broker.kill()
      await sleep(random.between(1_000, 10_000))
      await broker.restart()
    }),
}

export const brokerRolling: Fault = {
  name: 'broker-rolling',
  promise:
    'three brokers are restarted one after the other, with two in sync at least: nothing is lost, 30 s to catch up',
  times: { whole: 5, short: 0 },
  run: ({ seed, times }) =>
    ofThree(seed, times, async (scene) => {
      for (const broker of scene.brokers) {
        await shutDown(broker)
        await broker.restart()
        // As who restarts a cluster would: the next one waits until this one follows again.
        await secondsBehind(scene)
      }
    }),
}

export const leaderChange: Fault = {
  name: 'leader-change',
  promise:
    'partitions of all topics, offsets and transactions included, get other leaders: nothing is lost, 30 s to catch up',
  times: { whole: 20, short: 2 },
  run: ({ seed, times }) =>
    ofThree(seed, times, async ({ config: { kafka, topics } }, random) => {
      const ours = [
        topics.transactions,
        topics.labels,
        topics.entity_updates,
        topics.decisions,
        topics.alerts,
      ]
      await moveLeaders(kafka.brokers, [...ours, '__consumer_offsets', '__transaction_state'], random)
      await sleep(5_000)
    }),
}
