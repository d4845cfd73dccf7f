import { dayMs, daysOf, spanOf } from '../days.ts'
import { outcomes } from '../types.ts'
import type { ComparedData } from './comparison.ts'
import type { CandidateColumns, DecisionTable } from './decision-table.ts'
import { amountOf } from './matrix.ts'
import type { CompareOptions } from './options.ts'
import { quantile } from './resamples.ts'
import { allRows } from './slices.ts'
import type { Truth } from './truth.ts'

const decline = outcomes.indexOf('decline')

/** The champion is who decided when history was made: what it declined and nobody labelled had no way to turn out. */
export function blockedWithoutOutcome(
  { outcome }: CandidateColumns,
  { judged, labelled }: Truth,
): Int32Array {
  return rowsOf(judged).filter((row) => outcome[row] === decline && labelled[row] === 0)
}

const rowsOf = (marks: Uint8Array, mark = 1): Int32Array =>
  allRows(marks.length).filter((row) => marks[row] === mark)

/** Judged payments without a score. */
export const unscoredOf = ({ score }: CandidateColumns, { judged }: Truth): number =>
  rowsOf(judged).filter((row) => Number.isNaN(score[row])).length

const iso = (time: number): string => new Date(time).toISOString()

/**
 * What is judged, and what is known of it.
 *
 * @param unknown rows of `blockedWithoutOutcome`.
 */
export function dataOf(
  table: DecisionTable,
  truth: Truth,
  unknown: Int32Array,
  { maturityDays, currency }: Pick<CompareOptions, 'maturityDays' | 'currency'>,
): ComparedData {
  const { amount, customer, eventTime, labelKnownTime } = table
  const [first, last] = spanOf(eventTime)
  const judged = rowsOf(truth.judged)
  const frauds = judged.filter((row) => truth.fraud[row] === 1)
  const delays = Float64Array.from(
    frauds,
    (row) => ((labelKnownTime[row] as number) - (eventTime[row] as number)) / dayMs,
  ).sort()
  return {
    currency,
    ...amountOf(allRows(table.rows), amount),
    customers: new Set(customer).size,
    first_event_time: iso(first),
    last_event_time: iso(last),
    days: daysOf(eventTime),
    labels_until: iso(truth.labelsUntil),
    maturity_days: maturityDays,
    judged_until: iso(truth.judgedUntil),
    judged: amountOf(judged, amount),
    too_young: amountOf(rowsOf(truth.judged, 0), amount),
    labelled: judged.filter((row) => truth.labelled[row] === 1).length,
    frauds: amountOf(frauds, amount),
    blocked_without_outcome: amountOf(unknown, amount),
    label_delay_days:
      delays.length === 0 ? null : { median: quantile(delays, 0.5), p95: quantile(delays, 0.95) },
  }
}
