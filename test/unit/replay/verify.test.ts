import { beforeAll, describe, expect, it } from 'vitest'
import { DeadLetters } from '../../../faults/verifier/dead-letters.ts'
import type { Evidence } from '../../../faults/verifier/evidence.ts'
import { Findings } from '../../../faults/verifier/findings.ts'
import { loadInstallation } from '../../../faults/verifier/installation.ts'
import { plainAvro } from '../../../faults/verifier/plain-avro.ts'
import { recheckDecisions } from '../../../faults/verifier/recheck-decisions.ts'
import { openContracts } from '../../../src/apps/connect.ts'
import { loadConfig } from '../../../src/config/load.ts'
import type { LogRecord } from '../../../src/core/ports.ts'
import type { Decision } from '../../../src/core/types.ts'
import { generate } from '../../../src/generator/generate.ts'
import { findAtHand } from '../../../src/replay/at-hand.ts'
import type { EntityDifferences, Verification } from '../../../src/replay/verdict.ts'
import { verifyDecisions } from '../../../src/replay/verify.ts'
import { scoreEmbedded } from '../../helpers/embedded.ts'
import { shipped } from '../../helpers/feature-values.ts'
import { fixedLog, type Records, recordsOf } from '../../helpers/fixed-log.ts'

const { config } = loadConfig({ file: '/dev/null', env: {}, set: ['topics.partitions=3'] })
const { topics } = config
const contracts = await openContracts(config)
const atHand = await findAtHand(config)
const avro = plainAvro<Decision>('decision.avsc')

// What an undisturbed scorer leaves behind is taken once; each test spoils a copy of it.
let records: Records
beforeAll(async () => {
  const life = { duplicateRate: 0.02, lateRate: 0.05, damagedRate: 0.01, fraudRate: 0.03 }
  const log = await scoreEmbedded(config, generate({ seed: 5, events: 2_500, customers: 60, ...life }))
  const { transactions, labels, decisions, alerts, dead_letters } = topics
  records = await recordsOf(log, [transactions, labels, decisions, alerts, dead_letters])
})

async function verified(
  log: Records,
  more: object = {},
): Promise<Verification & { readonly isBreach: boolean }> {
  const verdict = await verifyDecisions({ config, log: fixedLog(log), contracts, atHand, ...more })
  return { ...verdict.finish(), isBreach: verdict.isBreach }
}

type Looks = (decision: Decision) => boolean
const isScored: Looks = ({ status }) => status === 'scored'

/** The records with one decision edited, and the decision as it was: one from the middle of the first partition. */
function withDecision(
  edit: (decision: Decision) => Decision | readonly Decision[],
  looksRight: Looks = isScored,
): { spoilt: Records; id: string } {
  const partitions = [...(records[topics.decisions] ?? [])]
  const all = partitions[0] as readonly LogRecord[]
  const at = all.findIndex(({ value }, i) => i > 300 && looksRight(avro.read(value)))
  const record = all[at] as LogRecord
  const decision = avro.read(record.value)
  const edited = [edit(decision)].flat() as readonly Decision[]
  partitions[0] = all.toSpliced(at, 1, ...edited.map((one) => ({ ...record, value: avro.write(one) })))
  return { spoilt: { ...records, [topics.decisions]: partitions }, id: decision.decision_id }
}

const column = (name: string) => shipped.names.indexOf(name)

function withBitFlipped(bytes: Buffer, byte: number): Buffer {
  const copy = Buffer.from(bytes)
  copy[byte] = (copy[byte] as number) ^ 1
  return copy
}

function nextDouble(value: number | null): number {
  const bits = new BigUint64Array(Float64Array.of(value as number).buffer)
  bits[0] = (bits[0] as bigint) + 1n
  return new Float64Array(bits.buffer)[0] as number
}

/** What the verifier of the fault tests, which shares no code with this one, finds wrong with the decisions. */
async function foundByOther(log: Records): Promise<number> {
  const installation = await loadInstallation(config)
  const findings = new Findings()
  const letters = new DeadLetters(log[topics.dead_letters] ?? [])
  const evidence = {
    records: {
      transactions: log[topics.transactions],
      decisions: log[topics.decisions],
      alerts: log[topics.alerts],
      control: [[]],
    },
  } as unknown as Evidence
  for (const partition of [0, 1, 2]) {
    await recheckDecisions(evidence, installation, partition, letters, findings)
  }
  return findings.words.length
}

