import { beforeEach, describe, expect, it } from 'vitest'
import type { MemoryLog } from '../../../src/adapters/memory-log.ts'
import { createMemoryStore } from '../../../src/adapters/memory-store.ts'
import { openContracts } from '../../../src/apps/connect.ts'
import { toRecord } from '../../../src/apps/demo.ts'
import { loadFeatures, readPolicy } from '../../../src/config/definitions.ts'
import { loadConfig } from '../../../src/config/load.ts'
import { laneKeys, statesPrefix } from '../../../src/core/lane-keys.ts'
import type { StateStore } from '../../../src/core/ports.ts'
import { generate } from '../../../src/generator/generate.ts'
import { auditLedger } from '../../../src/ledger/audit.ts'
import { type ResetOptions, resetGroup } from '../../../src/ledger/reset.ts'
import { type LanePlan, planFold, planLane, type Stand } from '../../../src/ledger/reset-plan.ts'
import { findAtHand } from '../../../src/replay/at-hand.ts'
import { lanesOf, nameOf } from '../../../src/replay/target.ts'
import { verifyDecisions } from '../../../src/replay/verify.ts'
import { scoreEmbedded } from '../../helpers/embedded.ts'

const partitions = 2
const { config } = loadConfig({ file: '/dev/null', env: {}, set: [`topics.partitions=${partitions}`] })
const { topics, group } = config
const contracts = await openContracts(config)
const features = loadFeatures(config.features)
const policies = [readPolicy(config.policy)]
const life = { customers: 50, merchants: 60, duplicateRate: 0.02, damagedRate: 0.02, fraudRate: 0.05 }
const items = [...generate({ seed: 8, events: 900, ...life })]
const half = Math.floor(items.length / 2)

let log: MemoryLog
let store: StateStore
const inputs = [topics.transactions, topics.labels].flatMap((topic) =>
  Array.from({ length: partitions }, (_, partition) => ({ topic, partition })),
)

async function setOffsets(of: 'begin' | 'end'): Promise<void> {
  for (const at of inputs) {
    const { end } = await log.bounds(at)
    await (await log.fence(group, at)).commit([], of === 'end' ? end : 0)
  }
}

/** The log after the group's offsets were deleted. */
function withoutOffsets(): MemoryLog {
  return new Proxy(log, {
    get(target, name) {
      if (name === 'committed') return async () => null
      const member = Reflect.get(target, name)
      return typeof member === 'function' ? member.bind(target) : member
    },
  })
}

const reset = (apply: boolean, more: Partial<ResetOptions> = {}): Promise<LanePlan[]> => {
  return resetGroup({ config, log, store, contracts, features, forgetStates: false, ...more }, apply)
}
const positions = () => Promise.all(inputs.map((at) => log.committed(group, at)))
const score = (some: typeof items) => scoreEmbedded(config, some, { log, store, stepRecords: 100 })
const audit = () => auditLedger({ config, log, contracts, features, policies })

/** All states but how far entity lanes have folded, which depends on chunks. */
async function statesIn(from: StateStore, kinds = /./): Promise<Record<string, string>> {
  const found: Record<string, string> = {}
  for (const id of lanesOf(partitions)) {
    if (!kinds.test(id.kind)) continue
    for await (const keys of from.keys(id)) {
      const states = await from.peek(id, keys)
      for (const [i, key] of keys.entries()) {
        if (key !== '~progress') found[`${nameOf(id)} ${key}`] = states[i]?.toString('hex') ?? ''
      }
    }
  }
  return found
}

async function undisturbed(): Promise<StateStore> {
  const other = createMemoryStore()
  await scoreEmbedded(config, items, { store: other, stepRecords: 100 })
  return other
}

