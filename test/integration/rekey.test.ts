import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, expect, inject, it } from 'vitest'
import { addPartitions } from '../../faults/partitions-added.ts'
import { Before } from '../../faults/verifier/before.ts'
import { gather, unsettled } from '../../faults/verifier/evidence.ts'
import { loadInstallation } from '../../faults/verifier/installation.ts'
import { verify } from '../../faults/verifier/verify.ts'
import { createKafkaAdmin } from '../../src/adapters/kafka-admin.ts'
import { checkStore, kafkaClient, openStore, withConnection } from '../../src/apps/connect.ts'
import { loadFeatures } from '../../src/config/definitions.ts'
import { partitionOf } from '../../src/core/partition.ts'
import type { Label, Transaction } from '../../src/core/types.ts'
import { generate } from '../../src/generator/generate.ts'
import { Installation, until } from '../helpers/installation.ts'
import { weir } from '../helpers/weir.ts'

const folder = mkdtempSync(join(tmpdir(), 'weir-rekey-test-'))
const payments: Transaction[] = []
const labels: Label[] = []
for (const item of generate({
  events: 1_200,
  seed: 5,
  customers: 90,
  duplicateRate: 0.03,
  lateRate: 0.02,
})) {
  if (item.kind === 'label') labels.push(item.label)
  if (item.kind === 'transaction') payments.push(item.transaction)
}
const before = { payments: 700, labels: Math.floor(labels.length / 2) }
const altered = 900
/** Seconds, on a machine that is busy with other tests. */
const longestWait = 60

let old: Installation
let next: Installation
let decided: Before
let cut: Installation
let cutNext: Installation

const services = () => [`kafka.brokers=${inject('kafkaBrokers')}`, `redis.url=${inject('redisUrl')}`]
const rekey = (...args: string[]) => weir([...old.flags(), 'rekey', ...args])

/** The installation that rekey made, by the settings that it printed. */
function follow({ topics, ...names }: { topics: object }): Promise<Installation> {
  const named = Object.entries(topics).map(([key, value]) => [`topics.${key}`, value] as const)
  const set = [...Object.entries(names), ...named].map(([key, value]) => `${key}=${value}`)
  return Installation.create([...services(), ...set])
}

/** Every customer with the length of the state, in which only offsets change by a move. */
async function customersOf({ config }: Installation): Promise<string[]> {
  const store = openStore(config, loadFeatures(config.features), () => {})
  await checkStore(store)
  const found: string[] = []
  for (let partition = 0; partition < config.topics.partitions; partition++) {
    for await (const keys of store.keys({ kind: 't', partition })) {
      const states = await store.peek({ kind: 't', partition }, keys)
      found.push(...keys.map((key, i) => `${key} ${states[i]?.length}`))
    }
  }
  await store.close()
  return [...new Set(found)].toSorted()
}

beforeAll(async () => {
  old = await Installation.create(services())
})
afterAll(async () => {
  await Promise.all([old, next, cut, cutNext].map((one) => one?.[Symbol.asyncDispose]()))
  rmSync(folder, { recursive: true })
})