describe('an undisturbed log', () => {
  it('is verified without a difference, and everything was in it', async () => {
    const found = await verified(records)
    expect(found).toMatchObject({
      isBreach: false,
      as_recorded: { compared: found.decisions, differ: 0 },
      recomputed: { compared: found.decisions, differ: 0, customer_columns_differ: {} },
      lost: 0,
      doubled: 0,
      stray: 0,
      degraded: 0,
      unverifiable: { decisions: 0 },
      first_difference: null,
      findings: [],
    })
    expect(found.duplicates).toBeGreaterThan(10)
    expect(found.dead_letters.compared).toBeGreaterThan(10)
    expect(found.dead_letters.differ).toBe(0)
    expect(found.transactions).toBe(found.decisions + found.dead_letters.compared)
    expect(await foundByOther(records)).toBe(0)
  })

  it('does not depend on where batches end', async () => {
    const log = fixedLog(records, 7)
    const verdict = await verifyDecisions({ config, log, contracts, atHand })
    const { isBreach: _, ...found } = await verified(records)
    expect(verdict.finish()).toEqual(found)
  })

  it('tells how far values of merchants, terminals and devices are from those of a replay', async () => {
    const entity = (await verified(records)).recomputed.entity as EntityDifferences
    expect(entity.values).toBeGreaterThan(10_000)
    expect(entity.differ).toBe(Object.values(entity.columns).reduce((sum, one) => sum + one, 0))
    expect(entity.decisions).toBeGreaterThan(0)
    expect(entity.decisions).toBeLessThanOrEqual(entity.differ)
    expect(entity.outcomes_differ).toBeLessThan(entity.decisions)
    expect(entity.median_relative).toBeGreaterThan(0)
    expect(entity.largest_relative).toBeGreaterThanOrEqual(entity.median_relative as number)
  })

  it('is verified in part', async () => {
    const found = await verified(records, {
      from: { offsets: [100, 100, 100] },
      to: { offsets: [150, 150, 150] },
    })
    expect(found.ranges.map(({ from, to }) => to - from)).toEqual([50, 50, 50])
    expect(found).toMatchObject({ isBreach: false, transactions: 150, lost: 0, doubled: 0, stray: 0 })
    expect(found.recomputed.compared).toBe(found.decisions)
  })
})

describe('a difference is named', () => {
  const edited = (change: (decision: Decision) => Partial<Decision>) => (decision: Decision) => ({
    ...decision,
    ...change(decision),
  })
  it.each([
    ['score', edited(({ score }) => ({ score: nextDouble(score) }))],
    ['risk_score', edited(({ risk_score }) => ({ risk_score: (risk_score as number) + 1 }))],
    ['outcome', edited(({ outcome }) => ({ outcome: outcome === 'approve' ? 'decline' : 'approve' }))],
    ['reasons', edited(({ reasons }) => ({ reasons: [...reasons, 'NIGHT'] }))],
    ['model', edited(() => ({ model: 'champion@9.9.9' }))],
    ['feature_hash', edited(() => ({ feature_hash: '0123456789abcdef' }))],
    ['late', edited(({ late }) => ({ late: !late }))],
    ['transaction_id', edited(() => ({ transaction_id: 'another' }))],
    ['customer_id', edited(() => ({ customer_id: 'another' }))],
    ['event_time', edited(({ event_time }) => ({ event_time: event_time + 1 }))],
    ['status', edited(() => ({ status: 'duplicate' }))],
    ['features', edited(({ features }) => ({ features: features.subarray(4) }))],
    [
      'features.customer_total_count',
      edited(({ features }) => ({ features: withBitFlipped(features, column('customer_total_count') * 4) })),
    ],
    [
      'features.amount',
      edited(({ features }) => ({ features: withBitFlipped(features, column('amount') * 4) })),
    ],
    ['entity_age_ms', edited(() => ({ status: 'degraded' }))],
    [
      'duplicate_of',
      edited(() => ({ duplicate_of: null })),
      ({ status }: Decision) => status === 'duplicate',
    ],
    ['status', edited(() => ({ status: 'scored' })), ({ status }: Decision) => status === 'duplicate'],
  ] as const)('in %s (%#)', async (field, edit, looksRight: Looks = isScored) => {
    const { spoilt, id } = withDecision(edit as (decision: Decision) => Decision, looksRight)
    const found = await verified(spoilt)
    expect(found).toMatchObject({ isBreach: true, lost: 0, doubled: 0, stray: 0 })
    expect(found.first_difference).toMatchObject({ decision_id: id, field })
    expect(found.first_difference?.recorded).not.toEqual(found.first_difference?.recomputed)
    expect(Math.max(found.as_recorded.differ, found.recomputed.differ)).toBe(1)
    expect(await foundByOther(spoilt)).toBeGreaterThan(0)
  })

  it('in a claim that a value was too old, where all are there', async () => {
    const { spoilt, id } = withDecision((decision) => ({ ...decision, reasons: ['ENTITY_VALUES_STALE'] }))
    const found = await verified(spoilt)
    expect(found.first_difference).toMatchObject({ decision_id: id, field: 'reasons' })
    // The other one takes the claim as recorded.
    expect(await foundByOther(spoilt)).toBe(0)
  })

  it('in what was refused by a limit that is another now; it is no part of the past', async () => {
    const wide = loadConfig({
      file: '/dev/null',
      env: {},
      set: ['topics.partitions=3', 'limits.event_time_past_ms=999999999999999'],
    }).config
    const verdict = await verifyDecisions({
      config: wide,
      log: fixedLog(records),
      contracts: await openContracts(wide),
      atHand,
    })
    const found = verdict.finish()
    expect(found.dead_letters.differ).toBeGreaterThan(0)
    expect(found.first_difference).toMatchObject({ recorded: 'WEIR_RECORD_EVENT_TIME', recomputed: null })
    expect(found).toMatchObject({ lost: 0, as_recorded: { differ: 0 }, recomputed: { differ: 0 } })
  })

  it('in a dead letter', async () => {
    const [letters = [], ...others] = records[topics.dead_letters] ?? []
    const [first, ...rest] = letters as [LogRecord, ...LogRecord[]]
    const blamed = { ...first, headers: { ...first.headers, 'weir-reason': 'WEIR_RECORD_PAN' } }
    const found = await verified({ ...records, [topics.dead_letters]: [[blamed, ...rest], ...others] })
    expect(found).toMatchObject({ isBreach: true, dead_letters: { differ: 1 }, as_recorded: { differ: 0 } })
    expect(found.first_difference).toMatchObject({ field: 'dead_letter', recorded: 'WEIR_RECORD_PAN' })
  })
})

