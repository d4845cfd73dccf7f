import { describe, expect, test } from 'vitest'
import { createContracts } from '../../src/adapters/avro-contracts.ts'
import { createFileSchemaSource } from '../../src/adapters/avro-schema-files.ts'
import { sha256 } from '../../src/config/definitions.ts'
import { type ActiveSet, decide, decideDegraded, uncontrolled } from '../../src/core/decide.ts'
import { advance, type Past } from '../../src/core/enrich.ts'
import { narrate } from '../../src/core/narrative/narrate.ts'
import type { Arrival } from '../../src/core/parties.ts'
import { compilePolicy } from '../../src/core/policy.ts'
import type { Model } from '../../src/core/ports.ts'
import type { Transaction } from '../../src/core/types.ts'
import { generate } from '../../src/generator/generate.ts'
import { arrivals, at, hour, midnight, minute, shipped, unknownEntities } from '../helpers/feature-values.ts'
import { aPolicy } from '../helpers/policy.ts'

const noon = midnight + 12 * hour
const policy = compilePolicy(aPolicy, shipped, sha256)
const { challenge, review, decline } = policy.file.thresholds

/** Scores a row by its amount: 1.00 of the reference currency is one point of the risk score. */
const amountModel: Model = {
  id: 'amount@1.0.0',
  sha256: '0123456789abcdef',
  featureHash: shipped.hash,
  parts: ['amount'],
  async score(features, rows) {
    const width = shipped.names.length
    const probabilities = Float64Array.from(
      { length: rows },
      (_, i) => (features[i * width] as number) / 1000,
    )
    return { probabilities, parts: [probabilities] }
  },
  riskScore: (probability) => Math.min(999, Math.round(probability * 1000)),
}

const brokenModel: Model = { ...amountModel, score: () => Promise.reject(new Error('no session')) }

const active: ActiveSet = {
  features: shipped,
  model: amountModel,
  policy,
  ...uncontrolled,
  entityAgeLimitMs: minute,
}

const chunkOf = (all: readonly Arrival[]) => ({ topic: 'payments', arrivals: all })
const decided = (
  changes: readonly Partial<Transaction>[],
  { past = {}, using = active }: { past?: Partial<Past>; using?: ActiveSet } = {},
) => {
  const all = arrivals(changes)
  const known = { customers: new Map(), entities: unknownEntities(all), ...past }
  return decide(chunkOf(all), known, using)
}