describe('weir reset', () => {
  beforeEach(async () => {
    store = createMemoryStore()
    log = await scoreEmbedded(config, items.slice(0, half), { store })
  })

  it.each([
    ['set to the beginning', () => setOffsets('begin'), () => log],
    ['set to the end, past what waits', () => setOffsets('end'), () => log],
    ['deleted', async () => {}, withoutOffsets],
  ] as const)('puts a group whose offsets were %s back, with and without states', async (_, spoil, logOf) => {
    const right = await positions()
    const waiting = items.slice(half, half + 200)
    await log.append(waiting.map((item) => toRecord(item, config, contracts)))
    await spoil()
    const spoilt = await positions()
    for (const keeps of [true, false]) {
      if (!keeps) store = createMemoryStore()
      const shown = await reset(false, { log: logOf() })
      expect(shown.filter(({ lane }) => lane !== 'e').map(({ to }) => to)).toEqual(right)
      expect(shown.every(({ skip, clears, refusal }) => skip === null && !clears && refusal === null)).toBe(
        true,
      )
      expect(await positions()).toEqual(spoilt)
    }
    await reset(true, { log: logOf() })
    expect(await positions()).toEqual(right)
    await score(items.slice(half + 200))
    const found = await audit()
    expect(found).toMatchObject({ holds: true, total: { skipped: 0, missing: 0, double: 0 } })
    expect(found.total.records).toBe(items.filter(({ kind }) => kind !== 'label').length)
    expect(await statesIn(store)).toEqual(await statesIn(await undisturbed()))
  })

  it('finds nothing to do where nothing is wrong', async () => {
    const before = await positions()
    const plans = await reset(true)
    for (const { position, to, skip, clears } of plans) {
      expect({ to, skip, clears }).toEqual({ to: position, skip: null, clears: false })
    }
    expect(await positions()).toEqual(before)
    expect((await audit()).total.skipped).toBe(0)
  })

  it('declares a range skipped, once; skipped payments are part of their customers all the same', async () => {
    const waiting = items.slice(half, half + 200)
    await log.append(waiting.map((item) => toRecord(item, config, contracts)))
    const skips = { skipTo: 'end', reason: 'a test' } as const
    const [shown] = await reset(false, skips)
    expect(shown?.skip?.from).toBe(shown?.position)
    await reset(true, skips)
    expect((await reset(true, skips)).every(({ skip }) => skip === null)).toBe(true)
    await score(items.slice(half + 200))
    const found = await audit()
    const undecided = waiting.filter(({ kind }) => kind !== 'label').length
    expect(found).toMatchObject({ holds: true, total: { skipped: undecided, missing: 0, double: 0 } })
    expect(found.labels.total).toMatchObject({ skipped: 0, missing: 0 })
    expect(await statesIn(store, /t|l/)).toEqual(await statesIn(await undisturbed(), /t|l/))
    const verdict = await verifyDecisions({ config, log, contracts, atHand: await findAtHand(config) })
    expect(verdict.isBreach, verdict.result.findings.join('\n')).toBe(false)
    expect(verdict.result).toMatchObject({ lost: 0, doubled: 0, skipped: undecided })
  })

  it('skips labels apart, and partitions by their offsets', async () => {
    const waiting = items.slice(half, half + 200)
    await log.append(waiting.map((item) => toRecord(item, config, contracts)))
    const { end } = await log.bounds({ topic: topics.transactions, partition: 1 })
    const offsets = [null, end]
    await reset(true, { skipTo: { offsets }, skipLabelsTo: 'end', reason: 'a test' })
    await score(items.slice(half + 200))
    const found = await audit()
    expect(found.holds).toBe(true)
    expect(found.partitions.map(({ skipped }) => skipped > 0)).toEqual([false, true])
    expect(found.labels.total.skipped).toBe(waiting.filter(({ kind }) => kind === 'label').length)
  })

  it('refuses while members are alive', async () => {
    const member = await log.subscribe(group, [topics.labels], { onAssigned() {}, onRun: async () => 0 })
    await expect(reset(true)).rejects.toMatchObject({ code: 'WEIR_LOG_IN_USE' })
    await member.stop()
    await reset(true)
  })

  it('changes nothing where one lane is refused, and deletes states that are ahead only when told', async () => {
    await store.acquire({ kind: 't', partition: 1 }, 'other')
    const watermark = await store.watermark({ kind: 't', partition: 1 })
    await store.write({ kind: 't', partition: 1 }, 'other', { from: watermark, to: 10_000 }, [])
    await setOffsets('begin')
    const before = await positions()
    const plans = await reset(true)
    expect(plans.filter(({ refusal }) => refusal !== null)).toMatchObject([
      { lane: 't', partition: 1, refusal: { cure: expect.stringContaining('--forget-states') } },
    ])
    expect(await positions()).toEqual(before)
    await reset(true, { forgetStates: true })
    await score(items.slice(half))
    expect(await audit()).toMatchObject({ holds: true })
    expect(await statesIn(store)).toEqual(await statesIn(await undisturbed()))
  })

  it('voids in the changelog what it deletes, or the next owner would restore it from there', async () => {
    const [topic, id] = ['states', { kind: 't', partition: 1 } as const]
    const kept = { ...config, topics: { ...topics, features: topic } }
    store = createMemoryStore()
    log = await scoreEmbedded(kept, items.slice(0, half), { store })
    const { watermark } = laneKeys(statesPrefix(config.app, features.layoutHash), id)
    const head = async () => {
      const { end } = await log.bounds({ topic, partition: 1 })
      const records = []
      for await (const some of log.read({ topic, partition: 1 }, 0, end)) records.push(...some)
      return records.findLast(({ key }) => key?.toString() === watermark)?.value ?? null
    }
    expect(await head()).not.toBeNull()
    await store.acquire(id, 'other')
    await store.write(id, 'other', { from: await store.watermark(id), to: 10_000 }, [])
    await reset(true, { config: kept, forgetStates: true })
    expect(await head()).toBeNull()
    expect(await store.watermark(id)).toBeNull()
  })
})

