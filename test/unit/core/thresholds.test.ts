import { expect, test } from 'vitest'
import { sha256 } from '../../../src/config/definitions.ts'
import { compilePolicy, outcomeOf, type PolicyFile, policyId } from '../../../src/core/policy.ts'
import { type Segment, type SegmentCondition, thresholdsFor } from '../../../src/core/thresholds.ts'
import type { Transaction } from '../../../src/core/types.ts'
import { aTransaction } from '../../helpers/contracts.ts'
import { shipped } from '../../helpers/feature-values.ts'
import { aPolicy } from '../../helpers/policy.ts'

const strict = { challenge: 1, review: 2, decline: 3 }
const lax = { challenge: 997, review: 998, decline: 999 }
const segment = (name: string, when: SegmentCondition, thresholds = strict): Segment => ({
  name,
  when,
  thresholds,
})
const compiled = (changes: Partial<PolicyFile>) => compilePolicy({ ...aPolicy, ...changes }, shipped, sha256)

const online = { channel: 'ecommerce', type: 'purchase', country: 'DE' }
test.each<[SegmentCondition, Partial<Transaction>, number, boolean]>([
  [{ channel: ['moto', 'ecommerce'] }, online, 10, true],
  [{ channel: ['pos'] }, online, 10, false],
  [{ type: ['purchase'] }, online, 10, true],
  [{ type: ['refund'] }, online, 10, false],
  [{ country: ['DE', 'FR'] }, online, 10, true],
  [{ country: ['FR'] }, online, 10, false],
  [{ country: ['DE'] }, { ...online, country: null }, 10, false],
  [{ amount_at_least: 10 }, online, 10, true],
  [{ amount_at_least: 10 }, online, 9.99, false],
  [{ amount_below: 10 }, online, 9.99, true],
  [{ amount_below: 10 }, online, 10, false],
  [{ channel: ['ecommerce'], amount_at_least: 10, amount_below: 20 }, online, 15, true],
  [{ channel: ['pos'], amount_at_least: 10, amount_below: 20 }, online, 15, false],
])('%j of %j at %d: %s', (when, payment, amount, inside) => {
  const cutOffs = { ...aPolicy, segments: [segment('one', when)] }
  const expected = inside ? strict : aPolicy.thresholds
  expect(thresholdsFor(cutOffs, aTransaction(payment), amount)).toEqual(expected)
})

test('the first segment that matches decides, else the thresholds of the file', () => {
  const policy = compiled({
    segments: [
      segment('large', { amount_at_least: 1000 }),
      segment('online', { channel: ['ecommerce'] }, lax),
    ],
  })
  const outcome = (payment: Partial<Transaction>, amount: number) =>
    outcomeOf(policy, 700, aTransaction(payment), amount)
  expect(outcome({ channel: 'ecommerce' }, 1000)).toBe('decline')
  expect(outcome({ channel: 'ecommerce' }, 999)).toBe('approve')
  expect(outcome({ channel: 'pos' }, 999)).toBe('review')
})

test.each<[string, readonly Segment[]]>([
  ['two segments have the name a', [segment('a', { type: ['cash'] }), segment('a', { type: ['refund'] })]],
  ['segment a has no condition', [segment('a', {})]],
  [
    'segment a is empty: no amount is at least 10 and below 10',
    [segment('a', { amount_at_least: 10, amount_below: 10 })],
  ],
  ['segment a is empty: no amount is at least 0 and below 0', [segment('a', { amount_below: 0 })]],
  [
    'thresholds of segment a must ascend: challenge 5, review 4, decline 6',
    [segment('a', { type: ['cash'] }, { challenge: 5, review: 4, decline: 6 })],
  ],
])('refused: %s', (message, segments) => {
  expect(() => compiled({ segments })).toThrow(
    expect.objectContaining({ code: 'WEIR_POLICY_INVALID', message: expect.stringContaining(message) }),
  )
})

test('a policy without segments has the hash that it had before there were any', () => {
  expect(policyId(aPolicy, sha256)).toBe('1.0.0#2b121553')
  expect(policyId({ ...aPolicy, segments: [segment('a', { type: ['cash'] })] }, sha256)).not.toBe(
    '1.0.0#2b121553',
  )
})
