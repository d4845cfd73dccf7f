import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { createMemoryStore } from '../../../src/adapters/memory-store.ts'
import { openContracts } from '../../../src/apps/connect.ts'
import { loadFeatures } from '../../../src/config/definitions.ts'
import { loadConfig } from '../../../src/config/load.ts'
import type { Config } from '../../../src/config/schema.ts'
import { History } from '../../../src/core/history.ts'
import type { Model, NewRecord } from '../../../src/core/ports.ts'
import { type Generated, generate } from '../../../src/generator/generate.ts'
import { findAtHand, type MoreFiles } from '../../../src/replay/at-hand.ts'
import { readSnapshot, writeSnapshot } from '../../../src/replay/snapshot.ts'
import type { Verification } from '../../../src/replay/verdict.ts'
import { type VerifyOptions, verifyDecisions } from '../../../src/replay/verify.ts'
import { type EmbeddedOptions, scoreEmbedded } from '../../helpers/embedded.ts'
import { fixedLog, recordsOf } from '../../helpers/fixed-log.ts'
import { faultyStore } from '../stream/faulty.ts'

const folder = mkdtempSync(join(tmpdir(), 'weir-verify-'))
afterAll(() => rmSync(folder, { recursive: true }))

const configOf = (...set: string[]): Config =>
  loadConfig({ file: '/dev/null', env: {}, set: ['topics.partitions=2', ...set] }).config
const config = configOf()
const items = [...generate({ seed: 8, events: 2_000, customers: 40, duplicateRate: 0.02, lateRate: 0.05 })]

/** A log on which `first` decided the first half and, from the states of a store of its own, `second` the rest. */
async function handedOver(first: Config, second: Config, options: EmbeddedOptions = {}) {
  const half = items.length / 2
  const log = await scoreEmbedded(first, items.slice(0, half), options)
  return scoreEmbedded(second, items.slice(half), { ...options, log })
}

type Readable = VerifyOptions['log']

async function verified(log: Readable, more: MoreFiles = {}, by = config): Promise<Verification> {
  const contracts = await openContracts(by)
  const verdict = await verifyDecisions({ config: by, log, contracts, atHand: await findAtHand(by, more) })
  return verdict.finish()
}

const flawless = {
  as_recorded: { differ: 0 },
  recomputed: { differ: 0, customer_columns_differ: {} },
  lost: 0,
  doubled: 0,
  stray: 0,
  unverifiable: { decisions: 0 },
  first_difference: null,
}

it('decisions by two policies are verified where both are at hand, else counted', async () => {
  const strict = join(folder, 'strict.yaml')
  const thresholds = 'thresholds: { challenge: 10, review: 20, decline: 30 }'
  writeFileSync(
    strict,
    readFileSync('policy.yaml', 'utf8')
      .replace(/^thresholds:\n( .*\n)+/m, `${thresholds}\n`)
      .replace(/^thresholds:.*$/m, thresholds),
  )
  const log = await handedOver(config, configOf(`policy=${strict}`))
  const found = await verified(log, { policies: [strict] })
  expect(found).toMatchObject(flawless)
  expect(found.as_recorded.compared).toBe(found.decisions)

  const without = await verified(log)
  expect(without.unverifiable.versions).toHaveLength(1)
  expect(without.unverifiable.versions[0]?.why).toContain('--policy')
  expect(without.as_recorded).toMatchObject({
    compared: found.decisions - without.unverifiable.decisions,
    differ: 0,
  })
  expect(without.unverifiable.decisions).toBeGreaterThan(500)
  expect(without.recomputed.differ).toBe(0)
})

it('so are those of two models on two feature files, one with looked up columns', async () => {
  const policy = join(folder, 'plain.yaml')
  writeFileSync(policy, readFileSync('policy.yaml', 'utf8').replace(/^reasons:[\s\S]*/m, 'reasons: []\n'))
  const features = 'test/fixtures/features/few.yaml'
  const models = ['models.directory=test/fixtures/models', 'models.champion=looked@1.0.0']
  const other = configOf(`features=${features}`, `policy=${policy}`, ...models)
  const log = await handedOver(config, other)
  const package_ = 'test/fixtures/models/looked/1.0.0'
  const found = await verified(log, { models: [package_], policies: [policy], features: [features] })
  expect(found).toMatchObject(flawless)
  expect(found.recomputed.compared).toBe(found.decisions)
  expect(
    await verified(
      log,
      { models: ['models/champion/1.0.0'], policies: ['policy.yaml'], features: ['features.yaml'] },
      other,
    ),
  ).toMatchObject(flawless)

  const without = await verified(log, { models: [package_], policies: [policy] })
  expect(without.unverifiable.versions[0]?.why).toContain('--features')
})

