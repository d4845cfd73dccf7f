import { describe, expect, test } from 'vitest'
import { sha256 } from '../../../src/config/definitions.ts'
import { compileFeatures } from '../../../src/core/features/compile.ts'
import { compilePolicy } from '../../../src/core/policy.ts'
import { type ScaCase, scaOf } from '../../../src/core/sca.ts'
import { type CompiledSca, exemptionThreshold, type ScaFile } from '../../../src/core/sca-policy.ts'
import { channels, outcomes, type Transaction } from '../../../src/core/types.ts'
import { aTransaction } from '../../helpers/contracts.ts'
import { shipped } from '../../helpers/feature-values.ts'
import { aPolicy } from '../../helpers/policy.ts'

const compiled = (sca: ScaFile): CompiledSca =>
  compilePolicy({ ...aPolicy, sca }, shipped, sha256).sca as CompiledSca

const vector = (values: Readonly<Record<string, number>>): Buffer =>
  Buffer.from(Float32Array.from(shipped.names, (name) => values[name] ?? Number.NaN).buffer)

/** An approved e-commerce payment of 20 EUR by a customer who paid nothing before, at a low risk. */
const aCase = (
  changes: Partial<Omit<ScaCase, 'transaction' | 'features'>> = {},
  payment: Partial<Transaction> = {},
  values: Readonly<Record<string, number>> = {},
): ScaCase => ({
  outcome: 'approve',
  transaction: aTransaction({ channel: 'ecommerce', amount_minor: 2_000, ...payment }),
  riskScore: 10,
  features: vector({
    customer_count_30d: 0,
    customer_sum_7d: 0,
    first_device: 0,
    first_merchant: 0,
    ...values,
  }),
  flagged: false,
  late: false,
  ...changes,
})

const everything = compiled({
  low_value: { count: 'customer_count_30d' },
  tra: { fraud_rate: { card: 0.0001, transfer: 0.00005 }, risk_below: 100, unless: [] },
  recurring: { initiated_by: 'payer', first: 'first_merchant' },
})

describe('the scope: Article 97(1)(b) and recital 95 of Directive (EU) 2015/2366', () => {
  const nothing = compiled({})
  test.each<[Partial<Transaction>, string | null]>([
    [{ channel: 'ecommerce' }, 'required'],
    [{ channel: 'transfer', type: 'transfer' }, 'required'],
    [{ channel: 'recurring' }, 'required'],
    [{ channel: 'moto' }, 'out-of-scope'],
    [{ channel: 'pos' }, null],
    [{ channel: 'atm', type: 'cash' }, null],
    [{ channel: 'ecommerce', type: 'refund' }, null],
  ])('%j: %s', (payment, expected) => {
    expect(scaOf(nothing, aCase({}, payment))).toBe(expected)
  })

  test('what the payee takes under a mandate is out of it (EBA Q&A 2018_4031)', () => {
    const payee = compiled({ recurring: { initiated_by: 'payee' } })
    expect(scaOf(payee, aCase({}, { channel: 'recurring' }))).toBe('out-of-scope')
    expect(scaOf(payee, aCase({}, { channel: 'ecommerce' }))).toBe('required')
  })
})

describe('risk comes before exemptions', () => {
  test.each([
    ['approve', 'exempt-low-value'],
    ['challenge', 'challenge'],
    ['review', 'required'],
    ['decline', null],
  ] as const)('%s: %s', (outcome, expected) => {
    expect(scaOf(everything, aCase({ outcome }))).toBe(expected)
  })

  test('nothing that is not approved, or that a list or rule spoke against, is exempt from anything', () => {
    for (const outcome of outcomes) {
      for (const flagged of [false, true]) {
        for (const channel of channels) {
          const sca = scaOf(everything, aCase({ outcome, flagged }, { channel }))
          if (outcome !== 'approve' || flagged) expect(sca ?? '').not.toMatch(/^exempt/)
        }
      }
    }
  })

  test('a challenge stands whatever the channel', () => {
    for (const channel of channels) {
      expect(scaOf(everything, aCase({ outcome: 'challenge' }, { channel }))).toBe('challenge')
    }
  })
})

