import fc from 'fast-check'
import type { CostMatrix } from '../../src/core/evaluation/costs.ts'
import type { CandidateColumns, DecisionTable } from '../../src/core/evaluation/decision-table.ts'
import type { Judged } from '../../src/core/evaluation/operating-point.ts'
import type { Thresholds } from '../../src/core/thresholds.ts'
import { type Outcome, outcomes } from '../../src/core/types.ts'

/** What thresholds are tried on, and their costs in plain words: a second implementation of costs.ts. */
export interface Payment {
  readonly score: number
  readonly fraud: boolean
  readonly amount: number
  readonly day: number
  /** 'pos' where none is named. */
  readonly channel?: string
}

const day = 86_400_000

const channelOf = ({ channel = 'pos' }: Payment): string => channel

export function tableOf(payments: readonly Payment[]): {
  table: DecisionTable
  candidate: CandidateColumns
  truth: Judged
} {
  const names = [...new Set(payments.map(channelOf))]
  const channel = { values: names, codes: Int32Array.from(payments, (one) => names.indexOf(channelOf(one))) }
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
    segments: { type: none, channel, country: none, mcc: none, currency: none, fraud_type: none },
    candidates: [candidate],
  }
  return { table, candidate, truth: { judged: new Uint8Array(payments.length).fill(1), fraud: table.fraud } }
}

/** The plain words of config/costs.yaml, by payment and without sums. */
export function plainCost(costs: CostMatrix, outcome: Outcome, { fraud, amount }: Payment): number {
  const missed = costs.missed_fraud.share * amount + costs.missed_fraud.fixed
  const lost = costs.wrong_decline.share * amount + costs.wrong_decline.fixed
  if (outcome === 'approve') return fraud ? missed : 0
  if (outcome === 'decline') return fraud ? 0 : lost
  if (outcome === 'review') return costs.review.fixed + (fraud ? costs.review.fraud_passed * missed : 0)
  const { fixed, fraud_passed, honest_lost } = costs.challenge
  return fixed + (fraud ? fraud_passed * missed : honest_lost * lost)
}

export function plainOutcome({ challenge, review, decline }: Thresholds, { score }: Payment): Outcome {
  if (score < 0) return 'decline'
  if (score < challenge) return 'approve'
  if (score < review) return 'challenge'
  return score < decline ? 'review' : 'decline'
}

const cents = fc.integer({ min: 0, max: 2_000 }).map((value) => value / 100)
const share = fc.integer({ min: 0, max: 20 }).map((value) => value / 20)
export const costMatrix: fc.Arbitrary<CostMatrix> = fc.record({
  missed_fraud: fc.record({ share, fixed: cents }),
  wrong_decline: fc.record({ share, fixed: cents }),
  challenge: fc.record({ honest_lost: share, fraud_passed: share, fixed: cents }),
  review: fc.record({ fraud_passed: share, fixed: cents }),
})
export const payment: fc.Arbitrary<Payment> = fc.record({
  score: fc.constantFrom(-1, 0, 1, 250, 500, 501, 998, 999),
  fraud: fc.boolean(),
  amount: fc.integer({ min: 0, max: 50_000 }).map((value) => value / 100),
  day: fc.integer({ min: 20_000, max: 20_004 }),
})

/** Between two of the scores of `payment` that occur it does not matter where a cut-off is. */
const telling = [0, 1, 2, 251, 501, 502, 999, 1_000]

/** Every set of thresholds that decides some of them differently. */
export const allThresholds: readonly Thresholds[] = telling
  .flatMap((challenge) => telling.map((review) => ({ challenge, review })))
  .flatMap((two) => telling.map((decline) => ({ ...two, decline })))
  .filter(({ challenge, review, decline }) => challenge <= review && review <= decline)
