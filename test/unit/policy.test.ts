import { expect, test } from 'vitest'
import { sha256 } from '../../src/config/definitions.ts'
import { compilePolicy, degradedRow, outcomeOf, type PolicyFile, reasonsOf } from '../../src/core/policy.ts'
import { aTransaction } from '../helpers/contracts.ts'
import { shipped } from '../helpers/feature-values.ts'
import { aPolicy } from '../helpers/policy.ts'

const compiled = (changes: Partial<PolicyFile> = {}) =>
  compilePolicy({ ...aPolicy, ...changes }, shipped, sha256)

/** A vector in which all is missing but what is named. */
function row(values: Readonly<Record<string, number>>): Buffer {
  return Buffer.from(Float32Array.from(shipped.names, (name) => values[name] ?? Number.NaN).buffer)
}

test('outcomes go by thresholds; equal ones leave the lighter outcome out', () => {
  const policy = compiled({ thresholds: { challenge: 100, review: 200, decline: 200 } })
  expect([0, 99, 100, 199, 200, 999].map((score) => outcomeOf(policy, score, aTransaction(), 12.99))).toEqual(
    ['approve', 'approve', 'challenge', 'challenge', 'decline', 'decline'],
  )
})

test('the id is version and hash: it changes with any part of the file', () => {
  const ids = [
    compiled(),
    compiled({ version: '1.0.1' }),
    compiled({ alert_on: ['decline'] }),
    compiled({ reasons: aPolicy.reasons.slice(1) }),
  ].map(({ id }) => id)
  expect(new Set(ids).size).toBe(4)
  expect(compiled().id).toBe(ids[0])
  expect(ids[0]).toMatch(/^\S+#[0-9a-f]{8}$/)
})

test('reasons are the first four that hold, weightiest first', () => {
  const all = reasonsOf(
    compiled(),
    'decline',
    row({ geo_speed: 1200, device_customers: 4, first_device: 1, first_country: 1, night: 1 }),
    900,
    false,
  )
  expect(all).toEqual([
    {
      code: 'IMPOSSIBLE_TRAVEL',
      text: 'Travelled at 1200 km/h.',
    },
    { code: 'DEVICE_SHARED', text: '4 customers on it.' },
    { code: 'FIRST_DEVICE', text: 'First from this device.' },
    { code: 'FIRST_COUNTRY', text: 'First in this country.' },
  ])
})

test('with contributions those that hold come by what their features together add; what speaks against fraud is none', () => {
  const group = { ...aPolicy.reasons[1], features: ['device_count_1h'] } as PolicyFile['reasons'][number]
  const policy = compiled({ reasons: aPolicy.reasons.toSpliced(1, 1, group) })
  const values = row({ geo_speed: 1200, device_customers: 4, first_device: 1, first_country: 1, night: 0 })
  const moved = {
    geo_speed: 0.5,
    device_customers: -0.1,
    device_count_1h: 0.9,
    first_country: -0.2,
    night: 3,
  }
  const contributions = Float64Array.from(shipped.names, (name) => moved[name as keyof typeof moved] ?? 0)
  const codes = reasonsOf(policy, 'decline', values, 900, false, contributions).map(({ code }) => code)
  expect(codes).toEqual(['DEVICE_SHARED', 'IMPOSSIBLE_TRAVEL'])
  const nothing = reasonsOf(policy, 'decline', values, 900, false, new Float64Array(shipped.names.length))
  expect(nothing.map(({ code }) => code)).toEqual(['SCORE'])
})

test('what is usual is said beside the value, where it is known', () => {
  const usual = { feature: 'customer_count_30d', per: 30, text: 'usual {usual} a day' }
  const policy = compiled({
    reasons: [
      { code: 'FAST', feature: 'customer_count_10m', at_least: 3, text: '{value} in 10 minutes.', usual },
    ],
  })
  const text = (values: Readonly<Record<string, number>>) =>
    reasonsOf(policy, 'review', row({ customer_count_10m: 4, ...values }), 700, false)[0]?.text
  expect(text({ customer_count_30d: 30 })).toBe('4 in 10 minutes; usual 1 a day.')
  expect(text({ customer_count_30d: 1 })).toBe('4 in 10 minutes; usual less than 0.1 a day.')
  expect(text({ customer_count_30d: 0 })).toBe('4 in 10 minutes; usual 0 a day.')
  expect(text({})).toBe('4 in 10 minutes.')
  const inChinese = compiled({
    language: 'zh',
    reasons: [
      {
        code: 'FAST',
        feature: 'customer_count_10m',
        at_least: 3,
        text: '{value} in 10 minutes.',
        text_zh: '此前10分钟内{value}笔。',
        usual: { ...usual, text_zh: '平常每天{usual}笔' },
      },
    ],
  })
  const values = row({ customer_count_10m: 4, customer_count_30d: 30 })
  expect(reasonsOf(inChinese, 'review', values, 700, false)[0]?.text).toBe('此前10分钟内4笔，平常每天1笔。')
})

test('a Chinese policy says both in Chinese, and what it has no words for by its names', () => {
  const usual = { feature: 'customer_count_30d', per: 30, text: 'usual {usual}' }
  const limits = { feature: 'customer_count_10m', at_least: 3, text: '{value} in 10 minutes.' }
  const zh = { text_zh: '此前10分钟内已付款{value}笔。', usual: { ...usual, text_zh: '平常每天{usual}笔' } }
  const policy = compiled({
    language: 'zh',
    reasons: [
      { code: 'FAST', ...limits, ...zh },
      { code: 'QUICK', ...limits, usual },
    ],
  })
  const text = (customer_count_30d: number) =>
    reasonsOf(policy, 'review', row({ customer_count_10m: 4, customer_count_30d }), 700, false).map(
      ({ text }) => text,
    )
  expect(text(30)).toEqual([
    '此前10分钟内已付款4笔，平常每天1笔。',
    'QUICK（customer_count_10m为4），平常为1。',
  ])
  expect(text(1)[0]).toBe('此前10分钟内已付款4笔，平常每天不到0.1笔。')
  expect(text(Number.NaN)).toEqual(['此前10分钟内已付款4笔。', 'QUICK（customer_count_10m为4）。'])
})

test('a limit is met by the value itself and never by a missing one', () => {
  const policy = compiled({
    reasons: [{ code: 'FEW', feature: 'amount', at_least: 2, at_most: 3, text: '{value} of {value}' }],
  })
  const codes = (amount: number) =>
    reasonsOf(policy, 'review', row({ amount }), 700, false).map(({ code }) => code)
  expect([1.9, 2, 3, 3.1, Number.NaN].map(codes)).toEqual([['SCORE'], ['FEW'], ['FEW'], ['SCORE'], ['SCORE']])
  const [reason] = reasonsOf(policy, 'review', row({ amount: 2.26 }), 700, false)
  expect(reason?.text).toBe('2.3 of 2.3')
})

test('an approval needs no reason but that something could not be known', () => {
  const values = row({ first_device: 1 })
  expect(reasonsOf(compiled(), 'approve', values, 10, false)).toEqual([])
  const stale = reasonsOf(compiled(), 'approve', values, 10, true)
  expect(stale.map(({ code }) => code)).toEqual(['ENTITY_VALUES_STALE'])
})

test('where no reason holds, the score as a whole is one', () => {
  expect(reasonsOf(compiled(), 'review', row({}), 712, false)).toEqual([
    { code: 'SCORE', text: 'The model sees a risk of 712 of 999 in the payment as a whole.' },
  ])
})

test('without a score the first row that matches decides', () => {
  const policy = compiled({
    degraded: [
      { channel: ['moto'], amount_at_least: 10, outcome: 'decline', alert: true },
      { amount_at_least: 100, outcome: 'review', alert: false },
      { outcome: 'approve', alert: false },
    ],
  })
  const outcome = (channel: string, amount: number) =>
    degradedRow(policy, aTransaction({ channel }), amount).outcome
  expect(outcome('moto', 10)).toBe('decline')
  expect(outcome('moto', 9.99)).toBe('approve')
  expect(outcome('pos', 100)).toBe('review')
})

test('a policy that could leave a payment undecided, or names what is not there, is refused', () => {
  const invalid = { code: 'WEIR_POLICY_INVALID' }
  const refused = (changes: Partial<PolicyFile>) =>
    expect(() => compiled(changes)).toThrow(expect.objectContaining(invalid))
  refused({ degraded: [] })
  refused({ degraded: [{ channel: ['pos'], outcome: 'approve', alert: false }] })
  refused({ thresholds: { challenge: 2, review: 1, decline: 3 } })
  refused({ reasons: [{ code: 'X', feature: 'no_such_feature', text: 'x' }] })
  refused({ reasons: [{ code: 'X', feature: 'amount', features: ['no_such_feature'], text: 'x' }] })
  const usual = { feature: 'no_such_feature', per: 1, text: 'x' }
  refused({ reasons: [{ code: 'X', feature: 'amount', text: 'x', usual }] })
})