describe('Article 14: recurring transactions', () => {
  test.each([
    [0, 'exempt-recurring'],
    [1, 'required'],
    [Number.NaN, 'required'],
  ])('first at the payee %d: %s', (first_merchant, expected) => {
    const payment = { channel: 'recurring', amount_minor: 90_000 }
    expect(scaOf(everything, aCase({}, payment, { first_merchant }))).toBe(expected)
  })

  test('is for the channel recurring alone', () => {
    const payment = { channel: 'ecommerce', amount_minor: 90_000 }
    expect(scaOf(everything, aCase({}, payment, { first_merchant: 0 }))).toBe('required')
  })
})

describe('Article 16: low value', () => {
  const byCount = compiled({ low_value: { count: 'customer_count_30d' } })
  const bySum = compiled({ low_value: { sum: 'customer_sum_7d' } })
  const byBoth = compiled({ low_value: { count: 'customer_count_30d', sum: 'customer_sum_7d' } })

  test.each<[string, CompiledSca, number, Readonly<Record<string, number>>, boolean]>([
    ['(a) does not exceed EUR 30', byCount, 3_000, {}, true],
    ['(a) exceeds EUR 30', byCount, 3_001, {}, false],
    ['(b) comes to EUR 100 with this one', bySum, 3_000, { customer_sum_7d: 70 }, true],
    ['(b) exceeds EUR 100 by a cent', bySum, 3_000, { customer_sum_7d: 70.01 }, false],
    ['(b) is counted in whole cents', bySum, 2_990, { customer_sum_7d: 70.1 }, true],
    ['(b) is not known', bySum, 2_000, { customer_sum_7d: Number.NaN }, false],
    ['(b) is not asked about', byCount, 2_000, { customer_sum_7d: 5_000 }, true],
    ['(c) is the fifth', byCount, 2_000, { customer_count_30d: 4 }, true],
    ['(c) is the sixth', byCount, 2_000, { customer_count_30d: 5 }, false],
    ['(c) is not known', byCount, 2_000, { customer_count_30d: Number.NaN }, false],
    ['(c) is not asked about', bySum, 2_000, { customer_count_30d: 50 }, true],
    ['both are asked about, and one fails', byBoth, 2_000, { customer_count_30d: 5 }, false],
    ['both are asked about, and the other fails', byBoth, 2_000, { customer_sum_7d: 81 }, false],
    ['both are asked about and hold', byBoth, 2_000, { customer_count_30d: 4, customer_sum_7d: 80 }, true],
  ])('%s', (_, sca, amount_minor, values, exempt) => {
    expect(scaOf(sca, aCase({}, { amount_minor }, values))).toBe(exempt ? 'exempt-low-value' : 'required')
  })

  test('holds for transfers too, and needs no score', () => {
    expect(scaOf(byCount, aCase({ riskScore: null }, { channel: 'transfer' }))).toBe('exempt-low-value')
  })

  test('not where nothing is known of the customer, nor for one that came late', () => {
    expect(scaOf(byCount, aCase({ riskScore: null, features: Buffer.alloc(0) } as Partial<ScaCase>))).toBe(
      'required',
    )
    expect(scaOf(byCount, aCase({ late: true }))).toBe('required')
  })

  test('not in another currency: its rate of the day is not known', () => {
    expect(scaOf(byCount, aCase({}, { currency: 'USD', amount_minor: 100 }))).toBe('required')
  })

  test('a feature that sees some channels vouches for these alone', () => {
    const online = compiled({ low_value: { sum: 'customer_ecommerce_sum_24h' } })
    const values = { customer_ecommerce_sum_24h: 0 }
    expect(scaOf(online, aCase({}, { channel: 'ecommerce' }, values))).toBe('exempt-low-value')
    expect(scaOf(online, aCase({}, { channel: 'transfer' }, values))).toBe('required')
  })

  test('payments ever are a bound that always holds', () => {
    const ever = compiled({ low_value: { count: 'customer_total_count' } })
    expect(scaOf(ever, aCase({}, {}, { customer_total_count: 4 }))).toBe('exempt-low-value')
    expect(scaOf(ever, aCase({}, {}, { customer_total_count: 5 }))).toBe('required')
  })
})

