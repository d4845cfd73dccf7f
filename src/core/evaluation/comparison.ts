/**
 * What comparing two candidates on a DecisionTable gives: `weir compare FOLDER --json` prints it, the report draws it.
 *
 * Shares run from 0 to 1, money is in major units of the reference currency, times are ISO 8601 in UTC. null stands
 * for what cannot be said, such as the recall of a segment without frauds. docs/evaluation.md defines every metric.
 */
import type { Outcome } from '../types.ts'
import type { SegmentField } from './decision-table.ts'
import type { MetricName } from './metrics.ts'

export interface Comparison {
  readonly champion: Contestant
  readonly candidate: Contestant
  readonly data: ComparedData
  readonly method: Method
  /** All 16 pairs of outcomes, the champion's slowest; the counts add up to `data.payments`. */
  readonly matrix: readonly MatrixCell[]
  /** Judged payments on which the two part: what one flags (does not approve) and the other approves. */
  readonly changes: Readonly<Record<Change, Amount>>
  /** Over all payments, in the order of `metricNames`. */
  readonly metrics: readonly MetricRow[]
  /** By each field that was asked for: values with the most payments first. */
  readonly segments: readonly { readonly field: SegmentField; readonly slices: readonly Slice[] }[]
  /** Over time, in order; empty periods are left out. `Slice.value` is the first UTC day of each, 2026-01-05. */
  readonly periods: { readonly length: PeriodLength; readonly slices: readonly Slice[] }
  readonly curves: { readonly champion: Curves; readonly candidate: Curves }
}

export const changes = ['newly_caught', 'newly_missed', 'newly_hit', 'newly_released'] as const
/**
 * `newly_caught` and `newly_missed` are frauds, `newly_hit` and `newly_released` honest payments; the first of each
 * pair is flagged by the candidate only, the second by the champion only.
 */
export type Change = (typeof changes)[number]

export type PeriodLength = 'day' | 'week'

export interface Amount {
  readonly payments: number
  readonly value: number
}

export interface Contestant {
  readonly name: string
  /** Outcomes that a person sees. */
  readonly alert_on: readonly Outcome[]
  readonly outcomes: Readonly<Record<Outcome, Amount>>
  /** Judged payments without a score: they count in decisions, not in metrics of the score. */
  readonly unscored: number
}

export interface ComparedData {
  /** Of all money, as ISO 4217 has it: the reference currency of the features. */
  readonly currency: string
  readonly payments: number
  readonly value: number
  readonly customers: number
  readonly first_event_time: string
  readonly last_event_time: string
  /** UTC days from the first to the last payment, both included. */
  readonly days: number
  /** Labels that became known later do not count. */
  readonly labels_until: string
  readonly maturity_days: number
  /** Payments after this count in decisions, not in metrics that need labels. */
  readonly judged_until: string
  readonly judged: Amount
  readonly too_young: Amount
  /** Of the judged: those that carry a label, of either kind. */
  readonly labelled: number
  readonly frauds: Amount
  /** Declined by the champion and never labelled: nobody can know. They count as honest, and make the bounds. */
  readonly blocked_without_outcome: Amount
  /** From payment to label of the judged frauds; null without any. */
  readonly label_delay_days: { readonly median: number; readonly p95: number } | null
}

export interface Method {
  /** Customers are drawn again with replacement so many times; 0: no intervals. */
  readonly resamples: number
  readonly seed: number
  /** Of the intervals. */
  readonly level: number
  /** k of card precision@k. */
  readonly cards_a_day: number
}

export interface MatrixCell {
  readonly champion: Outcome
  readonly candidate: Outcome
  readonly payments: number
  readonly value: number
  /** Of the judged. */
  readonly frauds: Amount
}

/** low <= high. */
export type Range = readonly [low: number, high: number]

export interface Estimate {
  readonly value: number | null
  /** 95 % percentile interval of the bootstrap; null without resamples, or where most resamples have no value. */
  readonly interval: Range | null
  /**
   * Worst and best that the outcomes of `blocked_without_outcome` could make of it; equal ends where there are none.
   * null in slices.
   */
  readonly bounds: Range | null
}

export interface MetricRow {
  readonly metric: MetricName
  readonly champion: Estimate
  readonly candidate: Estimate
  /** Candidate minus champion, on the same resamples. */
  readonly difference: Estimate
}

/** A part of the payments. */
export interface Slice {
  /** null: payments without a value. */
  readonly value: string | null
  /** How many values are summed up here, the rarest: 1 but for the last slice of a field with many. */
  readonly values: number
  readonly payments: number
  readonly judged: number
  readonly frauds: number
  readonly metrics: readonly MetricRow[]
}

/**
 * For plots, of the judged payments that have a score; thinned to some 200 points. Columns of equal length. All are
 * empty where the labels have one class only, but for the histogram.
 */
export interface Curves {
  /** From (0, 0) to (1, 1). `score` is the least that is flagged at the point; null: nothing is. */
  readonly roc: {
    readonly score: readonly (number | null)[]
    readonly false_positive_rate: readonly number[]
    readonly recall: readonly number[]
  }
  /** By ascending recall. */
  readonly precision_recall: {
    readonly score: readonly number[]
    readonly recall: readonly number[]
    readonly precision: readonly number[]
  }
  /** Share of frauds, and of their value, among the payments with the highest scores. From (0, 0) to (1, 1). */
  readonly gains: {
    readonly payments: readonly number[]
    readonly recall: readonly number[]
    readonly value_recall: readonly number[]
  }
  /** Bins of the risk score, [from, to). */
  readonly histogram: {
    readonly from: readonly number[]
    readonly to: readonly number[]
    readonly honest: readonly number[]
    readonly fraud: readonly number[]
  }
  /** By ascending score; a bin holds half of the payments that are left above the one before. */
  readonly calibration: {
    readonly payments: readonly number[]
    readonly mean_score: readonly number[]
    readonly fraud_rate: readonly number[]
    /** 95 % interval of Wilson (1927) of the fraud rate. */
    readonly low: readonly number[]
    readonly high: readonly number[]
  }
}

/** Whether a replay's only contestant is held against itself: then there are figures, and no differences. */
export const isAlone = ({ champion, candidate }: Comparison): boolean => champion.name === candidate.name

/** Whether a difference is more than chance: its interval lies on one side of 0. null: there is no interval. */
export const isShown = ({ interval }: Estimate): boolean | null =>
  interval === null ? null : interval[0] > 0 || interval[1] < 0
