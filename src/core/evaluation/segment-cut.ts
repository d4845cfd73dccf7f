import type { Segment } from '../thresholds.ts'
import type { DecisionTable } from './decision-table.ts'
import type { Judged } from './operating-point.ts'
import { quantile } from './resamples.ts'

/** By what a policy file can tell payments apart. */
export const segmentedBy = ['channel', 'type', 'country', 'amount'] as const
export type SegmentedBy = (typeof segmentedBy)[number]

/** One part of the judged payments, before it has thresholds. */
export interface SegmentPart extends Pick<Segment, 'name' | 'when'> {
  readonly judged: number
  readonly frauds: number
}

/** The judged payments in parts. */
export interface SegmentCut {
  readonly parts: readonly SegmentPart[]
  /** Position in `parts`, by row; -1: in none, or not judged. */
  readonly codes: Int32Array
}

const mostBands = 4

/**
 * By the values of a field, or by amount into at most four bands of about as many frauds each, since it is frauds that
 * are scarce; their edges are the quantiles of the amounts of frauds to two digits, for people to read.
 *
 * @param leastFrauds that a band should have.
 */
export function cutSegments(
  table: DecisionTable,
  truth: Judged,
  by: SegmentedBy,
  leastFrauds: number,
): SegmentCut {
  const { conditions, codes } = by === 'amount' ? bands(table, truth, leastFrauds) : values(table, by)
  const judged = codes.map((code, row) => (truth.judged[row] === 1 ? code : -1))
  const counts = conditions.map(() => ({ judged: 0, frauds: 0 }))
  for (const [row, code] of judged.entries()) {
    const count = counts[code]
    if (count === undefined) continue
    count.judged++
    count.frauds += truth.fraud[row] as number
  }
  const parts = conditions.map((condition, part) => ({
    ...condition,
    ...(counts[part] as (typeof counts)[0]),
  }))
  return { parts, codes: judged }
}

interface Conditions {
  readonly conditions: readonly Pick<Segment, 'name' | 'when'>[]
  readonly codes: Int32Array
}

function values({ segments }: DecisionTable, by: Exclude<SegmentedBy, 'amount'>): Conditions {
  const { values, codes } = segments[by]
  const conditions = values.map((value) => ({
    name: `${by}_${value.toLowerCase()}`,
    when: { [by]: [value] },
  }))
  return { conditions, codes }
}

function bands({ amount, rows }: DecisionTable, { judged, fraud }: Judged, leastFrauds: number): Conditions {
  const ofFrauds = amount.filter((_, row) => judged[row] === 1 && fraud[row] === 1).sort()
  const number = Math.min(mostBands, Math.max(1, Math.floor(ofFrauds.length / leastFrauds)))
  const edges = Array.from({ length: number - 1 }, (_, i) =>
    Number(quantile(ofFrauds, (i + 1) / number).toPrecision(2)),
  )
  const distinct = [...new Set(edges)].filter((edge) => edge > 0)
  const inWords = (edge: number) => String(edge).replace('.', '_')
  const conditions = [undefined, ...distinct].map((from, i) => {
    const below = distinct[i]
    const name = [
      from === undefined ? [] : ['from', inWords(from)],
      below === undefined ? [] : ['below', inWords(below)],
    ]
    return {
      name: ['amount', ...name.flat()].join('_'),
      when: {
        ...(from === undefined ? {} : { amount_at_least: from }),
        ...(below === undefined ? {} : { amount_below: below }),
      },
    }
  })
  // One band is all payments: no segment, and no condition.
  if (distinct.length === 0) return { conditions: [], codes: new Int32Array(rows).fill(-1) }
  return {
    conditions,
    codes: Int32Array.from(amount, (value) => distinct.filter((edge) => value >= edge).length),
  }
}
