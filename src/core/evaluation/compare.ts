import { outcomes } from '../types.ts'
import { Comparer } from './comparer.ts'
import type { ComparedData, Comparison, Contestant, MetricRow } from './comparison.ts'
import type { CandidateColumns, DecisionTable, SegmentField } from './decision-table.ts'
import { amountOf, changesOf, decisionMatrix, outcomeAmounts } from './matrix.ts'
import { type MetricName, metricNames } from './metrics.ts'
import { type CompareOptions, type Contender, compareDefaults } from './options.ts'
import { level, quantile } from './resamples.ts'
import { allRows, cutByField, cutByPeriod, daysOf, spanOf } from './slices.ts'
import { otherTruths, type Truth, truthAt } from './truth.ts'

const mostDays = 35

/**
 * What a change is worth: everything that docs/evaluation.md tells of, for both and for their difference.
 *
 * Pure, and the same for the same table and options.
 *
 * @param table not empty.
 */
export function compare(
  table: DecisionTable,
  champion: Contender,
  candidate: Contender,
  options: CompareOptions,
): Comparison {
  const truth = truthAt(table, options.labelsUntil, options.maturityDays)
  const unknown = options.blocking ? blockedWithoutOutcome(champion.columns, truth) : new Int32Array()
  const comparer = new Comparer(table, [champion, candidate], truth, options)
  const days = daysOf(table.eventTime)
  const length = options.period ?? (days > mostDays ? 'week' : 'day')
  const judged = rowsOf(truth.judged)
  const candidateFlags = (row: number) => candidate.columns.outcome[row] !== 0
  const { resamples, seed, cards } = options
  return {
    champion: contestantOf(table, champion, judged),
    candidate: contestantOf(table, candidate, judged),
    data: dataOf(table, truth, judged, unknown, options),
    method: { resamples, seed, level, cards_a_day: cards },
    matrix: decisionMatrix(table, champion.columns, candidate.columns, truth),
    changes: changesOf(table, champion.columns, candidate.columns, truth),
    metrics: comparer.whole(unknown.length === 0 ? [] : otherTruths(truth, unknown, candidateFlags)),
    segments: options.by.map((field) => ({
      field,
      slices: comparer.slices(cutByField(table, field, truth), metricsBy(field)),
    })),
    periods: { length, slices: comparer.slices(cutByPeriod(table, length), metricNames) },
    curves: { champion: comparer.curves(0), candidate: comparer.curves(1) },
  }
}

/** The metrics of one contender, over all payments and without intervals; no rows for an empty table. */
export function metricsAlone(table: DecisionTable, contender: Contender): readonly MetricRow[] {
  if (table.rows === 0) return []
  const truth = truthAt(table, null, 0)
  return new Comparer(table, [contender, contender], truth, { ...compareDefaults, resamples: 0 }).whole([])
}

const metricsBy = (field: SegmentField) => (field === 'fraud_type' ? ofFrauds : metricNames)

/** What can be said of frauds without the honest payments beside them. */
const ofFrauds: readonly MetricName[] = [
  'fraud_value_caught',
  'fraud_value_missed',
  'value_detection_rate',
  'account_detection_rate',
  'recall',
]

const decline = outcomes.indexOf('decline')

/** The champion is who decided when history was made: what it declined and nobody labelled had no way to turn out. */
function blockedWithoutOutcome({ outcome }: CandidateColumns, { judged, labelled }: Truth): Int32Array {
  return rowsOf(judged).filter((row) => outcome[row] === decline && labelled[row] === 0)
}

const rowsOf = (marks: Uint8Array, mark = 1): Int32Array =>
  allRows(marks.length).filter((row) => marks[row] === mark)

function contestantOf(table: DecisionTable, { columns, alertOn }: Contender, judged: Int32Array): Contestant {
  const unscored = judged.filter((row) => Number.isNaN(columns.score[row])).length
  return { name: columns.name, alert_on: alertOn, outcomes: outcomeAmounts(table, columns), unscored }
}

const iso = (time: number): string => new Date(time).toISOString()

function dataOf(
  table: DecisionTable,
  truth: Truth,
  judged: Int32Array,
  unknown: Int32Array,
  { maturityDays, currency }: CompareOptions,
): ComparedData {
  const { amount, customer, eventTime, labelKnownTime } = table
  const [first, last] = spanOf(eventTime)
  const frauds = judged.filter((row) => truth.fraud[row] === 1)
  const delays = Float64Array.from(
    frauds,
    (row) => ((labelKnownTime[row] as number) - (eventTime[row] as number)) / 86_400_000,
  ).sort()
  const all = amountOf(allRows(table.rows), amount)
  return {
    currency,
    ...all,
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
