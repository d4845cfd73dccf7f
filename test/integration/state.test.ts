import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, inject, it } from 'vitest'
import { unsettled } from '../../faults/verifier/evidence.ts'
import { loadFeatures } from '../../src/config/definitions.ts'
import { History } from '../../src/core/history.ts'
import { PackedStates } from '../../src/core/packed-states.ts'
import type { Label, Transaction } from '../../src/core/types.ts'
import { generate } from '../../src/generator/generate.ts'
import { writeSnapshot } from '../../src/replay/snapshot.ts'
import { Installation, until } from '../helpers/installation.ts'
import { ofCustomer, snapshotOf } from '../helpers/snapshots.ts'
import { weir } from '../helpers/weir.ts'

const folder = mkdtempSync(join(tmpdir(), 'weir-state-'))
const path = join(folder, 'states.weir')

const payments: Transaction[] = []
const labels: Label[] = []
for (const item of generate({
  events: 1_500,
  seed: 3,
  customers: 120,
  duplicateRate: 0.02,
  lateRate: 0.02,
})) {
  if (item.kind === 'label') labels.push(item.label)
  if (item.kind === 'transaction') payments.push(item.transaction)
}
/** Seconds, on a machine that is busy with other tests. */
const longestWait = 60
const before = { payments: 1_000, labels: Math.floor(labels.length / 2) }

const services = () => [`kafka.brokers=${inject('kafkaBrokers')}`, `redis.url=${inject('redisUrl')}`]

let live: Installation
let warm: Installation

beforeAll(async () => {
  live = await Installation.create(services())
  const { transactions, labels } = live.config.topics
  const inputs = [`topics.transactions=${transactions}`, `topics.labels=${labels}`]
  warm = await Installation.create([...services(), ...inputs])
})
afterAll(async () => {
  await Promise.all([live?.[Symbol.asyncDispose](), warm?.[Symbol.asyncDispose]()])
  rmSync(folder, { recursive: true })
})

/** Lets members decide everything that is there, and stops them. */
async function comeToRest(...installations: Installation[]): Promise<void> {
  const members = await Promise.all(installations.map((one) => one.start()))
  for (const member of members) await member.ready()
  for (const { config } of installations) {
    await until(`${config.app} at rest`, async () => (await unsettled(config)) === null, longestWait)
  }
  for (const member of members) {
    member.signal('SIGTERM')
    expect(await member.exit()).toMatchObject({ code: 0 })
  }
}

const features = () => loadFeatures(live.config.features)
const replayTo = (file: string, group: string) =>
  snapshotOf(file, { ...live.config, group }, live.log, live.contracts, features())
const state = (one: Installation, ...args: string[]) => weir([...one.flags(), 'state', ...args])

it('a replay of the topics to their end has the very states that are live', async () => {
  await live.send(...payments.slice(0, before.payments))
  await live.sendLabels(...labels.slice(0, before.labels))
  await comeToRest(live)
  const { code: replayed, stderr: news } = await weir([
    ...live.flags(),
    ...['replay', 'topic', '--state', path, '--out', join(folder, 'out')],
  ])
  expect(replayed, news).toBe(0)
  const { history } = await replayTo(join(folder, 'own.weir'), 'replay-1')
  expect(history.labelled.size).toBeGreaterThan(2)
  const { code, stdout, stderr } = await state(live, 'check', path)
  const states = history.customers.size + history.labelled.size + history.entities.size
  expect({ code, stdout, stderr }).toEqual({
    code: 0,
    stdout: `equal: ${states.toLocaleString('en-US')} states, byte for byte\n`,
    stderr: '',
  })
})

it('loaded into an empty installation it is equal, and once only', async () => {
  expect(await state(warm, 'check', path)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('WEIR_STATE_MISMATCH'),
  })
  expect(await state(warm, 'load', path)).toMatchObject({
    code: 0,
    stderr: expect.stringContaining('can start'),
  })
  expect(await state(warm, 'check', path)).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('equal: '),
  })
  for (const one of [live, warm]) {
    expect(await state(one, 'load', path)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('holds states already'),
    })
  }
})

it('the new installation goes on as the first one does', async () => {
  const decided = live.decisions.length
  expect(decided).toBe(before.payments)
  await live.send(...payments.slice(before.payments))
  await live.sendLabels(...labels.slice(before.labels))
  await comeToRest(live, warm)
  const later = payments.length - before.payments
  await until(
    'all decisions',
    () => live.decisions.length === payments.length && warm.decisions.length === later,
    longestWait,
  )
  const [cold, started] = [live.decisions.slice(decided), warm.decisions].map((decisions) =>
    decisions
      .map(({ content }) => ofCustomer(content, features()))
      .toSorted((a, b) => a.decision_id.localeCompare(b.decision_id)),
  )
  expect(started).toEqual(cold)
  expect(started?.some(({ duplicate_of }) => duplicate_of !== null)).toBe(true)
  const after = join(folder, 'after.weir')
  await replayTo(after, 'replay-2')
  for (const one of [live, warm]) {
    expect(await state(one, 'check', after)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('equal: '),
    })
  }
})

it('says which state differs', async () => {
  const { head, history } = await replayTo(path, 'replay-3')
  expect(head.positions.transactions.reduce((a, b) => a + b)).toBe(payments.length)
  const [customer] = [...history.customers.keys()].toSorted() as [string]
  const customers = new PackedStates()
  for (const [key, packed] of history.customers) if (key !== customer) customers.set(key, packed)
  await writeSnapshot(path, head, new History(history.features, { ...history, customers }))
  const { code, stderr } = await state(live, 'check', path)
  expect(code).toBe(1)
  expect(stderr).toContain('error: 1 states of ')
  expect(stderr).toMatch(new RegExp(`${customer} in lane t\\d is in the store only \\(WEIR_STATE_DIFFERS\\)`))
})
