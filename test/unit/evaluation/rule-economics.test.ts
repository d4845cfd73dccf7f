import { describe, expect, it } from 'vitest'
import { defaultCosts } from '../../../src/config/costs.ts'
import type { DecisionTable, TextColumn } from '../../../src/core/evaluation/decision-table.ts'
import { ruleEconomics } from '../../../src/core/evaluation/rule-economics.ts'
import { type Outcome, outcomes } from '../../../src/core/types.ts'

interface Payment {
  readonly fraud: boolean
  readonly amount: number
  readonly outcome: Outcome
  /** Rules that hit, and the outcome without each. */
  readonly hits: Readonly<Record<string, Outcome>>
}

function column(texts: readonly string[]): TextColumn {
  const values = [...new Set(texts)]
  return { values, codes: Int32Array.from(texts, (text) => values.indexOf(text)) }
}

function economicsOf(payments: readonly Payment[], names: readonly string[]) {
  const table = {
    rows: payments.length,
    eventTime: Float64Array.from(payments, (_, i) => i * 1_000),
    amount: Float64Array.from(payments, ({ amount }) => amount),
    fraud: Uint8Array.from(payments, ({ fraud }) => (fraud ? 1 : 0)),
  } as unknown as DecisionTable
  const candidate = {
    name: 'ruled',
    score: new Float64Array(payments.length),
    riskScore: new Int16Array(payments.length),
    outcome: Uint8Array.from(payments, ({ outcome }) => outcomes.indexOf(outcome)),
    rules: {
      hit: column(payments.map(({ hits }) => Object.keys(hits).join())),
      without: column(payments.map(({ hits }) => Object.values(hits).join())),
    },
  }
  return ruleEconomics(table, candidate, names, defaultCosts)
}

const honest = { fraud: false, amount: 100 }
const fraud = { fraud: true, amount: 200 }

describe('the economics of rules', () => {
  const { rules, overlap, changesNothing } = economicsOf(
    [
      { ...honest, outcome: 'approve', hits: {} },
      { ...fraud, outcome: 'decline', hits: { a: 'approve' } },
      { ...honest, outcome: 'decline', hits: { a: 'approve' } },
      { ...fraud, outcome: 'decline', hits: { a: 'decline', b: 'decline' } },
      { ...fraud, outcome: 'decline', hits: { a: 'review' } },
    ],
    ['a', 'b', 'c'],
  )

  it('count hits, and how many honest payments there are for each fraud', () => {
    expect(rules.map(({ rule, hits, fraudHits }) => [rule, hits, fraudHits])).toEqual([
      ['a', 4, 3],
      ['b', 1, 1],
      ['c', 0, 0],
    ])
    expect(rules.map(({ falsePositiveRatio }) => falsePositiveRatio)).toEqual([1 / 3, 0, null])
  })

  it('credit a rule with what only it catches', () => {
    expect(rules[0]).toMatchObject({ decided: 3, uniqueCatch: 1, uniqueCatchValue: 200, uniqueFriction: 1 })
    expect(rules[1]).toMatchObject({ decided: 0, uniqueCatch: 0, uniqueFriction: 0 })
  })

  it('weigh what is saved by the costs of mistakes and measures', () => {
    const { missed_fraud, wrong_decline, review } = defaultCosts
    const missed = missed_fraud.share * 200 + missed_fraud.fixed
    const refused = wrong_decline.share * 100 + wrong_decline.fixed
    const reviewed = review.fixed + review.fraud_passed * missed
    expect(rules[0]?.saved).toBeCloseTo(missed - refused + reviewed, 9)
    expect(rules[1]?.saved).toBe(0)
  })

  it('tell the last hit, what hits together, and what changes nothing', () => {
    expect(rules.map(({ lastHit }) => lastHit)).toEqual([4_000, 3_000, null])
    expect(overlap).toEqual([
      [4, 1, 0],
      [1, 1, 0],
      [0, 0, 0],
    ])
    expect(changesNothing).toEqual(['b', 'c'])
  })
})
