import { type Comparison, isShown, type MetricRow } from '../core/evaluation/comparison.ts'
import { type MetricName, metrics } from '../core/evaluation/metrics.ts'
import { numbered } from '../core/numbers.ts'
import { judgedOn, show } from './comparison.ts'
import { note, print, printTable } from './output.ts'
import { comparisonWarnings, worth } from './warnings.ts'

/** What tells candidates apart at a glance, with shorter titles than elsewhere. */
const headline: readonly (readonly [metric: MetricName, title: string])[] = [
  ['fraud_value_caught', 'fraud caught'],
  ['good_value_declined', 'good declined'],
  ['good_value_challenged', 'good challenged, reviewed'],
  ['insult_rate', 'insult rate'],
  ['alerts_per_day', 'alerts a day'],
]

const rowOf = ({ metrics: rows }: Comparison, name: MetricName): MetricRow =>
  rows.find(({ metric }) => metric === name) as MetricRow

/** What `weir compare --json` prints of several candidates. */
export const overviewOf = (comparisons: readonly Comparison[]) => ({
  champion: comparisons[0]?.champion.name,
  data: comparisons[0]?.data,
  method: comparisons[0]?.method,
  overview: comparisons.map((comparison) => ({
    candidate: comparison.candidate.name,
    metrics: headline.map(([name]) => rowOf(comparison, name)),
  })),
})

/** Shows several candidates of a replay, a row each. @param comparisons with the same champion, at least one. */
export function showOverview(comparisons: readonly Comparison[], folder: string): void {
  const [first] = comparisons as [Comparison]
  const { champion, data, method } = first
  print(
    `${numbered(comparisons.length, 'candidate')} against ${champion.name}: ${worth(data, data.currency)} of ${numbered(data.customers, 'customer')}`,
  )
  print(judgedOn(first))
  for (const line of new Set(comparisons.flatMap(comparisonWarnings))) note(line)
  print('')
  printTable(
    ['', ...headline.map(([metric, title]) => inCurrency(metric, title, data.currency))],
    [
      [champion.name, ...headline.map(([metric]) => show(metric, rowOf(first, metric).champion.value))],
      ...comparisons.map((comparison) => [
        comparison.candidate.name,
        ...headline.map(([metric]) => against(rowOf(comparison, metric))),
      ]),
    ],
    'numbers',
  )
  print('')
  if (method.resamples > 0) print('* more than chance: the 95 % interval of the difference leaves 0 out')
  print(`all of one: weir compare ${folder} --candidate ${first.candidate.name}`)
}

const inCurrency = (metric: MetricName, title: string, currency: string): string =>
  metrics[metric].unit === 'money' ? `${title}, ${currency}` : title

function against({ metric, candidate, difference }: MetricRow): string {
  if (candidate.value === null) return '-'
  const star = isShown(difference) === true ? '*' : ' '
  return `${show(metric, candidate.value)} (${show(metric, difference.value, true)})${star}`
}
