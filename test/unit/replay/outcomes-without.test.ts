import { describe, expect, it } from 'vitest'
import { loadFeatures, loadPolicy } from '../../../src/config/definitions.ts'
import { rulesOf } from '../../../src/config/rules-file.ts'
import type { Transaction } from '../../../src/core/types.ts'
import { outcomesWithout } from '../../../src/replay/outcomes-without.ts'

const features = loadFeatures('features.yaml')
// 450 challenges, 520 reviews, 650 declines.
const policy = loadPolicy('policy.yaml', features)
const rule = (id: string, more: string) =>
  `  - { id: ${id}, version: 1, when: 'true', reason: { code: A, text: a }, ${more} }\n`
const rules = rulesOf(
  'text',
  `version: 1.0.0\nrules:\n${rule('plus', 'adjust: 100')}${rule('minus', 'adjust: -40')}${rule('stop', 'outcome: decline, priority: 2')}${rule('ask', 'outcome: challenge, priority: 1')}`,
  { features: features.names, parts: [] },
)

function without(riskScore: number, hit: readonly string[]) {
  const decision = {
    rules_hit: hit,
    features: Buffer.alloc(0),
    score: 0.5,
    risk_score: riskScore,
    late: false,
  }
  return outcomesWithout(decision, {} as Transaction, 10, rules, { policy, lists: null, rules })
}

describe('the outcome without each rule that hit', () => {
  it.each<[number, string[], string[]]>([
    [400, [], []],
    [400, ['plus'], ['approve']],
    [400, ['plus', 'minus'], ['approve', 'challenge']],
    [430, ['plus', 'minus'], ['approve', 'review']],
    [600, ['minus'], ['review']],
    [100, ['stop'], ['approve']],
    [100, ['stop', 'ask'], ['challenge', 'decline']],
    [600, ['plus', 'stop'], ['decline', 'decline']],
  ])('of risk %i and %j is %j', (riskScore, hit, expected) => {
    expect(without(riskScore, hit)).toEqual(expected)
  })
})