describe('a scored transaction', () => {
  test('has all that led to its decision', async () => {
    const { decisions, modelFailure } = await decided([{ event_time: noon, amount_minor: 1000 }])
    expect(modelFailure).toBeNull()
    expect(decisions).toHaveLength(1)
    expect(decisions[0]).toMatchObject({
      decision_id: 'payments-3-0',
      transaction_id: 'tx-0',
      status: 'scored',
      outcome: 'approve',
      score: Math.fround(10) / 1000,
      risk_score: 10,
      reasons: [],
      duplicate_of: null,
      late: false,
      entity_age_ms: 0,
      feature_hash: shipped.hash,
      model: 'amount@1.0.0',
      model_sha256: '0123456789abcdef',
      policy: policy.id,
    })
    const { features } = decisions[0] as { features: Buffer }
    expect(features.length).toBe(shipped.names.length * 4)
    expect(features.readFloatLE(0)).toBe(10)
  })

  test('is decided by the thresholds, each the least of its outcome', async () => {
    const scores = [challenge - 1, challenge, review - 1, review, decline - 1, decline]
    const { decisions, alerts } = await decided(
      scores.map((score, i) => ({ amount_minor: score * 100, event_time: noon, customer_id: `c-${i}` })),
    )
    expect(decisions.map(({ outcome }) => outcome)).toEqual([
      'approve',
      'challenge',
      'challenge',
      'review',
      'review',
      'decline',
    ])
    expect(alerts.map(({ transaction_id }) => transaction_id)).toEqual(['tx-3', 'tx-4', 'tx-5'])
  })

  test('is decided by the thresholds of its segment, by field and amount', async () => {
    const never = { challenge: 1000, review: 1000, decline: 1000 }
    const segments = [
      { name: 'large_pos', when: { channel: ['pos'], amount_at_least: 900 }, thresholds: never },
    ]
    const using = { ...active, policy: compilePolicy({ ...aPolicy, segments }, shipped, sha256) }
    const payments = [
      { channel: 'pos', amount_minor: 90_000 },
      { channel: 'pos', amount_minor: 89_999 },
      { channel: 'ecommerce', amount_minor: 90_000 },
    ].map((one, i) => ({ ...one, event_time: noon, customer_id: `c-${i}` }))
    const { decisions } = await decided(payments, { using })
    expect(decisions.map(({ outcome }) => outcome)).toEqual(['approve', 'decline', 'decline'])
  })

  test('says how the payer is to be authenticated where the policy does, degraded ones what needs no features', async () => {
    const sca = { low_value: { count: 'customer_count_30d' } }
    const using = { ...active, policy: compilePolicy({ ...aPolicy, sca }, shipped, sha256) }
    const payments = [2_000, challenge * 100, review * 100].map((amount_minor, i) => ({
      ...{ channel: 'ecommerce', event_time: noon, customer_id: `c-${i}` },
      amount_minor,
    }))
    const { decisions, alerts } = await decided(payments, { using })
    expect(decisions.map(({ sca }) => sca)).toEqual(['exempt-low-value', 'challenge', 'required'])
    expect(alerts.map(({ sca }) => sca)).toEqual(['required'])
    const degraded = decideDegraded(chunkOf(arrivals(payments)), using)
    expect(degraded.decisions.map(({ outcome, sca }) => [outcome, sca])).toEqual([
      ['approve', 'required'],
      ['decline', null],
      ['decline', null],
    ])
    expect((await decided(payments)).decisions.map(({ sca }) => sca)).toEqual([null, null, null])
  })

  test('that is not approved says why, and the alert says it in words', async () => {
    const { decisions, alerts } = await decided([{ event_time: noon, amount_minor: decline * 100 }])
    expect(decisions[0]?.reasons).toEqual(['FIRST_DEVICE', 'FIRST_COUNTRY', 'FIRST_MERCHANT'])
    expect(alerts[0]).toMatchObject({
      alert_id: 'payments-3-0',
      outcome: 'decline',
      status: 'scored',
      risk_score: decline,
      amount_minor: decline * 100,
      reasons: [
        { code: 'FIRST_DEVICE', text: 'First from this device.' },
        { code: 'FIRST_COUNTRY' },
        { code: 'FIRST_MERCHANT' },
      ],
    })
  })

  test('that came late is decided, and flagged', async () => {
    const { decisions } = await decided(at(noon, noon - 1))
    expect(decisions.map(({ late, status }) => [late, status])).toEqual([
      [false, 'scored'],
      [true, 'scored'],
    ])
  })

  test('with stale entity values says so, even when approved', async () => {
    const stale = new Map([
      ['merchant:m-1', { packed: null, ageMs: minute + 1 }],
      ['device:d-1', { packed: null, ageMs: 7 }],
    ])
    const { decisions } = await decided([{ event_time: noon }], { past: { entities: stale } })
    expect(decisions[0]).toMatchObject({ reasons: ['ENTITY_VALUES_STALE'], entity_age_ms: 7 })
  })
})

describe('a duplicate', () => {
  test('names the first decision and brings no outcome, features or alert', async () => {
    const first = { event_time: noon, amount_minor: decline * 100 }
    const { decisions, alerts } = await decided([first, { ...first, transaction_id: 'tx-0' }])
    expect(decisions[1]).toMatchObject({
      decision_id: 'payments-3-1',
      status: 'duplicate',
      outcome: null,
      score: null,
      risk_score: null,
      reasons: [],
      duplicate_of: 'payments-3-0',
    })
    expect(decisions[1]?.features).toHaveLength(0)
    expect(alerts).toHaveLength(1)
  })

  test('is recognised in a later chunk, by the state', async () => {
    const { states } = await decided([{ event_time: noon }])
    const again = [
      { partition: 3, offset: 8, transaction: (arrivals([{ event_time: noon }])[0] as Arrival).transaction },
    ]
    const past = { customers: new Map(states), entities: unknownEntities(again) }
    const later = await decide(chunkOf(again), past, active)
    expect(later.decisions[0]?.duplicate_of).toBe('payments-3-0')
    expect(later.states).toEqual(states)
    expect(later.deltas).toEqual([])
  })
})