it('degraded decisions are verified by the policy, and the states go on as if nothing had been', async () => {
  let calls = 0
  const store = faultyStore(createMemoryStore(), () => (++calls % 60 > 50 ? 'before' : 'ok'))
  const log = await scoreEmbedded(config, items, { store, stepRecords: 40 })
  const found = await verified(log)
  expect(found.degraded).toBeGreaterThan(100)
  expect(found.decisions - found.degraded).toBeGreaterThan(500)
  expect(found).toMatchObject(flawless)
  expect(found.as_recorded.compared).toBe(found.decisions)
  expect(found.recomputed.compared).toBe(found.decisions - found.degraded)
})

it('decisions without a score are verified by the policy, with that reason; duplicates stay what they are', async () => {
  let calls = 0
  const model = (sound: Model): Model => ({
    ...sound,
    score: (features, rows) =>
      ++calls % 4 === 0 ? Promise.reject(new Error('no session')) : sound.score(features, rows),
  })
  const log = await scoreEmbedded(config, items, { model, stepRecords: 40 })
  const found = await verified(log)
  expect(found.degraded).toBeGreaterThan(100)
  expect(found.duplicates).toBeGreaterThan(10)
  expect(found).toMatchObject(flawless)
})

it('without keys a customer has a past in each partition', async () => {
  const change = (record: NewRecord, i: number): NewRecord =>
    record.topic === config.topics.transactions
      ? { ...record, key: null, partition: i % 3 === 0 ? 0 : 1 }
      : record
  const found = await verified(await scoreEmbedded(config, items, { change }))
  expect(found).toMatchObject(flawless)
  expect(found.recomputed.compared).toBe(found.decisions)
})

it('goes on from a snapshot where the log no longer has the past', async () => {
  const log = await scoreEmbedded(config, items)
  const { transactions, labels, decisions, dead_letters } = config.topics
  const records = await recordsOf(log, [transactions, labels, decisions, dead_letters])
  const positions = { transactions: [300, 250], labels: [0, 0] }
  const features = loadFeatures(config.features)
  const history = new History(features)
  const contracts = await openContracts(config)
  for (const [partition, all] of (records[transactions] ?? []).entries()) {
    const past = all.slice(0, positions.transactions[partition])
    const arrivals = (await contracts.transactions.decode(past)).map((one, offset) => {
      if (!one.ok) throw new Error(one.rejection.message)
      return { partition, offset, transaction: one.value }
    })
    history.enrich(arrivals)
  }
  const path = join(folder, 'states.snapshot')
  const head = {
    version: 1,
    feature_hash: features.hash,
    source: 'a test',
    partitions: 2,
    positions,
  } as const
  await writeSnapshot(path, { ...head, topics: { transactions, labels }, times: [0, 0] }, history)
  const left = records[transactions]?.map((all, i) => all.slice(positions.transactions[i])) ?? []

  const verdict = await verifyDecisions({
    config,
    log: fixedLog({ ...records, [transactions]: left }),
    contracts,
    atHand: await findAtHand(config),
    start: { head: await readSnapshot(path, new History(features)), history: await reread(path) },
  })
  const found = verdict.finish()
  expect(found).toMatchObject(flawless)
  expect(found.decisions).toBe(left.flat().length)
  expect(found.recomputed.compared).toBe(found.decisions)
  expect(found.ranges.map(({ states_from }) => states_from)).toEqual(positions.transactions)

  // From states of a moment before, a payment is forgotten.
  const early = {
    ...head,
    positions: { ...positions, transactions: [302, 250] },
    topics: { transactions, labels },
  }
  const wrong = await verifyDecisions({
    config,
    log: fixedLog(records),
    contracts,
    atHand: await findAtHand(config),
    start: { head: { ...early, times: [0, 0] }, history: await reread(path) },
  })
  expect(wrong.finish().recomputed.differ).toBeGreaterThan(0)
  const elsewhere = { head: { ...head, times: [0, 0] }, history: await reread(path) }
  await expect(
    verifyDecisions({ config, log, contracts, atHand: await findAtHand(config), start: elsewhere }),
  ).rejects.toThrow('the snapshot was made of a test')
})

async function reread(path: string): Promise<History> {
  const history = new History(loadFeatures(config.features))
  await readSnapshot(path, history)
  return history
}

it('says so where nothing was decided', async () => {
  const found = await verified(await scoreEmbedded(config, [] as Generated[]))
  expect(found).toMatchObject({ ...flawless, transactions: 0, decisions: 0 })
})
