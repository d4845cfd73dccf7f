import type { Aggregate, Scan } from './aggregates.ts'
import type { Placed } from './columns.ts'
import type { CustomerState } from './customer-state.ts'
import type { FeatureEvent } from './event.ts'

/*
 * Functions that call those of a list, each by a name of its own, made as program text. Called one after the other from the
 * list they would all be called from one place, of which V8 can only say that it may be any of them; by its name each is
 * known, and the short ones are taken in. A tenth of what features cost a payment (docs/performance.md).
 */

/** Writes columns into one row, which begins at `row`. */
export type WriteColumns<Given extends unknown[]> = (rows: Float32Array, row: number, ...given: Given) => void

/** @param given how many arguments each column takes, at least. */
export function writerOf<Given extends unknown[]>(
  columns: readonly Placed<(...given: Given) => number>[],
  given: Given['length'],
): WriteColumns<Given> {
  const names = Array.from({ length: given }, (_, i) => `given${i}`).join(', ')
  const statements = columns.map(({ at }, i) => `rows[row + ${at}] = column${i}(${names})`)
  return new Function(
    ...columns.map((_, i) => `column${i}`),
    `return (rows, row, ${names}) => {\n${statements.join('\n')}\n}`,
  )(...columns.map(({ value }) => value))
}

/** Fills all aggregates for one event from the state before it. */
export type FillAggregates = (state: CustomerState, event: FeatureEvent) => void

export function fillerOf(scans: readonly Scan[], aggregates: readonly Aggregate[]): FillAggregates {
  const statements = scans.map((_, i) => `scan${i}(state, event, into${i})`)
  return new Function(
    ...scans.flatMap((_, i) => [`scan${i}`, `into${i}`]),
    `return (state, event) => {\n${statements.join('\n')}\n}`,
  )(...scans.flatMap((scan, i) => [scan, aggregates[i]]))
}