describe('when the model fails', () => {
  const withBroken = { using: { ...active, model: brokenModel } }

  test('the chunk is decided by the degraded table, and why is told', async () => {
    const result = await decided(
      [
        { event_time: noon, amount_minor: 60_000 },
        { event_time: noon, amount_minor: 100 },
      ],
      withBroken,
    )
    expect(result.modelFailure?.message).toBe('no session')
    expect(result.decisions.map(({ status, outcome, reasons }) => [status, outcome, reasons])).toEqual([
      ['degraded', 'decline', ['DEGRADED_MODEL']],
      ['degraded', 'approve', ['DEGRADED_MODEL']],
    ])
    expect(result.decisions[0]).toMatchObject({ score: null, risk_score: null, model: 'amount@1.0.0' })
    expect(result.alerts).toMatchObject([{ transaction_id: 'tx-0', status: 'degraded', risk_score: null }])
  })

  test('states and deltas are what they would have been, and duplicates stay duplicates', async () => {
    const changes = [...at(noon, noon + minute), { event_time: noon, transaction_id: 'tx-0' }]
    const [broken, whole] = [await decided(changes, withBroken), await decided(changes)]
    expect(broken.states).toEqual(whole.states)
    expect(broken.deltas).toEqual(whole.deltas)
    expect(broken.decisions[2]).toEqual(whole.decisions[2])
  })
})

describe('without states', () => {
  test('all is decided by the degraded table, in major units of the reference currency', () => {
    const all = arrivals([
      { amount_minor: 50_000, currency: 'EUR' },
      { amount_minor: 50_000, currency: 'USD' },
      { amount_minor: 100_000, channel: 'pos' },
      { amount_minor: 99_999, channel: 'pos' },
    ])
    const { decisions, alerts } = decideDegraded(chunkOf(all), active)
    expect(decisions.map(({ outcome }) => outcome)).toEqual(['decline', 'challenge', 'review', 'approve'])
    expect(decisions.every(({ status }) => status === 'degraded')).toBe(true)
    expect(alerts.map(({ transaction_id }) => transaction_id)).toEqual(['tx-0', 'tx-2'])
  })

  test('no customer state changes, but merchants, terminals and devices hear of it', async () => {
    const all = arrivals(at(noon, noon + 1))
    const result = decideDegraded(chunkOf(all), active)
    expect(result).not.toHaveProperty('states')
    expect(result.deltas).toMatchObject([
      { kind: 'merchant', count: 2 },
      { kind: 'device', count: 2 },
    ])
    // The log brings the customers up to date, as if nothing had happened.
    expect(advance(all, new Map(), shipped)).toEqual((await decided(at(noon, noon + 1))).states)
  })
})

test('the same chunks give the same bytes', async () => {
  const topics = {
    transactions: 'transactions',
    labels: 'labels',
    decisions: 'decisions',
    alerts: 'alerts',
    entityUpdates: 'entity-updates',
    control: 'control',
  }
  const limits = { eventTimePastMs: Infinity, eventTimeFutureMs: Infinity, maxRecordBytes: 65_536 }
  const contracts = await createContracts(createFileSchemaSource(), topics, limits)
  const run = async () => {
    const customers = new Map<string, Buffer>()
    const bytes: Buffer[] = []
    const stream = [...generate({ seed: 5, events: 600, customers: 20, duplicateRate: 0.1, lateRate: 0.1 })]
    const all = stream.flatMap((record, offset) =>
      record.kind === 'transaction' ? [{ partition: 3, offset, transaction: record.transaction }] : [],
    )
    for (let i = 0; i < all.length; i += 70) {
      const chunk = all.slice(i, i + 70)
      const result = await decide(chunkOf(chunk), { customers, entities: unknownEntities(chunk) }, active)
      for (const [key, state] of result.states) customers.set(key, state)
      bytes.push(...result.decisions.map((decision) => contracts.decisions.encode(decision)))
      bytes.push(...result.alerts.map((alert) => contracts.alerts.encode(alert)))
      bytes.push(...result.states.map(([, state]) => state))
    }
    return Buffer.concat(bytes)
  }
  const [first, second] = [await run(), await run()]
  expect(first.length).toBeGreaterThan(100_000)
  expect(second.equals(first)).toBe(true)
})

