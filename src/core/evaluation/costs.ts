import type { Outcome } from '../types.ts'

/**
 * What each mistake and each measure costs, amounts in major units of the reference currency. `share` is of the amount
 * of the payment, `fixed` comes on top; other shares are of payments. Documented in config/costs.yaml.
 */
export interface CostMatrix {
  /** A fraud that went through. */
  readonly missed_fraud: { readonly share: number; readonly fixed: number }
  /** An honest payment that was declined. */
  readonly wrong_decline: { readonly share: number; readonly fixed: number }
  /** `honest_lost`: give up and count as wrongly declined; `fraud_passed`: pass all the same and count as missed. */
  readonly challenge: { readonly honest_lost: number; readonly fraud_passed: number; readonly fixed: number }
  /** `fixed`: a person's time; `fraud_passed`: frauds that the person lets through. */
  readonly review: { readonly fraud_passed: number; readonly fixed: number }
}

/** Cost of one payment in major units: linear in its amount, which is why sums by risk score are enough. */
export function costOf(costs: CostMatrix, outcome: Outcome, fraud: boolean, amount: number): number {
  return costOfMany(costs, outcome, fraud ? 1 : 0, fraud ? amount : 0, fraud ? 0 : 1, fraud ? 0 : amount)
}

/** The same for several payments that get one outcome, from their numbers and sums of amounts. */
export function costOfMany(
  costs: CostMatrix,
  outcome: Outcome,
  frauds: number,
  fraudAmount: number,
  honest: number,
  honestAmount: number,
): number {
  const { missed_fraud, wrong_decline, challenge, review } = costs
  const missed = missed_fraud.share * fraudAmount + missed_fraud.fixed * frauds
  const declined = wrong_decline.share * honestAmount + wrong_decline.fixed * honest
  const all = frauds + honest
  switch (outcome) {
    case 'approve':
      return missed
    case 'challenge':
      return challenge.fixed * all + challenge.fraud_passed * missed + challenge.honest_lost * declined
    case 'review':
      return review.fixed * all + review.fraud_passed * missed
    case 'decline':
      return declined
  }
}
