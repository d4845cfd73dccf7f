import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { Kafka, logLevel } from 'kafkajs'
import { openKafka } from '../../src/apps/connect.ts'
import type { Log } from '../../src/core/ports.ts'
import type { Audit } from '../../src/ledger/audit.ts'
import { weir } from '../../test/helpers/weir.ts'
import { Breaches, breachesOf, type Fault } from '../fault.ts'
import { MemberProcess } from '../member-process.ts'
import { judge, openScene, type Scene, say, settle, startFeed } from '../scene.ts'

type Admin = ReturnType<Kafka['admin']>

/** What an operator may do to the group while its members are stopped; Kafka refuses it before. */
const damages: readonly (readonly [
  what: string,
  damage: (admin: Admin, scene: Scene) => Promise<unknown>,
])[] = [
  ['set to the beginning', (admin, { config }) => resetOffsets(admin, config, true)],
  ['set to the end', (admin, { config }) => resetOffsets(admin, config, false)],
  ['deleted', (admin, { config }) => admin.deleteGroups([config.group])],
  [
    'deleted, Redis flushed',
    async (admin, { config }) => {
      await admin.deleteGroups([config.group])
      await flush(config)
    },
  ],
  [
    'set to the beginning, Redis flushed',
    async (admin, { config }) => {
      await resetOffsets(admin, config, true)
      await flush(config)
    },
  ],
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

/** Where decisions and dead letters end. */
const writtenBy = (log: Log, config: Scene['config']) =>
  Promise.all(
    [config.topics.decisions, config.topics.dead_letters].flatMap((topic) =>
      partitionsOf(config).map(async (partition) => (await log.bounds({ topic, partition })).end),
    ),
  )

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

const twoMembers = ({ env }: Scene) => [new MemberProcess(env), new MemberProcess(env)]
const stopAll = (members: readonly MemberProcess[]) => Promise.all(members.map((member) => member.stop()))

/** Injects one, sees it refused, and mends it. */
async function inject(scene: Scene, log: Log, [what, damage]: (typeof damages)[number], breaches: Breaches) {
  const { config, env } = scene
  const right = await positionsOf(log, config)
  const written = await writtenBy(log, config)
  const admin = new Kafka({ brokers: [...config.kafka.brokers], logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  await damage(admin, scene)
  await admin.disconnect()
  const members = twoMembers(scene)
  const seconds = await refused(members, config)
  await sleep(2_000)
  await stopAll(members)
  const decided = (await writtenBy(log, config)).some((end, i) => end !== written[i])
  breaches.must(!decided, `${what}: something was written before the reset`)
  const reset = await weir(['reset', '--yes', '--json'], { env })
  breaches.must(reset.code === 0, `${what}: weir reset ended with ${reset.code}: ${reset.stderr}`)
  const now = await positionsOf(log, config)
  breaches.must(
    JSON.stringify(now) === JSON.stringify(right),
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
    try {
      const breaches = new Breaches()
      const feed = startFeed(scene.config, seed, 300)
      let slowest = 0
      for (let i = 0; i < times; i++) {
        const members = twoMembers(scene)
        await Promise.all(members.map((member) => member.step('written')))
        await sleep(3_000)
        await stopAll(members)
        const damage = damages[i % damages.length] as (typeof damages)[number]
        slowest = Math.max(slowest, await inject(scene, log, damage, breaches))
      }
      const members = twoMembers(scene)
      await Promise.all(members.map((member) => member.step('written')))
      await feed.stop()
      await settle(scene.config)
      await stopAll(members)
      const verdict = await judge(scene.config)
      const ledger = await weir(['audit', '--json'], { env: scene.env })
      breaches.must(ledger.code === 0, `weir audit ended with ${ledger.code}: ${ledger.stderr}`)
      const { total } = JSON.parse(ledger.stdout) as Audit
      breaches.must(
        total.records === verdict.events,
        `the ledger has ${total.records} of ${verdict.events} records`,
      )
      const figures = { refused_within_s: Number(slowest.toFixed(1)), ledger_records: total.records }
      return { injected: times, verdict, figures, breaches: [...breachesOf(verdict), ...breaches.all] }
    } finally {
      await log.close()
      await scene.stop()
    }
  },
}