describe('an alert in words', () => {
  const rows = [
    { code: 'LARGE', feature: 'amount', at_least: 1, text: '{value} is much.', text_zh: '金额{value}过高。' },
    { code: 'NIGHT', feature: 'night', at_least: 0, text: 'At night.' },
  ]
  const speaking = (language: 'en' | 'zh'): ActiveSet => ({
    ...active,
    policy: compilePolicy({ ...aPolicy, language, reasons: rows }, shipped, sha256),
  })

  test.each(['en', 'zh'] as const)('is told in the language of the policy: %s', async (language) => {
    const using = speaking(language)
    const { alerts } = await decided([{ event_time: noon, amount_minor: decline * 100 }], { using })
    expect(alerts).toHaveLength(1)
    const [alert] = alerts as [(typeof alerts)[0]]
    expect(alert.reasons.map(({ text }) => text)).toEqual(
      language === 'en'
        ? [`${decline} is much.`, 'At night.']
        : [`金额${decline}过高。`, 'NIGHT（night为0）。'],
    )
    expect(alert.narrative).toBe(narrate(alert, language))
    expect(alert.narrative).toContain(language === 'en' ? 'At night.' : `金额${decline}过高；`)
  })

  test('is told when it is degraded, too, and the language is part of the policy that a decision names', () => {
    const all = arrivals([{ amount_minor: 50_000, channel: 'ecommerce' }])
    const { decisions, alerts } = decideDegraded(chunkOf(all), speaking('zh'))
    expect(alerts[0]?.narrative).toContain('策略仅依据金额和渠道作出决定。')
    expect(decisions[0]?.policy).not.toBe(decideDegraded(chunkOf(all), speaking('en')).decisions[0]?.policy)
  })
})

describe('why', () => {
  /** The amount weighs more than it is, the hour speaks against it; it writes down what it is asked. */
  function explaining() {
    const asked: (readonly number[])[] = []
    const model: Model = {
      ...amountModel,
      async explain(features, rows, which) {
        asked.push(which)
        const width = features.length / rows
        const contributions = new Float64Array(which.length * width)
        which.forEach((row, i) => {
          contributions[i * width] = (features[row * width] as number) / 100
          contributions[i * width + shipped.names.indexOf('hour')] = -0.25
          contributions[i * width + shipped.names.indexOf('first_device')] = 0.25
        })
        return { base: -3, contributions, exact: true }
      },
    }
    return { asked, using: { ...active, model } }
  }
  const payments = [10, 990, 990, challenge, 20].map((amount, i) => ({
    event_time: noon + i * minute,
    transaction_id: `t-${i === 2 ? 1 : i}`,
    amount_minor: amount * 100,
    ...(i === 1 ? { device_id: 'a-new-one', merchant_id: 'another' } : {}),
  }))

  test('is asked once for all that is not approved; alerts carry what weighs most', async () => {
    const { asked, using } = explaining()
    const { decisions, alerts } = await decided(payments, { using })
    expect(decisions.map(({ outcome }) => outcome)).toEqual([
      'approve',
      'decline',
      null,
      'challenge',
      'approve',
    ])
    expect(asked).toEqual([[1, 3]])
    expect(alerts.map(({ base, contributions }) => ({ base, contributions }))).toEqual([
      {
        base: -3,
        contributions: [
          { feature: 'amount', value: 990, contribution: expect.closeTo(9.9, 6) },
          { feature: 'hour', value: 13, contribution: -0.25 },
          { feature: 'first_device', value: 1, contribution: 0.25 },
        ],
      },
    ])
  })

  test('gives the order of the reasons, and what speaks for fraud only', async () => {
    const { using } = explaining()
    const { decisions } = await decided(payments, { using })
    expect(decisions[1]?.reasons).toEqual(['FIRST_DEVICE'])
    const { decisions: plain, alerts } = await decided(payments)
    expect(plain[1]?.reasons.length).toBeGreaterThan(1)
    expect(alerts[0]).toMatchObject({ base: null, contributions: [] })
  })

  test('where it cannot be had the chunk is decided as if there were no scores', async () => {
    const { using } = explaining()
    const failing: Model = { ...using.model, explain: () => Promise.reject(new Error('no memory')) }
    const { decisions, modelFailure } = await decided(payments, { using: { ...active, model: failing } })
    expect(modelFailure?.message).toBe('no memory')
    expect(decisions.map(({ status }) => status)).toEqual([
      'degraded',
      'degraded',
      'duplicate',
      'degraded',
      'degraded',
    ])
  })
})