describe('exactly one answer', () => {
  it.each([
    ['lost', (): readonly Decision[] => []],
    ['doubled', (decision: Decision) => [decision, decision]],
  ] as const)('%s', async (fault, edit) => {
    const { spoilt, id } = withDecision(edit)
    const found = await verified(spoilt)
    expect(found).toMatchObject({ isBreach: true, lost: 0, doubled: 0, stray: 0, [fault]: 1 })
    expect(found.findings).toEqual([expect.stringContaining(id)])
    expect(found.as_recorded.differ).toBe(0)
    expect(await foundByOther(spoilt)).toBeGreaterThan(0)
  })

  it('a decision that comes again long after', async () => {
    const [all = [], ...others] = records[topics.decisions] ?? []
    const again = { ...(all[3] as LogRecord), offset: (all.at(-1)?.offset as number) + 1 }
    const found = await verified({ ...records, [topics.decisions]: [[...all, again], ...others] })
    expect(found).toMatchObject({ isBreach: true, lost: 0, doubled: 1, stray: 0 })
  })

  it('a decision on nothing', async () => {
    const { spoilt } = withDecision((decision) => [decision, { ...decision, decision_id: 'other-0-1' }])
    const found = await verified(spoilt)
    expect(found).toMatchObject({ isBreach: true, lost: 0, doubled: 0, stray: 1 })
    expect(found.findings[0]).toContain('other-0-1')
  })

  it('a dead letter that is missing', async () => {
    const [letters = [], ...others] = records[topics.dead_letters] ?? []
    const found = await verified({ ...records, [topics.dead_letters]: [letters.slice(0, -1), ...others] })
    expect(found).toMatchObject({ isBreach: true, lost: 1, doubled: 0, dead_letters: { differ: 0 } })
  })
})

describe('what cannot be verified is named', () => {
  it.each([
    ['model_sha256', { model_sha256: '0123456789abcdef' }, '--model'],
    ['policy', { policy: '9#01234567' }, '--policy'],
  ] as const)('%s', async (_, change, flag) => {
    const { spoilt } = withDecision((decision) => ({ ...decision, ...change }))
    const found = await verified(spoilt)
    expect(found.isBreach).toBe(true)
    expect(found.unverifiable).toMatchObject({ decisions: 1, versions: [{ ...change, decisions: 1 }] })
    expect(found.unverifiable.versions[0]?.why).toContain(flag)
    expect(found.as_recorded).toMatchObject({ compared: found.decisions - 1, differ: 0 })
    // The payment is part of its customer's past all the same.
    expect(found.recomputed).toMatchObject({ compared: found.decisions - 1, differ: 0 })
  })
})

describe('a log that retention has cut', () => {
  /** From where on every partition's records are kept. */
  const keptFrom = (topic: string, first: number) =>
    records[topic]?.map((all) => all.filter(({ offset }) => offset >= first)) ?? []

  it('is verified as recorded, and says where it begins', async () => {
    const found = await verified({ ...records, [topics.transactions]: keptFrom(topics.transactions, 200) })
    expect(found).toMatchObject({ isBreach: false, lost: 0, doubled: 0, stray: 0 })
    expect(found.recomputed).toMatchObject({ compared: 0, entity: null })
    expect(found.ranges.map(({ first, states_from }) => [first, states_from])).toEqual([
      [200, null],
      [200, null],
      [200, null],
    ])
    expect(found.as_recorded).toMatchObject({ compared: found.decisions, differ: 0 })
  })

  it('loses no decision that was kept no longer than its payment', async () => {
    const found = await verified({ ...records, [topics.decisions]: keptFrom(topics.decisions, 200) })
    expect(found).toMatchObject({ isBreach: false, lost: 0, answer_gone: 600 })
    expect(found.recomputed).toMatchObject({ compared: found.decisions, differ: 0 })
  })
})
