import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { CostMatrix } from '../../../src/core/evaluation/costs.ts'
import { judgedDays, operatingPoint, withoutSettled } from '../../../src/core/evaluation/operating-point.ts'
import { cheapest, costCurve, ledgerOf } from '../../../src/core/evaluation/thresholds.ts'
import type { Thresholds } from '../../../src/core/thresholds.ts'
import { outcomes } from '../../../src/core/types.ts'
import {
  allThresholds,
  costMatrix,
  type Payment,
  payment,
  plainCost,
  plainOutcome,
  tableOf,
} from '../../helpers/threshold-tables.ts'

const present = { challenge: 450, review: 520, decline: 650 }

describe('the cheapest thresholds', () => {
  test('are those that trying all of them by hand finds, within the alerts allowed', () => {
    fc.assert(
      fc.property(
        fc.array(payment, { minLength: 1, maxLength: 30 }),
        costMatrix,
        fc.subarray([...outcomes]),
        fc.integer({ min: 0, max: 30 }),
        (payments, costs, alertOn, mostAlerts) => {
          const { table, candidate, truth } = tableOf(payments)
          const ledger = ledgerOf(table, candidate, truth, costs, alertOn)
          const found = cheapest(costCurve(ledger, costs, alertOn, mostAlerts, present), present)
          const comesTo = (thresholds: Thresholds) => {
            const given = payments.map((one) => ({ one, outcome: plainOutcome(thresholds, one) }))
            return {
              cost: given.reduce((sum, { one, outcome }) => sum + plainCost(costs, outcome, one), 0),
              alerts: given.filter(({ outcome }) => alertOn.includes(outcome)).length,
            }
          }
          const allowed = allThresholds.map(comesTo).filter(({ alerts }) => alerts <= mostAlerts)
          if (found === null) {
            expect(allowed).toEqual([])
            return
          }
          const { thresholds, cost, alerts } = found
          expect(cost).toBeCloseTo(Math.min(...allowed.map((one) => one.cost)), 6)
          expect(comesTo(thresholds)).toEqual({ cost: expect.closeTo(cost, 6), alerts })
          expect(alerts).toBeLessThanOrEqual(mostAlerts)
        },
      ),
      { numRuns: 200, seed: 7 },
    )
  })

  test('stay where they are when no others are cheaper', () => {
    const { table, candidate, truth } = tableOf([{ score: 100, fraud: false, amount: 10, day: 20_000 }])
    const costs = free({ wrong_decline: { share: 1, fixed: 0 } })
    const ledger = ledgerOf(table, candidate, truth, costs, [])
    const curve = costCurve(ledger, costs, [], Number.POSITIVE_INFINITY, present)
    expect(cheapest(curve, present)).toEqual({ thresholds: present, cost: 0, alerts: 0 })
  })

  test('move beyond every score where an outcome never pays', () => {
    const payments = [999, 999, 400].map((score) => ({ score, fraud: false, amount: 10, day: 20_000 }))
    const { table, candidate, truth } = tableOf(payments)
    const costs = free({
      wrong_decline: { share: 1, fixed: 0 },
      review: { fraud_passed: 0, fixed: 1 },
      challenge: { honest_lost: 1, fraud_passed: 0, fixed: 0 },
    })
    const ledger = ledgerOf(table, candidate, truth, costs, [])
    const curve = costCurve(ledger, costs, [], Number.POSITIVE_INFINITY, present)
    expect(cheapest(curve, present)).toEqual({
      thresholds: { challenge: 1_000, review: 1_000, decline: 1_000 },
      cost: 0,
      alerts: 0,
    })
  })
})

test('payments that are too young do not count', () => {
  const { table, candidate, truth } = tableOf([
    { score: 700, fraud: true, amount: 100, day: 20_000 },
    { score: 700, fraud: false, amount: 100, day: 20_009 },
  ])
  const old = { ...truth, judged: Uint8Array.of(1, 0) }
  const costs = free({ wrong_decline: { share: 1, fixed: 0 } })
  expect(judgedDays(table, old)).toBe(1)
  expect(ledgerOf(table, candidate, old, costs, []).honest[700]).toBe(0)
  expect(operatingPoint(table, candidate, old, { thresholds: present }, costs, []).outcomes.decline).toBe(1)
})

test('what a list or a rule decided keeps its outcome, whatever the cut-offs', () => {
  // All were declined: by the cut-offs the first one only, in its segment the second.
  const payments = [700, 500, 100].map((score) => ({ score, fraud: false, amount: 10 + score, day: 20_000 }))
  const { table, candidate, truth } = tableOf(payments)
  const segments = [{ name: 'a', when: { amount_below: 600 }, thresholds: { ...low, decline: 400 } }]
  expect([...withoutSettled(table, candidate, { thresholds: present }).riskScore]).toEqual([700, -1, -1])
  const settled = withoutSettled(table, candidate, { thresholds: present, segments })
  expect([...settled.riskScore]).toEqual([700, 500, -1])
  const never = { challenge: 1_000, review: 1_000, decline: 1_000 }
  const point = operatingPoint(table, settled, truth, { thresholds: never }, free({}), [])
  expect(point.outcomes).toEqual({ approve: 2, challenge: 0, review: 0, decline: 1 })
})

const low = { challenge: 1, review: 2 }

test('an operating point is what the sums by hand say', () => {
  const payments: Payment[] = [
    { score: 700, fraud: true, amount: 100, day: 20_000 }, // declined
    { score: 460, fraud: true, amount: 50, day: 20_000 }, // challenged
    { score: 10, fraud: true, amount: 30, day: 20_003 }, // missed
    { score: 700, fraud: false, amount: 20, day: 20_003 }, // declined
    { score: 600, fraud: false, amount: 40, day: 20_003 }, // reviewed
    { score: -1, fraud: false, amount: 60, day: 20_003 }, // declined without a score
    { score: 0, fraud: false, amount: 80, day: 20_001 }, // approved
  ]
  const { table, candidate, truth } = tableOf(payments)
  const costs: CostMatrix = {
    missed_fraud: { share: 1, fixed: 10 },
    wrong_decline: { share: 0.1, fixed: 5 },
    challenge: { honest_lost: 0.5, fraud_passed: 0.2, fixed: 1 },
    review: { fraud_passed: 0.1, fixed: 3 },
  }
  expect(judgedDays(table, truth)).toBe(4)
  expect(
    operatingPoint(table, candidate, truth, { thresholds: present }, costs, ['review', 'decline']),
  ).toEqual({
    thresholds: present,
    // challenged fraud 1 + 0.2 * 60, missed 40, declined 7 and 11, reviewed 3
    cost_per_day: (13 + 40 + 7 + 3 + 11) / 4,
    fraud_value_caught_per_day: 150 / 4,
    fraud_value_caught_share: 150 / 180,
    alerts_per_day: 1,
    worst_day: { date: '2024-10-07', alerts: 3 },
    good_value_declined_per_day: 80 / 4,
    good_value_challenged_per_day: 40 / 4,
    good_payments_hit_per_day: 3 / 4,
    outcomes: { approve: 2, challenge: 1, review: 1, decline: 3 },
  })
})

function free(costs: Partial<CostMatrix>): CostMatrix {
  return {
    missed_fraud: { share: 0, fixed: 0 },
    wrong_decline: { share: 0, fixed: 0 },
    challenge: { honest_lost: 0, fraud_passed: 0, fixed: 0 },
    review: { fraud_passed: 0, fixed: 0 },
    ...costs,
  }
}
