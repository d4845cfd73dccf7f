import { setTimeout as sleep } from 'node:timers/promises'
import { loadConfig } from '../../src/config/load.ts'
import type { Config } from '../../src/config/schema.ts'
import { Random } from '../../src/core/random.ts'
import { Breaches, breachesOf, type Fault } from '../fault.ts'
import { MemberProcess } from '../member-process.ts'
import { addPartitions } from '../partitions-added.ts'
import { type RekeyDeath, runRekey } from '../rekey-process.ts'
import { openScene, type Scene, say, settle, startFeed } from '../scene.ts'
import { Before } from '../verifier/before.ts'
import { type Evidence, gather, unsettled } from '../verifier/evidence.ts'
import { loadInstallation } from '../verifier/installation.ts'
import { checkMoved } from '../verifier/moved.ts'
import { tableOf, type Verdict, verify } from '../verifier/verify.ts'

/** Partitions that are added, and those of the new installation. */
const [added, wanted] = [6, 8]

/** What `weir rekey` says when a step begins. */
const steps = [
  'fencing the old group',
  'copying what was decided',
  'copying entity updates',
  'reading the states',
  'loading the states',
  'moving what was not decided',
] as const

/** In the order of the steps: a death in a later one leaves nothing of the earlier ones to die in. */
function planDeaths(times: number, random: Random): RekeyDeath[] {
  return Array.from({ length: times }, (_, i) => ({
    step: steps[Math.floor((i * steps.length) / times)] as string,
    afterMs: random.unit() * 250,
  }))
}

const withPartitions = (config: Config, partitions: number): Config => ({
  ...config,
  topics: { ...config.topics, partitions },
})

/** Feeds two members, adds partitions to both inputs and goes on as producers do that know of them. */
async function addUnderLoad({ config, env }: Scene, seed: number, breaches: Breaches) {
  const members = [new MemberProcess(env), new MemberProcess(env)]
  const feed = startFeed(config, seed, 300)
  await Promise.all(members.map((member) => member.step('written')))
  await sleep(4_000)
  const { transactions, labels } = config.topics
  await addPartitions(config.kafka.brokers, [transactions, labels], added)
  const begun = performance.now()
  // Slowly, since it goes on for as long as rekey dies.
  const knowing = startFeed(withPartitions(config, added), seed + 1, 60)
  // Producers do not learn of it all at once.
  await sleep(1_000)
  await feed.stop()
  const hasRefused = () => members.every(({ log }) => log.includes('WEIR_LOG_PARTITIONS'))
  while (!hasRefused() && performance.now() - begun < 30_000) await sleep(50)
  breaches.must(hasRefused(), 'a member did not refuse within 30 s')
  breaches.must(
    members.every(({ log }) => log.includes('`weir rekey`')),
    'a member did not say the way out',
  )
  const refused_ms = Math.round(performance.now() - begun)
  // Entity updates of what was decided are folded to their end.
  for (let left = 120; left > 0 && (await unsettled(config, ['e'])) !== null; left--) await sleep(500)
  await Promise.all(members.map((member) => member.stop()))
  return { knowing, refused_ms }
}

/** What was decided, without what waits: it must be right whatever was added. */
function decidedOnly(evidence: Evidence): Evidence {
  const before = (kind: 't' | 'l', name: 'transactions' | 'labels') =>
    evidence.records[name].map((records, partition) =>
      records.filter(({ offset }) => offset < (evidence.positions[kind][partition] ?? 0)),
    )
  const records = {
    ...evidence.records,
    transactions: before('t', 'transactions'),
    labels: before('l', 'labels'),
  }
  return { ...evidence, records }
}

/** Kills rekey as planned, then lets it end. Returns the kills that met it alive, and the settings that it gives. */
async function rekeyThroughDeaths({ env }: Scene, deaths: readonly RekeyDeath[], breaches: Breaches) {
  let kills = 0
  for (const death of deaths) {
    const { signal, code, stderr } = await runRekey(env, wanted, death)
    if (signal === 'SIGKILL') kills++
    else breaches.must(code === 0, `rekey ended with ${code}: ${stderr.slice(-500)}`)
  }
  const { code, stdout, stderr } = await runRekey(env, wanted)
  if (code !== 0) throw new Error(`rekey ended with ${code}: ${stderr.slice(-2_000)}`)
  const { app, group, topics } = JSON.parse(stdout).settings as {
    app: string
    group: string
    topics: Record<string, string | number>
  }
  const names = Object.entries(topics).map(([name, value]) => [
    `WEIR_TOPICS__${name.toUpperCase()}`,
    `${value}`,
  ])
  return { kills, env: { ...env, WEIR_APP: app, WEIR_GROUP: group, ...Object.fromEntries(names) } }
}

export const partitions: Fault = {
  name: 'partitions',
  promise:
    'partitions added under load are refused with the way out and nothing is decided on wrong states; weir rekey, killed anywhere, moves every event once',
  times: { whole: 12, short: 3 },
  async run({ seed, times }) {
    // A machine that is busy with all of this is no fault of Redis.
    const scene = await openScene({ env: { WEIR_REDIS__DEADLINE_MS: '5000' } })
    try {
      const breaches = new Breaches()
      const { knowing, refused_ms } = await addUnderLoad(scene, seed, breaches)
      const old = await gather(scene.config)
      const first = await verify(decidedOnly(old), await loadInstallation(scene.config))
      tell('decided by the old installation', first)
      const deaths = planDeaths(times, new Random(seed, 2))
      const { kills, env } = await rekeyThroughDeaths(scene, deaths, breaches)
      const { config: next } = loadConfig({ env })
      const members = [new MemberProcess(env), new MemberProcess(env)]
      const feed = startFeed(next, seed + 2, 300)
      await Promise.all(members.map((member) => member.step('written')))
      // Producers of the old topics end last; the same command moves what they sent.
      await knowing.stop()
      const again = await runRekey(scene.env, wanted)
      breaches.must(again.code === 0, `rekey ended with ${again.code}: ${again.stderr.slice(-500)}`)
      await sleep(2_000)
      await feed.stop()
      await settle(next)
      await Promise.all(members.map((member) => member.stop()))

      const evidence = await gather(next)
      const verdict = await verify(evidence, await loadInstallation(next), new Before(old))
      tell('the new installation', verdict)
      const moved = checkMoved(await gather(scene.config), evidence, scene.config.topics)
      breaches.must(kills > 0, 'no kill met rekey alive')
      return {
        injected: kills,
        verdict,
        figures: { refused_ms, decided_before: first.decisions, answered_before: first.events },
        breaches: [...breachesOf(first), ...breachesOf(verdict), ...moved.slice(0, 10), ...breaches.all],
      }
    } finally {
      await scene.stop()
    }
  },
}

function tell(of: string, verdict: Verdict): void {
  say(`${of}\n${tableOf(verdict)}`)
}
