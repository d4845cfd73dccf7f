import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Random } from '../../src/core/random.ts'
import { failpoints } from '../../src/stream/lane.ts'
import { MemberProcess, type Place } from './member-process.ts'
import { chooseSeed, flawless, judge, openScene, type Scene, say, settle, startFeed } from './scene.ts'

let scene: Scene
beforeAll(async () => {
  scene = await openScene()
})
afterAll(() => scene.stop())

/** One death by SIGKILL. */
type Death =
  /** The member kills itself where it has come to a step of the protocol. */
  | { readonly where: 'failpoint'; readonly at: Place }
  /** From outside, so long after a chunk was worked out: while it is being committed, or just after. */
  | { readonly where: 'commit'; readonly afterMs: number }
  /** From outside at any moment: starting, joining, taking over, at work. */
  | { readonly where: 'anywhere'; readonly afterMs: number }

/** Each failpoint twice, inside a commit twice, labels around their commit, the rest from outside; in random order. */
function planDeaths(random: Random): Death[] {
  const counts = { fenced: 2, acquired: 2, read: 20, worked: 20, committed: 20, written: 20 }
  const twice = failpoints.flatMap((step) => [step, step])
  const deaths: Death[] = [
    ...twice.map((step) => failpoint(`t.${step}`, random.between(1, counts[step]))),
    failpoint('ending', random.between(5, 20)),
    failpoint('ending', random.between(5, 20)),
    failpoint('l.worked', random.between(1, 3)),
    failpoint('l.committed', random.between(1, 3)),
    ...Array.from({ length: 6 }, () => ({ where: 'commit', afterMs: random.unit() * 15 }) as const),
    ...Array.from({ length: 6 }, () => ({ where: 'anywhere', afterMs: random.unit() * 6_000 }) as const),
  ]
  return deaths
    .map((death) => ({ death, place: random.unit() }))
    .sort((a, b) => a.place - b.place)
    .map(({ death }) => death)
}

const failpoint = (name: Place['name'], count: number): Death => ({ where: 'failpoint', at: { name, count } })

/** Starts a member and sees it die as planned. */
async function live(death: Death): Promise<string> {
  if (death.where === 'failpoint') {
    const { name, count } = death.at
    const member = new MemberProcess(scene.env, { at: death.at, signal: 'SIGKILL' })
    const late = sleep(60_000, 'late', { ref: false })
    if ((await Promise.race([member.exit(), late])) !== 'SIGKILL') {
      member.signal('SIGKILL')
      throw new Error(`a member did not die at ${name}:${count}, but:\n${member.log.slice(-3_000)}`)
    }
    return name
  }
  const member = new MemberProcess(scene.env)
  if (death.where === 'commit') {
    // Not the first chunk: a member that has come so far also has lanes at other steps.
    for (let chunks = 0; chunks < 5; chunks++) await member.step('worked')
  }
  await sleep(death.afterMs)
  member.signal('SIGKILL')
  expect(await member.exit(), member.log).toBe('SIGKILL')
  return `from outside, after ${member.lastStep ?? 'nothing'}`
}

test('members that are killed at any step lose, double and change nothing', async () => {
  const seed = chooseSeed()
  const deaths = planDeaths(new Random(seed, 1))
  const died = new Map<string, number>()
  const begun = performance.now()
  const feed = startFeed(scene.config, seed, 300)

  // Two places in the group; whoever dies is replaced at once, until all deaths are died.
  const place = async (): Promise<MemberProcess> => {
    for (let death = deaths.pop(); death !== undefined; death = deaths.pop()) {
      const how = await live(death)
      died.set(how, (died.get(how) ?? 0) + 1)
    }
    return new MemberProcess(scene.env)
  }
  const survivors = await Promise.all([place(), place()])
  await Promise.all(survivors.map((member) => member.step('written')))
  const sent = await feed.stop()
  await settle(scene.config)
  await Promise.all(survivors.map((member) => member.stop()))

  const kills = [...died.values()].reduce((sum, count) => sum + count, 0)
  say(`${kills} kills, ${sent} records in ${Math.round((performance.now() - begun) / 1000)} s`)
  for (const [how, count] of [...died].sort()) say(`  ${count} x ${how}`)
  expect(kills).toBeGreaterThanOrEqual(20)
  for (const step of failpoints) expect(died.get(`t.${step}`), step).toBe(2)

  const verdict = await judge(scene.config)
  expect(verdict).toMatchObject({ ...flawless, degraded: 0 })
  expect(verdict.decisions + verdict.dead_letters).toBe(verdict.events)
  // The kills met open transactions, or they proved little.
  expect(verdict.aborted_records).toBeGreaterThan(0)
})
