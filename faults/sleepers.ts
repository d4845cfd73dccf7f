import { setTimeout as sleep } from 'node:timers/promises'
import { Random } from '../src/core/random.ts'
import { Breaches, breachesOf, type Order, type Outcome } from './fault.ts'
import { MemberProcess, type Place } from './member-process.ts'
import { judge, openScene, type Scene, type SceneOptions, say, settle, startFeed } from './scene.ts'

/** How members sleep. */
export interface Sleep {
  readonly scene?: SceneOptions
  /** Where each stops itself, before it has answered what it has in hand. */
  readonly place: Place['name']
  /** At least so long. */
  readonly ms: number
  /** Whether another member takes over from those of this group meanwhile. */
  readonly replaced: (group: number) => boolean
}

/** With one that replaces them no more than there are partitions: each has payments to answer. */
const mostAtOnce = 3

/** Puts members to sleep, some at once, until all have been; each tries to commit when it wakes, and must be refused. */
export async function putToSleep({ seed, times }: Order, how: Sleep): Promise<Outcome> {
  const scene = await openScene(how.scene)
  try {
    const feed = startFeed(scene.config, seed, 200)
    const random = new Random(seed, 1)
    let refused = 0
    for (const [group, count] of parts(times, mostAtOnce).entries()) {
      const places = Array.from({ length: count }, () => ({ name: how.place, count: random.between(5, 30) }))
      const replaced = how.replaced(group)
      refused += await oversleep(scene, places, { ms: how.ms, replaced })
      say(`${refused} were refused, the last ${count} ${replaced ? 'replaced' : 'not replaced'} meanwhile`)
    }
    const last = new MemberProcess(scene.env)
    await last.step('written')
    await feed.stop()
    await settle(scene.config, 60)
    await last.stop()
    const verdict = await judge(scene.config)
    const breaches = new Breaches()
    // They did try to commit, and Kafka refused: else this would prove nothing.
    breaches.must(refused === times, `${refused} of ${times} were refused: the others did not try to commit`)
    const figures = { asleep_s: how.ms / 1000, refused, aborted_records: verdict.aborted_records }
    return { injected: times, verdict, figures, breaches: [...breachesOf(verdict), ...breaches.all] }
  } finally {
    await scene.stop()
  }
}

/** Resolves with the number of those that were refused, when all of them work again. */
async function oversleep(
  { env }: Scene,
  places: readonly Place[],
  { ms, replaced }: { ms: number; replaced: boolean },
): Promise<number> {
  const sleepers = places.map((at) => new MemberProcess(env, { at, signal: 'SIGSTOP' }))
  await Promise.all(sleepers.map((sleeper) => sleeper.stopped()))
  const successors = replaced ? [new MemberProcess(env)] : []
  const asleep = sleep(ms)
  for (const successor of successors) {
    // Once their sessions have ended all partitions are the successor's, which answers what they were about to.
    for (let chunks = 0; chunks < 40; chunks++) await successor.step('written')
  }
  await asleep
  await Promise.all(
    sleepers.map((sleeper) => {
      sleeper.signal('SIGCONT')
      return sleeper.step('written')
    }),
  )
  await Promise.all([...sleepers, ...successors].map((member) => member.stop()))
  return sleepers.filter(({ log }) => log.includes('WEIR_LOG_FENCED')).length
}

/** Numbers `times` in parts of `most`, as even as they come: 12 by 5 are 4, 4 and 4. */
function parts(times: number, most: number): number[] {
  const count = Math.ceil(times / most)
  return Array.from({ length: count }, (_, i) => Math.floor((times + i) / count))
}
