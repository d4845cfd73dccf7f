import { describe, expect, it, test } from 'vitest'
import { sha256 } from '../../../src/config/definitions.ts'
import { compilePolicy } from '../../../src/core/policy.ts'
import type { Outcome } from '../../../src/core/types.ts'
import { type ListHit, type RuleHit, verdictOf } from '../../../src/core/verdict.ts'
import { aTransaction } from '../../helpers/contracts.ts'
import { shipped } from '../../helpers/feature-values.ts'
import { aPolicy } from '../../helpers/policy.ts'

const thresholds = { challenge: 400, review: 600, decline: 800 }
const policy = compilePolicy({ ...aPolicy, thresholds }, shipped, sha256)

const final: ListHit = { list: 'deny', type: 'device', isFinal: true }
const deny: ListHit = { list: 'deny', type: 'merchant', isFinal: false }
const allow: ListHit = { list: 'allow', type: 'customer', isFinal: false }
const watch: ListHit = { list: 'watch', type: 'ip', isFinal: false }
const rule = (id: string, changes: Partial<RuleHit>): RuleHit => ({
  id,
  outcome: null,
  adjust: 0,
  priority: 0,
  reason: { code: id.toUpperCase(), text: id },
  ...changes,
})

const verdict = (
  riskScore: number,
  lists: readonly ListHit[] = [],
  rules: readonly RuleHit[] = [],
  by = policy,
) =>
  verdictOf(
    {
      transaction: aTransaction(),
      features: Buffer.alloc(0),
      score: 0.5,
      riskScore,
      parts: [],
      amount: 12.99,
      late: false,
    },
    { policy: by, lists: { hits: () => lists }, rules: { id: 'r', hits: () => rules } },
  )

const block = rule('block', { outcome: 'decline' })
const pass = rule('pass', { outcome: 'approve', priority: 5 })

describe('of score, rules and lists, the first that speaks decides', () => {
  test.each<[string, readonly ListHit[], readonly RuleHit[], number, Outcome]>([
    ['a final deny entry', [allow, final], [pass], 0, 'decline'],
    ['an allow entry, over a deny entry that can be overridden', [allow, deny], [block], 999, 'approve'],
    ['an allow entry, over rules and score', [allow], [block], 999, 'approve'],
    ['a deny entry, over rules', [deny], [pass], 0, 'decline'],
    ['a rule, over the score', [], [block], 0, 'decline'],
    ['a rule that lets through, over the score', [], [pass], 999, 'approve'],
    ['the rule of the higher priority', [], [block, pass], 999, 'approve'],
    ['of equal rules the strictest', [], [rule('a', { outcome: 'challenge' }), block], 0, 'decline'],
    ['a watch entry decides nothing', [watch], [], 650, 'review'],
    ['the score', [], [], 650, 'review'],
  ])('%s', (_, lists, rules, riskScore, outcome) => {
    expect(verdict(riskScore, lists, rules).outcome).toBe(outcome)
  })
})

it('adds what rules add to the risk score, within 0 and 999, before the thresholds', () => {
  const plus = (...adjusts: number[]) => adjusts.map((adjust, i) => rule(`r${i}`, { adjust }))
  expect(verdict(390, [], plus(10))).toMatchObject({ outcome: 'challenge', adjustment: 10 })
  expect(verdict(390, [], plus(500, -495))).toMatchObject({ outcome: 'approve', adjustment: 5 })
  expect(verdict(790, [], plus(999)).outcome).toBe('decline')
  expect(verdict(999, [], plus(-999)).outcome).toBe('approve')
})

it('names what led to it, lists first', () => {
  const { reasons } = verdict(0, [deny, watch], [block])
  expect(reasons.map(({ code }) => code)).toEqual(['DENY_LISTED', 'WATCH_LISTED', 'BLOCK'])
  expect(reasons[0]?.text).toBe('The merchant is on the deny list.')
})

describe('an exemption from strong customer authentication', () => {
  const tra = { fraud_rate: { card: 0.0001 }, risk_below: 300, unless: [] }
  const exempting = compilePolicy({ ...aPolicy, thresholds, sca: { tra } }, shipped, sha256)
  const soft = rule('soft', { outcome: 'challenge' })
  test.each<[string, readonly ListHit[], readonly RuleHit[], number, string | null]>([
    ['is asked for at a low risk', [], [], 10, 'exempt-tra'],
    ['stands with an allow entry', [allow], [], 10, 'exempt-tra'],
    ['is not had by an allow entry where the risk is not low', [allow], [], 700, 'required'],
    ['nor by a rule that lets through', [], [pass], 700, 'required'],
    ['is lost where a rule adds to the risk', [], [rule('plus', { adjust: 290 })], 10, 'required'],
    ['is lost where a rule challenges', [], [soft], 10, 'challenge'],
    ['is lost where a rule challenged, though another lets through', [], [soft, pass], 10, 'required'],
    ['is lost where a list challenged, though another lets through', [allow, deny], [], 10, 'required'],
    ['is lost where something is watched', [watch], [], 10, 'required'],
    ['is lost where a list declines', [deny], [], 10, null],
    ['is lost where a rule declines', [], [block], 10, null],
  ])('%s', (_, lists, rules, riskScore, sca) => {
    expect(verdict(riskScore, lists, rules, exempting).sca).toBe(sca)
  })

  it('is not spoken of where the policy has no such section', () => {
    expect(verdict(10).sca).toBe(null)
  })
})
