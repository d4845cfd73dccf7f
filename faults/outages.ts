import { setTimeout as sleep } from 'node:timers/promises'
import { degradedOutcomes } from './degraded-rows.ts'
import { Breaches, breachesOf, type Outcome } from './fault.ts'
import type { MemberProcess } from './member-process.ts'
import { caughtUp, judge, type Scene, say, sayFigures, underLoad } from './scene.ts'
import { gather } from './verifier/evidence.ts'
import { loadInstallation } from './verifier/installation.ts'
import { figuresOf, type Outage, waitsOf } from './waits.ts'

/** Something that is taken away from weir for a while, and given back. */
export interface Loss {
  readonly name: string
  /** Seconds between the two. */
  readonly seconds: number
  take(members: readonly MemberProcess[]): Promise<void>
  giveBack(members: readonly MemberProcess[]): Promise<void>
  /** The least number of decisions without states, or it proved little. Default 1. */
  readonly leastDegraded?: number
  /** What a payment may wait, milliseconds, beyond twice what one waits anyway. Default 2,000. */
  readonly longestWaitMs?: number
}

/**
 * By default, what a payment may wait beyond twice what one waits anyway: one deadline of Redis (500 ms), and what the chunk in hand,
 * a fetch and a commit may take on a busy machine.
 */
const usualWaitMs = 2_000

/** Payments a second. */
export const rate = 100

/** How long the members are watched before the first loss, and after each. */
const watchedMs = 3_000

/**
 * Takes one thing after the other away from two members under load, each when they are in order, and judges all of it:
 * every payment is decided in time, what is scored is scored on exact states, and all are exact again at the end.
 *
 * @param scene with `arrivalTimes`.
 * @param history so many records that lie on the log before.
 */
export async function runLosses(
  scene: Scene,
  seed: number,
  losses: readonly Loss[],
  history = 0,
): Promise<Outcome> {
  const outages: Outage[] = []
  const watch = async (name: string, from: number, back: number) => {
    await sleep(watchedMs)
    await caughtUp(scene.config, rate / 2)
    outages.push({ name, from, back, until: Date.now() })
  }
  const damage = async (members: readonly MemberProcess[]) => {
    await caughtUp(scene.config, rate / 2)
    await watch('undisturbed', Date.now(), Date.now())
    for (const { name, seconds, take, giveBack } of losses) {
      const from = Date.now()
      await take(members)
      say(`${name} for ${seconds} s`)
      await sleep(seconds * 1_000)
      await giveBack(members)
      await watch(name, from, Date.now())
    }
  }
  await underLoad(scene, seed, damage, { rate, history })
  const evidence = await gather(scene.config)
  const verdict = await judge(scene.config, evidence)
  const waits = waitsOf(evidence)
  const { counts, wrong } = degradedOutcomes(evidence, await loadInstallation(scene.config))
  const figures: Record<string, number> = Object.assign({}, ...outages.map((one) => figuresOf(one, waits)))
  const usual = figures['undisturbed_max_ms'] as number
  sayFigures({ ...figures, ...counts })
  const breaches = new Breaches()
  breaches.must(wrong.length === 0, `${wrong.length} not as the policy's rows say: ${wrong[0]}`)
  for (const { name, leastDegraded = 1, longestWaitMs = usualWaitMs } of losses) {
    const degraded = figures[`${name}_degraded`] as number
    const longest = figures[`${name}_max_ms`] as number
    breaches.must(
      degraded >= leastDegraded,
      `${name}: ${degraded} decisions without states, ${leastDegraded} were due`,
    )
    breaches.must(longest <= longestWaitMs + 2 * usual, `${name}: a payment waited ${longest} ms`)
  }
  return {
    injected: losses.length,
    verdict,
    figures: { ...figures, ...counts },
    breaches: [...breachesOf(verdict, true), ...breaches.all],
  }
}
