import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { Kafka, logLevel } from 'kafkajs'
import { openKafka, withConnection } from '../../src/apps/connect.ts'
import type { Log } from '../../src/core/ports.ts'
import type { Audit } from '../../src/ledger/audit.ts'
import { weir } from '../../test/helpers/weir.ts'
import { Breaches, breachesOf, type Fault } from '../fault.ts'
import { MemberProcess } from '../member-process.ts'
import { judge, openScene, type Scene, say, settle, startFeed } from '../scene.ts'

/** Records a second. Members are stopped most of the time, and what they find waiting is worked off in small chunks. */
const feedRate = 60

type Admin = ReturnType<Kafka['admin']>

/** What an operator may do to the group, and to Redis, while the members are stopped; Kafka refuses it before. */
interface Damage {
  readonly what: string
  readonly damage: (admin: Admin, config: Scene['config']) => Promise<unknown>
  readonly flushes?: true
}

const setTo = (earliest: boolean) => (admin: Admin, config: Scene['config']) =>
  resetOffsets(admin, config, earliest)
const remove: Damage['damage'] = (admin, { group }) => admin.deleteGroups([group])

const damages: readonly Damage[] = [
  { what: 'set to the beginning', damage: setTo(true) },
  { what: 'set to the end', damage: setTo(false) },
  { what: 'deleted', damage: remove },
  { what: 'deleted, Redis flushed', damage: remove, flushes: true },
  { what: 'set to the beginning, Redis flushed', damage: setTo(true), flushes: true },
]

async function resetOffsets(
  admin: Admin,
  { group, topics }: Scene['config'],
  earliest: boolean,
): Promise<void> {
  for (const topic of [topics.transactions, topics.labels]) {
    await admin.resetOffsets({ groupId: group, topic, earliest })
  }
}

async function flush({ redis: { url } }: Scene['config']): Promise<void> {
  const redis = new Redis(url)
  await redis.flushall()
  redis.disconnect()
}

const partitionsOf = ({ topics }: Scene['config']) => Array.from({ length: topics.partitions }, (_, i) => i)

/** Where the group stands on payments and labels. */
const positionsOf = (log: Log, config: Scene['config']) =>
  Promise.all(
    [config.topics.transactions, config.topics.labels].flatMap((topic) =>
      partitionsOf(config).map((partition) => log.committed(config.group, { topic, partition })),
    ),
  )

/** Where each partition of a topic ends. */
const endsOf = (log: Log, config: Scene['config'], topic: string): Promise<number[]> =>
  Promise.all(partitionsOf(config).map(async (partition) => (await log.bounds({ topic, partition })).end))

/** Where decisions and dead letters end. */
const writtenBy = async (log: Log, config: Scene['config']): Promise<number[]> => [
  ...(await endsOf(log, config, config.topics.decisions)),
  ...(await endsOf(log, config, config.topics.dead_letters)),
]

/** Waits until every lane of transactions has been refused. @returns seconds. */
async function refused(members: readonly MemberProcess[], config: Scene['config']): Promise<number> {
  const begun = performance.now()
  const isRefused = (partition: number) =>
    members.some(({ log }) =>
      new RegExp(`"lane":"t${partition}".*WEIR_LOG_OFFSETS_RESET.*weir reset`).test(log),
    )
  while (!partitionsOf(config).every(isRefused)) {
    if (performance.now() - begun > 90_000) {
      throw new Error(`not refused within 90 s:\n${members.map(({ log }) => log.slice(-2_000)).join('\n')}`)
    }
    await sleep(100)
  }
  return (performance.now() - begun) / 1000
}

/** From where to where in the topic of decisions, by partition. */
type Range = readonly [from: readonly number[], to: readonly number[]]

async function degradedIn(config: Scene['config'], ranges: readonly Range[]): Promise<number> {
  let degraded = 0
  await withConnection(config, async ({ log, contracts }) => {
    for (const [from, to] of ranges) {
      for (const [partition, first] of from.entries()) {
        const at = { topic: config.topics.decisions, partition }
        for await (const records of log.read(at, first, to[partition] as number)) {
          const decisions = await contracts.decisions.decode(records)
          degraded += decisions.filter((one) => one.ok && one.value.status === 'degraded').length
        }
      }
    }
  })
  return degraded
}

