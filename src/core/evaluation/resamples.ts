import { Random } from '../random.ts'

/** How often each customer counts. */
export type Weights = Uint8Array

/** Every customer once: the sample itself. */
export const once = (customers: number): Weights => new Uint8Array(customers).fill(1)

/**
 * Resamples of as many customers as there are, drawn with replacement: a customer's payments stay together, since they
 * are not independent. The same seed gives the same draws.
 *
 * Field and Welsh: Bootstrapping clustered data. JRSS B 69(3), 2007 (the cluster bootstrap).
 */
export function drawCustomers(customers: number, resamples: number, seed: number): Weights[] {
  return Array.from({ length: resamples }, (_, resample) => {
    const random = new Random(seed, resample)
    const weights = new Uint8Array(customers)
    for (let i = 0; i < customers; i++) {
      const drawn = random.below(customers)
      weights[drawn] = (weights[drawn] as number) + 1
    }
    return weights
  })
}

/** Of the intervals. */
export const level = 0.95

/**
 * The percentile interval of what the resamples gave (Efron and Tibshirani: An Introduction to the Bootstrap, 1993,
 * chapter 13); NaN stands for a resample without a value. null where fewer than half have one.
 */
export function percentileInterval(values: Float64Array): readonly [low: number, high: number] | null {
  const known = values.filter((value) => !Number.isNaN(value)).sort()
  if (known.length === 0 || known.length * 2 < values.length) return null
  return [quantile(known, (1 - level) / 2), quantile(known, (1 + level) / 2)]
}

/** With straight lines between the ranks, as NumPy does. @param sorted ascending, not empty. */
export function quantile(sorted: Float64Array, share: number): number {
  const at = share * (sorted.length - 1)
  const below = Math.floor(at)
  const low = sorted[below] as number
  return low + ((sorted[below + 1] ?? low) - low) * (at - below)
}
