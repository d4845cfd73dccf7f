import type { Outcome } from '../types.ts'
import type { PeriodLength } from './comparison.ts'
import { type CandidateColumns, type SegmentField, segmentFields } from './decision-table.ts'

export interface Contender {
  readonly columns: CandidateColumns
  /** Outcomes that a person sees. */
  readonly alertOn: readonly Outcome[]
}

export interface CompareOptions {
  /** Epoch milliseconds; null: every label of the table counts. */
  readonly labelsUntil: number | null
  /** Payments younger than this at the cut-off count in decisions, not in metrics that need labels. */
  readonly maturityDays: number
  /** False for history in which nothing was blocked: every payment could show what it was. */
  readonly blocking: boolean
  readonly by: readonly SegmentField[]
  /** null: days, or weeks where there are more than 35. */
  readonly period: PeriodLength | null
  /** 0: no intervals. */
  readonly resamples: number
  readonly seed: number
  /** Of the amounts, as ISO 4217 has it. */
  readonly currency: string
  /** k of card precision@k. */
  readonly cards: number
}

export const compareDefaults: Omit<CompareOptions, 'currency'> = {
  labelsUntil: null,
  maturityDays: 0,
  blocking: true,
  by: segmentFields,
  period: null,
  resamples: 200,
  seed: 1,
  cards: 100,
}
