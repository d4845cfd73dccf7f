import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { CostMatrix, Thresholds } from '../../../src/core/evaluation/costs.ts'
import type { CandidateColumns, DecisionTable } from '../../../src/core/evaluation/decision-table.ts'
import { type Judged, judgedDays, operatingPoint } from '../../../src/core/evaluation/operating-point.ts'
import { cheapest, costCurve, ledgerOf } from '../../../src/core/evaluation/thresholds.ts'
import { type Outcome, outcomes } from '../../../src/core/types.ts'

interface Payment {
  readonly score: number
  readonly fraud: boolean
  readonly amount: number
  readonly day: number
}

const day = 86_400_000

function tableOf(payments: readonly Payment[]): {
  table: DecisionTable
  candidate: CandidateColumns
  truth: Judged
} {
  const none = { values: [], codes: new Int32Array(payments.length).fill(-1) }
  const candidate = {
    name: 'champion',
    score: Float64Array.from(payments, ({ score }) => score / 1000),
    riskScore: Int16Array.from(payments, ({ score }) => score),
    outcome: Uint8Array.from(payments, () => outcomes.indexOf('decline')),
  }
  const table = {
    rows: payments.length,
    eventTime: Float64Array.from(payments, (one) => one.day * day),
    amount: Float64Array.from(payments, ({ amount }) => amount),
    customer: new Int32Array(payments.length),
    fraud: Uint8Array.from(payments, ({ fraud }) => (fraud ? 1 : 0)),
    labelKnownTime: new Float64Array(payments.length).fill(Number.NaN),
    labelBefore: new Map(),
    segments: { type: none, channel: none, country: none, mcc: none, currency: none, fraud_type: none },
    candidates: [candidate],
  }
  return { table, candidate, truth: { judged: new Uint8Array(payments.length).fill(1), fraud: table.fraud } }
}

/** The plain words of config/costs.yaml, by payment and without sums. */
function plainCost(costs: CostMatrix, outcome: Outcome, { fraud, amount }: Payment): number {
  const missed = costs.missed_fraud.share * amount + costs.missed_fraud.fixed
  const lost = costs.wrong_decline.share * amount + costs.wrong_decline.fixed
  if (outcome === 'approve') return fraud ? missed : 0
  if (outcome === 'decline') return fraud ? 0 : lost
  if (outcome === 'review') return costs.review.fixed + (fraud ? costs.review.fraud_passed * missed : 0)
  const { fixed, fraud_passed, honest_lost } = costs.challenge
  return fixed + (fraud ? fraud_passed * missed : honest_lost * lost)
}

function plainOutcome({ challenge, review, decline }: Thresholds, { score }: Payment): Outcome {
  if (score < 0) return 'decline'
  if (score < challenge) return 'approve'
  if (score < review) return 'challenge'
  return score < decline ? 'review' : 'decline'
}

const cents = fc.integer({ min: 0, max: 2_000 }).map((value) => value / 100)
const share = fc.integer({ min: 0, max: 20 }).map((value) => value / 20)
const costMatrix: fc.Arbitrary<CostMatrix> = fc.record({
  missed_fraud: fc.record({ share, fixed: cents }),
  wrong_decline: fc.record({ share, fixed: cents }),
  challenge: fc.record({ honest_lost: share, fraud_passed: share, fixed: cents }),
  review: fc.record({ fraud_passed: share, fixed: cents }),
})
const payment: fc.Arbitrary<Payment> = fc.record({
  score: fc.constantFrom(-1, 0, 1, 250, 500, 501, 998, 999),
  fraud: fc.boolean(),
  amount: fc.integer({ min: 0, max: 50_000 }).map((value) => value / 100),
  day: fc.integer({ min: 20_000, max: 20_004 }),
})
const present = { challenge: 450, review: 520, decline: 650 }
/** Between two scores that occur it does not matter where a cut-off is. */
const telling = [0, 1, 2, 251, 501, 502, 999, 1_000]

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
          const allowed = telling
            .flatMap((challenge) => telling.map((review) => ({ challenge, review })))
            .flatMap((two) => telling.map((decline) => ({ ...two, decline })))
            .filter(({ challenge, review, decline }) => challenge <= review && review <= decline)
            .map(comesTo)
            .filter(({ alerts }) => alerts <= mostAlerts)
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
  expect(operatingPoint(table, candidate, old, present, costs, []).outcomes.decline).toBe(1)
})

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
  expect(operatingPoint(table, candidate, truth, present, costs, ['review', 'decline'])).toEqual({
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