describe('Article 18 and the annex: transaction risk analysis', () => {
  test.each<['card' | 'transfer', number, number]>([
    ['card', 0.00131, 0],
    ['card', 0.0013, 100],
    ['card', 0.00061, 100],
    ['card', 0.0006, 250],
    ['card', 0.00011, 250],
    ['card', 0.0001, 500],
    ['card', 0, 500],
    ['transfer', 0.00016, 0],
    ['transfer', 0.00015, 100],
    ['transfer', 0.00011, 100],
    ['transfer', 0.0001, 250],
    ['transfer', 0.00006, 250],
    ['transfer', 0.00005, 500],
  ])('a %s fraud rate of %d exempts up to EUR %d', (kind, rate, most) => {
    expect(exemptionThreshold(kind, rate)).toBe(most)
  })

  const tra = (changes: Partial<NonNullable<ScaFile['tra']>> = {}) =>
    compiled({
      tra: { fraud_rate: { card: 0.0006, transfer: 0.00015 }, risk_below: 100, unless: [], ...changes },
    })

  test.each<[string, number, string]>([
    ['ecommerce', 25_000, 'exempt-tra'],
    ['ecommerce', 25_001, 'required'],
    ['recurring', 25_000, 'exempt-tra'],
    ['transfer', 10_000, 'exempt-tra'],
    ['transfer', 10_001, 'required'],
    ['moto', 10_000, 'out-of-scope'],
  ])('(a), (b): %s of %d hundredths: %s', (channel, amount_minor, expected) => {
    expect(scaOf(tra(), aCase({}, { channel, amount_minor }))).toBe(expected)
  })

  test('without a fraud rate of that kind there is no exemption', () => {
    const cards = tra({ fraud_rate: { card: 0.0001 } })
    expect(scaOf(cards, aCase({}, { channel: 'ecommerce' }))).toBe('exempt-tra')
    expect(scaOf(cards, aCase({}, { channel: 'transfer' }))).toBe('required')
    expect(scaOf(tra({ fraud_rate: {} }), aCase())).toBe('required')
  })

  test.each<[number | null, string]>([
    [99, 'exempt-tra'],
    [100, 'required'],
    [null, 'required'],
  ])('(c): a risk score of %s: %s', (riskScore, expected) => {
    expect(scaOf(tra(), aCase({ riskScore }))).toBe(expected)
  })

  const unless = [
    { feature: 'first_device', at_least: 1 },
    { feature: 'customer_age', at_most: 3600 },
  ]
  test.each<[Readonly<Record<string, number>>, string]>([
    [{ first_device: 0, customer_age: 3601 }, 'exempt-tra'],
    [{ first_device: 1, customer_age: 3601 }, 'required'],
    [{ first_device: 0, customer_age: 3600 }, 'required'],
    [{ first_device: Number.NaN, customer_age: 3601 }, 'required'],
    [{ first_device: 0 }, 'required'],
  ])('(c): signs %j: %s', (values, expected) => {
    expect(scaOf(tra({ unless }), aCase({}, {}, values))).toBe(expected)
  })

  test('not in another currency', () => {
    expect(scaOf(tra(), aCase({}, { currency: 'USD' }))).toBe('required')
  })
})

describe('a section that could not be held to is refused', () => {
  test.each<[string, ScaFile]>([
    ['sca.low_value names neither count nor sum', { low_value: {} }],
    ['sca.low_value.count names the feature nope', { low_value: { count: 'nope' } }],
    ['sca.low_value.count needs a count', { low_value: { count: 'customer_sum_7d' } }],
    ['sca.low_value.count needs a count', { low_value: { count: 'customer_same_merchant_count_24h' } }],
    ['sca.low_value.count needs a count', { low_value: { count: 'customer_refund_count_24h' } }],
    ['sca.low_value.count needs a count', { low_value: { count: 'merchant_count_24h' } }],
    ['sca.low_value.sum needs a sum', { low_value: { sum: 'customer_total_count' } }],
    ['sca.recurring of the payer needs `first`', { recurring: { initiated_by: 'payer' } }],
    [
      'sca.recurring of the payer needs `first`',
      { recurring: { initiated_by: 'payer', first: 'first_device' } },
    ],
    [
      'sca.tra.unless of night needs at_least or at_most',
      { tra: { fraud_rate: {}, risk_below: 1, unless: [{ feature: 'night' }] } },
    ],
  ])('%s', (message, sca) => {
    expect(() => compiled(sca)).toThrow(
      expect.objectContaining({ code: 'WEIR_POLICY_INVALID', message: expect.stringContaining(message) }),
    )
  })

  test('a sum that is not in euros', () => {
    const inFrancs = compileFeatures({ ...shipped.file, reference_currency: 'CHF' }, sha256)
    const policy = { ...aPolicy, sca: { low_value: { sum: 'customer_sum_7d' } } }
    expect(() => compilePolicy(policy, inFrancs, sha256)).toThrow(/sca\.low_value\.sum is in EUR/)
  })
})