const twoMembers = ({ env }: Scene) => [new MemberProcess(env), new MemberProcess(env)]
const stopAll = (members: readonly MemberProcess[]) => Promise.all(members.map((member) => member.stop()))

/** Injects one, sees it refused, and mends it. */
async function inject(
  scene: Scene,
  log: Log,
  { what, damage, flushes }: Damage,
  breaches: Breaches,
): Promise<number> {
  const { config, env } = scene
  const right = await positionsOf(log, config)
  const written = await writtenBy(log, config)
  const admin = new Kafka({ brokers: [...config.kafka.brokers], logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  await damage(admin, config)
  if (flushes) await flush(config)
  await admin.disconnect()
  const members = twoMembers(scene)
  const seconds = await refused(members, config).finally(async () => {
    await sleep(2_000)
    await stopAll(members)
  })
  const decided = (await writtenBy(log, config)).some((end, i) => end !== written[i])
  breaches.must(!decided, `${what}: something was written before the reset`)
  const reset = await weir(['reset', '--yes', '--json'], { env })
  breaches.must(reset.code === 0, `${what}: weir reset ended with ${reset.code}: ${reset.stderr}`)
  const now = await positionsOf(log, config)
  // Where nothing had been taken yet, as of labels, there was nothing to refuse: it may have begun meanwhile.
  breaches.must(
    right.every((position, i) => position === null || position === now[i]),
    `${what}: the group was put to ${now.join(', ')}, not back to ${right.join(', ')}`,
  )
  say(`  ${what}: refused in every partition after ${seconds.toFixed(1)} s`)
  return seconds
}

export const offsets: Fault = {
  name: 'offsets',
  promise:
    'offsets that were reset or deleted, with the states or without, are refused with the way out: nothing is decided twice or left out, and weir reset mends it',
  times: { whole: 20, short: 5 },
  async run({ seed, times }) {
    const scene = await openScene()
    const log = openKafka(scene.config)
    let running: readonly MemberProcess[] = []
    try {
      const breaches = new Breaches()
      const feed = startFeed(scene.config, seed, feedRate)
      let slowest = 0
      // Where decisions were made with the states at hand.
      const whole: Range[] = []
      for (let i = 0; i < times; i++) {
        const from = await endsOf(log, scene.config, scene.config.topics.decisions)
        running = twoMembers(scene)
        await Promise.all(running.map((member) => member.step('written')))
        await sleep(3_000)
        await stopAll(running)
        if (!damages[(i - 1) % damages.length]?.flushes)
          whole.push([from, await endsOf(log, scene.config, scene.config.topics.decisions)])
        const damage = damages[i % damages.length] as Damage
        slowest = Math.max(slowest, await inject(scene, log, damage, breaches))
      }
      running = twoMembers(scene)
      await Promise.all(running.map((member) => member.step('written')))
      await feed.stop()
      // What came while members were stopped waits for them, too.
      await settle(scene.config, 120)
      await stopAll(running)
      const verdict = await judge(scene.config)
      const ledger = await weir(['audit', '--json'], { env: scene.env })
      breaches.must(ledger.code === 0, `weir audit ended with ${ledger.code}: ${ledger.stderr}`)
      const { total } = JSON.parse(ledger.stdout) as Audit
      breaches.must(
        total.records === verdict.events,
        `the ledger has ${total.records} of ${verdict.events} records`,
      )
      // After a flush, payments do not wait until a longer history is folded again.
      const degraded = await degradedIn(scene.config, whole)
      breaches.must(degraded === 0, `${degraded} were decided without states that were there`)
      const figures = { refused_within_s: Number(slowest.toFixed(1)), ledger_records: total.records }
      return { injected: times, verdict, figures, breaches: [...breachesOf(verdict, true), ...breaches.all] }
    } finally {
      for (const member of running) if (!member.ended) member.signal('SIGKILL')
      await log.close()
      await scene.stop()
    }
  },
}
