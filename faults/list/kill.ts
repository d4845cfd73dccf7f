import { setTimeout as sleep } from 'node:timers/promises'
import { Random } from '../../src/core/random.ts'
import { failpoints } from '../../src/stream/lane.ts'
import { Breaches, breachesOf, type Fault, type Order, type Outcome } from '../fault.ts'
import { MemberProcess, type Place } from '../member-process.ts'
import { judge, openScene, type Scene, say, settle, startFeed } from '../scene.ts'

/** One death by SIGKILL. */
type Death =
  /** The member kills itself where it has come to a step of the protocol. */
  | { readonly where: 'failpoint'; readonly at: Place }
  /** From outside, so long after a chunk was worked out: while it is being committed, or just after. */
  | { readonly where: 'commit'; readonly afterMs: number }
  /** From outside at any moment: starting, joining, taking over, at work. */
  | { readonly where: 'anywhere'; readonly afterMs: number }

/** Of chunks or take-overs, which one a member may live to see. */
const counts = { fenced: 2, acquired: 2, read: 20, worked: 20, committed: 20, written: 20 }

/** Two of four at failpoints, each in turn, one around a commit, one anywhere; in random order. */
function planDeaths(times: number, random: Random): Death[] {
  const places: (() => Place)[] = [
    ...failpoints.map(
      (step) => () => ({ name: `t.${step}`, count: random.between(1, counts[step]) }) as const,
    ),
    () => ({ name: 'ending', count: random.between(5, 20) }),
    () => ({ name: 'l.worked', count: random.between(1, 3) }),
    () => ({ name: 'l.committed', count: random.between(1, 3) }),
  ]
  const deaths = Array.from({ length: times }, (_, i): Death => {
    if (i % 4 === 0) return { where: 'commit', afterMs: random.unit() * 15 }
    if (i % 4 === 1) return { where: 'anywhere', afterMs: random.unit() * 6_000 }
    const turn = Math.floor(i / 4) * 2 + (i % 4) - 2
    return { where: 'failpoint', at: (places[turn % places.length] as () => Place)() }
  })
  return deaths
    .map((death) => ({ death, place: random.unit() }))
    .sort((a, b) => a.place - b.place)
    .map(({ death }) => death)
}

/** Starts a member and sees it die as planned. */
async function live({ env }: Scene, death: Death): Promise<string> {
  if (death.where === 'failpoint') {
    const { name, count } = death.at
    const member = new MemberProcess(env, { at: death.at, signal: 'SIGKILL' })
    const late = sleep(90_000, 'late', { ref: false })
    if ((await Promise.race([member.exit(), late])) !== 'SIGKILL') {
      member.signal('SIGKILL')
      throw new Error(`a member did not die at ${name}:${count}, but:\n${member.log.slice(-3_000)}`)
    }
    return name
  }
  const member = new MemberProcess(env)
  if (death.where === 'commit') {
    // Not the first chunk: a member that has come so far also has lanes at other steps.
    for (let chunks = 0; chunks < 5; chunks++) await member.step('worked')
  }
  await sleep(death.afterMs)
  member.signal('SIGKILL')
  const signal = await member.exit()
  if (signal !== 'SIGKILL') throw new Error(`a member ended by itself:\n${member.log.slice(-3_000)}`)
  return `from outside, after ${member.lastStep ?? 'nothing'}`
}

const promise =
  'members that die by kill -9, at random and at every step of the protocol, lose, double and change nothing'

export const kill: Fault = {
  name: 'kill',
  promise,
  times: { whole: 200, short: 24 },
  run: (order) => killed(order),
}

export const killChangelog: Fault = {
  name: 'kill-changelog',
  promise: `${promise}, where a changelog of the states is kept as well`,
  times: { whole: 50, short: 24 },
  run: (order) => killed(order, { WEIR_TOPICS__FEATURES: 'weir.features.v1' }),
}

/** Kills so many members under load, one after the other at two places of the group, and judges what they leave behind. */
async function killed({ seed, times }: Order, env: Readonly<Record<string, string>> = {}): Promise<Outcome> {
  const scene = await openScene({ env })
  try {
    const deaths = planDeaths(times, new Random(seed, 1))
    const died = new Map<string, number>()
    const feed = startFeed(scene.config, seed, 300)
    // Two places in the group; whoever dies is replaced at once, until all deaths are died.
    const place = async (): Promise<MemberProcess> => {
      for (let death = deaths.pop(); death !== undefined; death = deaths.pop()) {
        const how = await live(scene, death)
        died.set(how, (died.get(how) ?? 0) + 1)
      }
      return new MemberProcess(scene.env)
    }
    const survivors = await Promise.all([place(), place()])
    await Promise.all(survivors.map((member) => member.step('written')))
    await feed.stop()
    await settle(scene.config)
    await Promise.all(survivors.map((member) => member.stop()))
    for (const [how, count] of [...died].sort()) say(`  ${count} x ${how}`)

    const verdict = await judge(scene.config)
    const injected = [...died.values()].reduce((sum, count) => sum + count, 0)
    const breaches = new Breaches()
    breaches.must(injected === times, `${injected} kills where ${times} were asked for`)
    // The kills met open transactions, or they proved little.
    breaches.must(
      verdict.aborted_records > 0 || times < 10,
      'no kill met an open transaction: it proved little',
    )
    return { injected, verdict, figures: {}, breaches: [...breachesOf(verdict), ...breaches.all] }
  } finally {
    await scene.stop()
  }
}
