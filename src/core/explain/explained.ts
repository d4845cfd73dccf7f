import type { Model } from '../ports.ts'
import type { Contribution } from '../types.ts'

/** Why one row has its log-odds. */
export interface Explained {
  /** Log-odds that the contributions add to. */
  readonly base: number
  /** Of each column. */
  readonly contributions: Float64Array
}

/**
 * Asks the model about some of the rows, in one call.
 *
 * @returns by place in `rows`; nothing where the model explains nothing.
 */
export async function explainRows(
  model: Model,
  rows: Float32Array,
  count: number,
  which: readonly number[],
): Promise<ReadonlyMap<number, Explained>> {
  if (which.length === 0 || model.explain === undefined) return new Map()
  const { base, contributions } = await model.explain(rows, count, which)
  const width = contributions.length / which.length
  const explained = new Map<number, Explained>()
  for (let i = 0; i < which.length; i++) {
    const own = contributions.subarray(i * width, (i + 1) * width)
    explained.set(which[i] as number, { base, contributions: own })
  }
  return explained
}

const mostContributions = 8

/**
 * Those of the largest magnitude, of equals the first column's; none that are 0.
 *
 * @param features the vector that was scored, as decisions carry it.
 */
export function weightiest(
  names: readonly string[],
  features: Buffer,
  { contributions }: Explained,
): readonly Contribution[] {
  const columns: number[] = []
  for (let column = 0; column < contributions.length; column++) {
    if (contributions[column] !== 0) columns.push(column)
  }
  const magnitude = (column: number) => Math.abs(contributions[column] as number)
  return columns
    .sort((a, b) => magnitude(b) - magnitude(a))
    .slice(0, mostContributions)
    .map((column) => ({
      feature: names[column] as string,
      value: features.readFloatLE(column * 4),
      contribution: contributions[column] as number,
    }))
}
