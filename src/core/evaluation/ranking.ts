import type { Weights } from './resamples.ts'

/** Payments by descending score, made ready for many resamples. */
export interface Ranking {
  /** Of each payment, highest score first. */
  readonly customer: Int32Array
  readonly fraud: Uint8Array
  /** Ends of the runs of equal scores that contain a fraud, and their begins: honest payments between are told apart by no one. */
  readonly begins: Int32Array
  readonly ends: Int32Array
}

/** The rows by descending score; of equal ones the earlier first. Rows without a score are left out. */
export function rank(rows: Int32Array, score: Float64Array): Int32Array {
  return rows
    .filter((row) => !Number.isNaN(score[row]))
    .sort((a, b) => (score[b] as number) - (score[a] as number) || a - b)
}

/** @param ranked rows as `rank` orders them, or some of them. */
export function createRanking(
  ranked: Int32Array,
  score: Float64Array,
  customer: Int32Array,
  fraud: Uint8Array,
): Ranking {
  const begins: number[] = []
  const ends: number[] = []
  for (let begin = 0; begin < ranked.length; ) {
    let [end, frauds] = [begin, 0]
    const value = score[ranked[begin] as number]
    while (end < ranked.length && score[ranked[end] as number] === value) {
      frauds += fraud[ranked[end++] as number] as number
    }
    if (frauds > 0) {
      begins.push(begin)
      ends.push(end)
    }
    begin = end
  }
  const fraudOf = new Uint8Array(ranked.length)
  for (let i = 0; i < ranked.length; i++) fraudOf[i] = fraud[ranked[i] as number] as number
  return {
    customer: ranked.map((row) => customer[row] as number),
    fraud: fraudOf,
    begins: Int32Array.from(begins),
    ends: Int32Array.from(ends),
  }
}

export interface RankMetrics {
  readonly scored: number
  readonly averagePrecision: number
  readonly aucRoc: number
}

/**
 * Average precision and the area under the ROC curve of a weighted sample, with ties as scikit-learn has them: equal
 * scores are one threshold, and a pair of equal scores counts half. NaN where one of the classes is empty.
 *
 * AP = sum over thresholds of (R_n - R_n-1) P_n. AUC = P(score of a fraud > that of an honest payment) + P(equal) / 2:
 * Mann and Whitney, Annals of Mathematical Statistics 18(1), 1947; Fawcett, Pattern Recognition Letters 27(8), 2006.
 */
export function rankMetrics({ customer, fraud, begins, ends }: Ranking, weights: Weights): RankMetrics {
  let [good, frauds, precisions, misordered] = [0, 0, 0, 0]
  let at = 0
  for (let run = 0; run < ends.length; run++) {
    const [begin, end] = [begins[run] as number, ends[run] as number]
    good += weightOf(customer, weights, at, begin)
    let [goodHere, fraudsHere] = [0, 0]
    for (let i = begin; i < end; i++) {
      const weight = weights[customer[i] as number] as number
      if (fraud[i] === 1) fraudsHere += weight
      else goodHere += weight
    }
    misordered += fraudsHere * (good + goodHere / 2)
    good += goodHere
    frauds += fraudsHere
    if (fraudsHere > 0) precisions += (fraudsHere * frauds) / (frauds + good)
    at = end
  }
  good += weightOf(customer, weights, at, customer.length)
  const scored = frauds + good
  if (frauds === 0 || good === 0) return { scored, averagePrecision: Number.NaN, aucRoc: Number.NaN }
  return { scored, averagePrecision: precisions / frauds, aucRoc: 1 - misordered / (frauds * good) }
}

/** Most of the time of a comparison goes by here. */
function weightOf(customer: Int32Array, weights: Weights, from: number, to: number): number {
  let sum = 0
  for (let i = from; i < to; i++) sum += weights[customer[i] as number] as number
  return sum
}