it('members stop deciding on a topic that gets partitions, and say the way out', async () => {
  const member = await (await old.start()).ready()
  await old.send(...payments.slice(0, before.payments))
  await old.sendLabels(...labels.slice(0, before.labels))
  await until('rest', async () => (await unsettled(old.config)) === null, longestWait)
  expect(old.decisions.length).toBe(before.payments)

  await addPartitions(old.config.kafka.brokers, [old.config.topics.transactions], 3)
  const after = payments.slice(before.payments, altered)
  // As Kafka's producers do once they know.
  await withConnection(old.config, ({ log }) =>
    log.append(
      after.map((payment) => old.record(payment, { partition: partitionOf(payment.customer_id, 3) })),
    ),
  )
  await until('refusal', async () => (await member.health('/readyz'))?.checks['topics']?.ok === false, 30)
  const health = await member.health('/readyz')
  expect(health?.status).toBe(503)
  expect(health?.checks['topics']?.detail).toContain('has 3 partitions, topics.partitions pins 2')
  await until('the way out in the log', () => member.output.includes('`weir rekey`'))
  expect(await rekey('--partitions', '5', '--yes')).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/has 1 members.*WEIR_REKEY_REFUSED/),
  })
  member.signal('SIGTERM')
  expect(await member.exit()).toMatchObject({ code: 0 })
  const late = await old.start()
  expect(await late.exit()).toMatchObject({ code: 1 })
  expect(late.output).toContain('WEIR_LOG_PARTITIONS')

  // Whatever was decided since was right: nobody was decided where the pinned number would not have put them.
  const evidence = await gather(old.config)
  decided = new Before(evidence)
  const positions = evidence.positions.t
  const transactions = evidence.records.transactions.map((records, partition) =>
    records.filter(({ offset }) => offset < (positions[partition] ?? 0)),
  )
  expect(transactions[2] ?? []).toEqual([])
  for (const [partition, records] of transactions.entries()) {
    for (const { key } of records) expect(partitionOf(key as Buffer, 2)).toBe(partition)
  }
  const whole = { ...evidence, records: { ...evidence.records, transactions } }
  expect(await verify(whole, await loadInstallation(old.config))).toMatchObject({
    ...{ lost: 0, doubled: 0, changed: 0, state_differences: 0, differences: [] },
  })
})

it('says what it would do, and does nothing', async () => {
  const { code, stdout, stderr } = await rekey('--partitions', '5')
  expect({ code, stderr }).toEqual({ code: 0, stderr: 'nothing was done: --yes does it\n' })
  expect(stdout).toContain(`${old.config.topics.transactions}-p5`)
  expect(stdout).toMatch(/\d+ decided records to copy/)
  expect(stdout).toMatch(/\d+ undecided records to move/)
  await expect(old.log.partitions(`${old.config.topics.transactions}-p5`)).rejects.toThrow()
  for (const wrong of [['--partitions', '2'], ['--partitions', '5', '--suffix', '.x'], []]) {
    expect(await rekey(...wrong)).toMatchObject({ code: 2 })
  }
})

it('moves everything once, and again what came since', async () => {
  const { code, stdout, stderr } = await rekey('--partitions', '5', '--yes', '--json')
  expect(code, stderr).toBe(0)
  const { settings, moved } = JSON.parse(stdout)
  const decidedCount = (await gather(old.config)).records.decisions.flat().length
  expect(moved).toEqual({
    history: decidedCount + before.labels,
    undecided: altered - decidedCount,
  })
  expect(settings).toMatchObject({ app: `${old.config.app}-p5`, topics: { partitions: 5 } })
  next = await follow(settings)

  await old.send(payments[altered] as Transaction)
  for (const undecided of [1, 0]) {
    const again = await rekey('--partitions', '5', '--yes', '--json')
    expect(JSON.parse(again.stdout).moved).toEqual({ history: 0, undecided })
  }
})

it('the old installation has what was moved on its books', async () => {
  const audit = await weir([...old.flags(), 'audit', '--json'])
  expect(audit.code, audit.stdout + audit.stderr).toBe(0)
  const { total } = JSON.parse(audit.stdout)
  expect(total).toMatchObject({ missing: 0, double: 0, decisions: old.decisions.length })
  expect(total.skipped).toBeGreaterThan(0)
})

it('the new installation goes on: every payment answered once, states as recomputed', async () => {
  const member = await (await next.start()).ready()
  await next.send(...payments.slice(altered + 1))
  await next.sendLabels(...labels.slice(before.labels))
  await until('rest', async () => (await unsettled(next.config)) === null, longestWait)
  member.signal('SIGTERM')
  expect(await member.exit()).toMatchObject({ code: 0 })

  const evidence = await gather(next.config)
  const verdict = await verify(evidence, await loadInstallation(next.config), decided)
  expect(verdict).toMatchObject({
    ...{ lost: 0, doubled: 0, changed: 0, state_differences: 0, differences: [] },
    ...{ labels: labels.length, degraded: 0 },
  })
  // Without what the old one answered, history looks like what nobody decided.
  const alone = await verify(evidence, await loadInstallation(next.config))
  expect(alone.lost).toBeGreaterThan(before.payments - 1)
  const all = [...old.decisions, ...next.decisions].map(({ content }) => content)
  expect(all.length).toBe(payments.length)
  expect(all.map(({ transaction_id }) => transaction_id).toSorted()).toEqual(
    payments.map(({ transaction_id }) => transaction_id).toSorted(),
  )
  expect(all.some(({ duplicate_of }) => duplicate_of?.startsWith(next.config.topics.transactions))).toBe(true)
})