describe('the plan of a lane', () => {
  const id = { kind: 't', partition: 0 } as const
  const answeredTo = (next: number | null, decisionsGone = false) => ({
    next,
    decisionsGone,
    lettersGone: false,
  })
  const stand: Stand = {
    id,
    topic: 'in',
    first: 0,
    end: 100,
    committed: 40,
    watermark: 40,
    answered: answeredTo(40),
  }
  const plan = (changes: Partial<Stand>, skipTo: number | null = null, forget = false) =>
    planLane({ ...stand, ...changes }, skipTo, forget)

  it.each<[what: string, changes: Partial<Stand>, skipTo: number | null, wanted: object]>([
    ['stays', {}, null, { to: 40, skip: null }],
    ['was set back', { committed: 0 }, null, { to: 40 }],
    ['skips', {}, 60, { to: 60, skip: { from: 40, to: 60 } }],
    ['never began', { committed: null, watermark: null, answered: answeredTo(null) }, null, { to: null }],
    ['was loaded from a snapshot', { committed: null, answered: answeredTo(null) }, null, { to: 40 }],
    [
      'was told to begin at a place',
      { committed: 70, watermark: null, answered: answeredTo(null) },
      null,
      { to: 70 },
    ],
    [
      'lost its decisions to retention, and agrees with its states',
      { answered: answeredTo(null, true) },
      null,
      { to: 40 },
    ],
    [
      'goes on after records that are gone',
      { first: 50, watermark: 50, committed: 40 },
      50,
      { to: 50, skip: { from: 40, to: 50 } },
    ],
  ])('%s', (_, changes, skipTo, wanted) => {
    expect(plan(changes, skipTo)).toMatchObject({ ...wanted, refusal: null, clears: false })
  })

  it.each<[what: string, changes: Partial<Stand>, skipTo: number | null, code: string, cure: string]>([
    ['the topic was made anew', { end: 30, committed: null }, null, 'WEIR_LOG_OFFSETS_RESET', 'other names'],
    [
      'records are gone before they were decided',
      { first: 50 },
      null,
      'WEIR_LOG_HISTORY_GONE',
      '--skip-to with 50',
    ],
    [
      'nothing tells',
      { committed: 10, answered: answeredTo(null, true) },
      null,
      'WEIR_LOG_OFFSETS_RESET',
      '--skip-to OFFSET',
    ],
    ['it would go back', {}, 39, 'WEIR_CLI_USAGE', 'give 40 or more'],
    ['it would go too far', {}, 101, 'WEIR_CLI_USAGE', 'give 100 at most'],
    ['a snapshot is half loaded', { watermark: -77 }, null, 'WEIR_STORE_LOADING', 'weir state load'],
    ['states run ahead', { watermark: 41 }, null, 'WEIR_LOG_HISTORY_GONE', '--forget-states'],
    [
      'what states lack is gone',
      { first: 20, watermark: 10 },
      null,
      'WEIR_LOG_HISTORY_GONE',
      '--forget-states',
    ],
    ['deleting states broke off', { watermark: -1 }, null, 'WEIR_LOG_HISTORY_GONE', '--forget-states'],
  ])('is refused where %s', (_, changes, skipTo, code, cure) => {
    expect(plan(changes, skipTo).refusal).toMatchObject({ code, cure: expect.stringContaining(cure) })
    if (cure === '--forget-states')
      expect(plan(changes, skipTo, true)).toMatchObject({ refusal: null, clears: true })
  })

  it('of entity updates deletes states when their history is gone', () => {
    const e = { kind: 'e', partition: 0 } as const
    expect(planFold(e, 'updates', { first: 0, end: 9 }, 9, false)).toMatchObject({
      clears: false,
      refusal: null,
    })
    expect(planFold(e, 'updates', { first: 5, end: 9 }, 3, false).refusal).not.toBeNull()
    expect(planFold(e, 'updates', { first: 5, end: 9 }, 3, true)).toMatchObject({
      clears: true,
      refusal: null,
    })
    expect(planFold(e, 'updates', { first: 0, end: 9 }, 12, true)).toMatchObject({
      clears: true,
      refusal: null,
    })
  })
})
