import { interpolate, type Knots } from './calibration.ts'

/** Several models' probabilities as one: logistic regression on their log-odds, then a calibration of its own. */
export interface Fusion {
  readonly intercept: number
  /** One a part, in the parts' order. */
  readonly weights: readonly number[]
  /** From the fused value to a probability of fraud. */
  readonly calibration: Knots
}

/** Probabilities are held this far from 0 and 1, where log-odds end. */
const margin = 1e-6

/**
 * The probability of one row: that of the only part, or stacking by logistic regression (D. Wolpert: Stacked
 * generalization, 1992). The order of operations is fixed: training does the same.
 *
 * @param probabilities one a part, each in [0, 1].
 */
export function fuse(fusion: Fusion | null, probabilities: ArrayLike<number>): number {
  if (fusion === null) return probabilities[0] as number
  const { intercept, weights, calibration } = fusion
  let sum = intercept
  for (let i = 0; i < weights.length; i++) {
    sum += (weights[i] as number) * logOdds(probabilities[i] as number)
  }
  return interpolate(calibration, 1 / (1 + Math.exp(-sum)))
}

/** Of a probability, held within 1e-6 of 0 and 1. */
export function logOdds(probability: number): number {
  const p = Math.min(1 - margin, Math.max(margin, probability))
  return Math.log(p / (1 - p))
}