it('its books say which payments others decided', async () => {
  const audit = await weir([...next.flags(), 'audit', '--json'])
  expect(audit.code, audit.stdout + audit.stderr).toBe(0)
  const { total } = JSON.parse(audit.stdout)
  expect(total).toMatchObject({ missing: 0, double: 0, decisions: next.decisions.length })
  expect(total.skipped).toBe(old.decisions.length)
  const verified = await weir([...next.flags(), 'replay', 'topic', '--verify', '--json'])
  expect(verified.code, verified.stdout + verified.stderr).toBe(0)
})

it('its states are those of a replay of the new topics from their beginning', async () => {
  const path = join(folder, 'states.weir')
  const replayed = await weir([
    ...next.flags(),
    ...['replay', 'topic', '--state', path, '--out', join(folder, 'out')],
  ])
  expect(replayed.code, replayed.stderr).toBe(0)
  expect(await weir([...next.flags(), 'state', 'check', path])).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('equal: '),
  })
})

it('history that the log has lost goes with the states', async () => {
  cut = await Installation.create(services())
  const first = await (await cut.start()).ready()
  const some = payments.slice(0, 200)
  await cut.send(...some)
  await until('rest', async () => (await unsettled(cut.config)) === null, longestWait)
  first.signal('SIGTERM')
  expect(await first.exit()).toMatchObject({ code: 0 })
  const { transactions } = cut.config.topics
  const admin = await createKafkaAdmin(kafkaClient(cut.config))
  for (const partition of [0, 1]) await admin.deleteBefore({ topic: transactions, partition }, 60)
  await admin.close()

  const { code, stdout, stderr } = await weir([
    ...cut.flags(),
    'rekey',
    '--partitions',
    '3',
    '--yes',
    '--json',
  ])
  expect(code, stderr).toBe(0)
  cutNext = await follow(JSON.parse(stdout).settings)
  expect(await customersOf(cutNext)).toEqual(await customersOf(cut))
  expect((await cutNext.log.bounds({ topic: cutNext.config.topics.transactions, partition: 0 })).first).toBe(
    1,
  )

  // Its record is lost, and still it is known: by the place where it lay.
  const lost = cut.decisions.find(({ content }) => content.decision_id.endsWith('-0-59'))?.content
  const again = some.find(({ transaction_id }) => transaction_id === lost?.transaction_id) as Transaction
  const second = await (await cutNext.start()).ready()
  await cutNext.send(again)
  expect((await cutNext.decisionOn(again.transaction_id)).content).toMatchObject({
    status: 'duplicate',
    duplicate_of: expect.stringMatching(new RegExp(`-${2 ** 52 + 59}$`)),
  })
  await second.kill()
})

it('a reset of the old group puts nothing back that was moved', async () => {
  const { kafka, group, topics } = cut.config
  await cut.send(...payments.slice(200, 240))
  const { stdout } = await weir([...cut.flags(), 'rekey', '--partitions', '3', '--yes', '--json'])
  expect(JSON.parse(stdout).moved).toEqual({ history: 0, undecided: 40 })
  const admin = new Kafka({ brokers: [...kafka.brokers], logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  await admin.resetOffsets({ groupId: group, topic: topics.transactions, earliest: true })
  await admin.disconnect()
  const reset = await weir([...cut.flags(), 'reset', '--yes', '--json'])
  expect(reset.code, reset.stderr).toBe(0)
  for (const partition of [0, 1]) {
    const at = { topic: topics.transactions, partition }
    const [{ end }, position] = await Promise.all([cut.log.bounds(at), cut.log.committed(group, at)])
    for await (const left of cut.log.read(at, position as number, end)) expect(left).toEqual([])
  }
})
