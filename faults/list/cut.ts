import { setTimeout as sleep } from 'node:timers/promises'
import { Random } from '../../src/core/random.ts'
import { freePort } from '../../test/helpers/services-ready.ts'
import { startBehindProxy } from '../behind-proxy.ts'
import { Breaches, breachesOf, type Fault, type Order, type Outcome } from '../fault.ts'
import { boundIdle, longestIdle, rounded } from '../idle.ts'
import { MemberProcess } from '../member-process.ts'
import { type Cut, KafkaProxy, moments, type RequestKind, requestKinds } from '../proxy.ts'
import { judge, openScene, type Scene, say, settle, startFeed } from '../scene.ts'
import { type Evidence, gather } from '../verifier/evidence.ts'

/** Between cuts members must do without help. */
const betweenMs = 2_000
/** After this long without a request of the kind the group is stirred up: joining and taking over bring them all. */
const patienceMs = 6_000

/** Each kind at each moment in turn, in random order, commits first: of a lost commit the outcome is unknown. */
function planCuts(times: number, random: Random): Cut[] {
  const commits = moments.map((moment) => ({ kind: 'EndTxn', moment }) as const)
  const others = (Object.keys(requestKinds) as RequestKind[])
    .filter((kind) => kind !== 'EndTxn')
    .flatMap((kind) => moments.map((moment) => ({ kind, moment })))
    .map((cut) => ({ cut, place: random.unit() }))
    .sort((a, b) => a.place - b.place)
    .map(({ cut }) => cut)
  const all = [...commits, ...others]
  return Array.from({ length: times }, (_, i) => all[i % all.length] as Cut)
}

/** A third member that comes and goes, for the requests that a settled group does not send. */
class Visitor {
  readonly #env: Scene['env']
  #member: MemberProcess | null = null

  constructor(env: Scene['env']) {
    this.#env = env
  }

  async stir(): Promise<void> {
    if (this.#member !== null) return this.leave()
    this.#member = new MemberProcess(this.#env)
    await this.#member.step('written')
  }

  async leave(): Promise<void> {
    await this.#member?.stop()
    this.#member = null
  }
}

/** A cut that was made, and when, epoch milliseconds. */
interface Made extends Cut {
  readonly at: number
}

/** Cuts one after the other. */
async function makeCuts(proxy: KafkaProxy, visitor: Visitor, cuts: readonly Cut[]): Promise<Made[]> {
  const made: Made[] = []
  for (const cut of cuts) {
    let at: number | undefined
    const done = proxy.cut(cut).then(() => {
      at = Date.now()
    })
    for (let stirs = 0; at === undefined; stirs++) {
      if (stirs > 10) throw new Error(`no request of kind ${cut.kind} came`)
      await Promise.race([done, sleep(patienceMs)])
      if (at === undefined) await visitor.stir()
    }
    made.push({ ...cut, at })
    say(`cut ${cut.moment} ${cut.kind}`)
    await sleep(betweenMs)
  }
  return made
}

/** Says after which cuts it took longest until every partition was worked on again. */
function sayIdle(made: readonly Made[], evidence: Evidence): void {
  const idle = made.map(({ kind, moment, at }, i) => {
    const to = made[i + 1]?.at ?? Number.POSITIVE_INFINITY
    return { name: `${moment} ${kind}`, seconds: longestIdle(evidence, { from: at, to }).seconds }
  })
  for (const { name, seconds } of idle.sort((a, b) => b.seconds - a.seconds).slice(0, 10)) {
    say(`  idle for ${seconds.toFixed(1)} s after it was cut ${name}`)
  }
}

async function cutUnderLoad(
  { config, env: direct }: Scene,
  proxy: KafkaProxy,
  { seed, times }: Order,
): Promise<Outcome> {
  const env = { ...direct, WEIR_KAFKA__BROKERS: `127.0.0.1:${proxy.port}` }
  const members = [new MemberProcess(env), new MemberProcess(env)]
  const visitor = new Visitor(direct)
  const feed = startFeed(config, seed, 200)
  await Promise.all(members.map((member) => member.step('written')))
  const made = await makeCuts(proxy, visitor, planCuts(times, new Random(seed, 1)))
  await visitor.leave()
  await Promise.all(members.map((member) => member.step('written')))
  await feed.stop()
  await settle(config, 60)
  const ended = members.filter((member) => member.ended).length
  await Promise.all(members.map((member) => member.stop()))

  const evidence = await gather(config)
  const verdict = await judge(config, evidence)
  sayIdle(made, evidence)
  const commits = made.filter(({ kind }) => kind === 'EndTxn').length
  const breaches = new Breaches()
  const idle = boundIdle(breaches, evidence, config)
  breaches.must(ended === 0, `${ended} members did not go on by themselves`)
  breaches.must(commits > 0 || times === 0, 'no commit was cut: it proved little')
  return {
    injected: made.length,
    verdict,
    figures: {
      kinds: new Set(made.map(({ kind }) => kind)).size,
      commits_unknown: commits,
      idle_s_max: rounded(idle),
    },
    breaches: [...breachesOf(verdict), ...breaches.all],
  }
}

export const cut: Fault = {
  name: 'cut',
  promise:
    'a connection to Kafka that is cut at any request, before or after the broker has it, is settled by fencing: nothing is lost, doubled or changed, members go on by themselves, and no partition is idle longer than session timeout + 2 s',
  times: { whole: 50, short: 6 },
  async run(order) {
    const brokerPort = await freePort()
    const proxy = await KafkaProxy.open(brokerPort)
    try {
      const scene = await openScene({
        startBroker: (settings) => startBehindProxy(proxy, brokerPort, settings),
      })
      try {
        return await cutUnderLoad(scene, proxy, order)
      } finally {
        await scene.stop()
      }
    } finally {
      proxy.close()
    }
  },
}
