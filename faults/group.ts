import { Breaches, breachesOf, type Order, type Outcome } from './fault.ts'
import { boundIdle, rounded } from './idle.ts'
import { MemberProcess } from './member-process.ts'
import { judge, openScene, type Scene, settle, startFeed } from './scene.ts'
import { gather } from './verifier/evidence.ts'

/** What an orderly end may take: docs/operations.md. */
const stopSeconds = 5

/** Members that come and go. */
export class Group {
  readonly breaches = new Breaches()
  longestStop = 0
  readonly #env: Scene['env']
  readonly #members: MemberProcess[] = []

  constructor(env: Scene['env']) {
    this.#env = env
  }

  get size(): number {
    return this.#members.length
  }

  /** Resolves when the new member is at work. */
  async join(): Promise<void> {
    const member = new MemberProcess(this.#env)
    this.#members.push(member)
    await member.step('written')
  }

  /** Stops a member in an orderly way; the first is the oldest. */
  async leave(i: number): Promise<void> {
    const [member] = this.#members.splice(i, 1) as [MemberProcess]
    const { code, seconds } = await member.stop()
    this.longestStop = Math.max(this.longestStop, seconds)
    this.breaches.must(
      code === 0 && seconds <= stopSeconds,
      `a member that was told to stop ended with ${code} after ${seconds.toFixed(1)} s:\n${member.log.slice(-1_000)}`,
    )
  }

  /** Kills a member; the first is the oldest. */
  async kill(i: number): Promise<void> {
    const [member] = this.#members.splice(i, 1) as [MemberProcess]
    member.signal('SIGKILL')
    await member.exit()
  }
}

/** Feeds a group while it changes, and judges what it did and how long partitions and stops took. */
export async function changeUnderLoad(
  { seed, times }: Order,
  change: (group: Group) => Promise<void>,
): Promise<Outcome> {
  const scene = await openScene()
  try {
    const group = new Group(scene.env)
    const feed = startFeed(scene.config, seed, 200)
    const begun = performance.now()
    await change(group)
    const seconds = (performance.now() - begun) / 1000
    await feed.stop()
    await settle(scene.config, 60)
    while (group.size > 0) await group.leave(0)
    const evidence = await gather(scene.config)
    const verdict = await judge(scene.config, evidence)
    const { breaches, longestStop } = group
    const idle = boundIdle(breaches, evidence, scene.config)
    return {
      injected: times,
      verdict,
      figures: {
        changing_s: Math.round(seconds),
        idle_s_max: rounded(idle),
        stop_s_max: rounded(longestStop),
      },
      breaches: [...breachesOf(verdict), ...breaches.all],
    }
  } finally {
    await scene.stop()
  }
}
