import type { Decision } from '../core/types.ts'
import type { DecidedChunk, Sink } from './decided-chunk.ts'

/** Counts what was decided. */
export interface Counts extends Sink {
  readonly totals: Totals
}

export interface Totals {
  duplicates: number
  frauds: number
  /** By candidate. */
  readonly outcomes: Record<string, number>[]
}

/** @param state of a replay that is gone on with; null for a new one. */
export function createCounts(names: readonly string[], state: unknown): Counts {
  const totals = (state as Totals | null) ?? {
    duplicates: 0,
    frauds: 0,
    outcomes: names.map(() => ({})),
  }
  return {
    totals,
    write({ arrivals, truths, decisions }: DecidedChunk) {
      for (const [i, { duplicateOf }] of arrivals.entries()) {
        if (duplicateOf >= 0) totals.duplicates++
        else if (truths[i]?.fraud === true) totals.frauds++
        for (const [c, ofCandidate] of decisions.entries()) {
          const { outcome, status } = ofCandidate[i] as Decision
          const counted = totals.outcomes[c] as Record<string, number>
          counted[outcome ?? status] = (counted[outcome ?? status] ?? 0) + 1
        }
      }
    },
    state: () => totals,
    close() {},
  }
}
