import { daysOf } from '../days.ts'
import { Comparer, unknownRow } from './comparer.ts'
import type { Comparison, Contestant, MetricRow } from './comparison.ts'
import { blockedWithoutOutcome, dataOf, unscoredOf } from './data.ts'
import type { DecisionTable, SegmentField } from './decision-table.ts'
import { changesOf, decisionMatrix, outcomeAmounts } from './matrix.ts'
import { type MetricName, metricNames } from './metrics.ts'
import { type CompareOptions, type Contender, compareDefaults } from './options.ts'
import { level } from './resamples.ts'
import { cutByField, cutByPeriod } from './slices.ts'
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
  const candidateFlags = (row: number) => candidate.columns.outcome[row] !== 0
  const { resamples, seed, cards } = options
  return {
    champion: contestantOf(table, champion, truth),
    candidate: contestantOf(table, candidate, truth),
    data: dataOf(table, truth, unknown, options),
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

/** The metrics of one contender, over all payments and without intervals; null, each, for an empty table. */
export function metricsAlone(table: DecisionTable, contender: Contender): readonly MetricRow[] {
  if (table.rows === 0) return metricNames.map(unknownRow)
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

function contestantOf(table: DecisionTable, { columns, alertOn }: Contender, truth: Truth): Contestant {
  return {
    name: columns.name,
    alert_on: alertOn,
    outcomes: outcomeAmounts(table, columns),
    unscored: unscoredOf(columns, truth),
  }
}
