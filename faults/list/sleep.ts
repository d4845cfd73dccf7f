import { Random } from '../../src/core/random.ts'
import { Breaches, breachesOf, type Fault } from '../fault.ts'
import { MemberProcess } from '../member-process.ts'
import { judge, openScene, type Scene, say, settle, startFeed } from '../scene.ts'

/** Stops one member between work and commit until another has its partitions, then wakes it. */
async function sleepOnce({ env }: Scene, count: number): Promise<boolean> {
  const at = { name: 't.worked', count } as const
  const sleeper = new MemberProcess(env, { at, signal: 'SIGSTOP' })
  await sleeper.stopped()
  const successor = new MemberProcess(env)
  // Once its session has ended all partitions are the successor's, which answers what the sleeper was about to.
  for (let chunks = 0; chunks < 40; chunks++) await successor.step('written')
  sleeper.signal('SIGCONT')
  await sleeper.step('written')
  await Promise.all([sleeper.stop(), successor.stop()])
  return sleeper.log.includes('WEIR_LOG_FENCED')
}

export const sleep: Fault = {
  name: 'sleep',
  promise: 'a member that sleeps through its own replacement has no visible effect when it wakes',
  times: { whole: 10, short: 1 },
  async run({ seed, times }) {
    const scene = await openScene()
    try {
      const feed = startFeed(scene.config, seed, 200)
      const random = new Random(seed, 1)
      let fenced = 0
      for (let i = 0; i < times; i++) {
        if (await sleepOnce(scene, random.between(5, 30))) fenced++
        say(`sleeper ${i + 1} of ${times}`)
      }
      const last = new MemberProcess(scene.env)
      await last.step('written')
      await feed.stop()
      await settle(scene.config)
      await last.stop()
      const verdict = await judge(scene.config)
      const breaches = new Breaches()
      // It did try to commit, and Kafka refused: else this would prove nothing.
      breaches.must(
        fenced === times,
        `${fenced} of ${times} sleepers were refused: the others did not try to commit`,
      )
      return {
        injected: times,
        verdict,
        figures: { refused: fenced },
        breaches: [...breachesOf(verdict), ...breaches.all],
      }
    } finally {
      await scene.stop()
    }
  },
}
