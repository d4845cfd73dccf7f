import {
  type Change,
  type Comparison,
  changes as changeNames,
  type Estimate,
  isAlone,
  type MetricRow,
  type Range,
  type Slice,
} from '../core/evaluation/comparison.ts'
import { type MetricDefinition, type MetricName, metrics, titleIn } from '../core/evaluation/metrics.ts'
import { fixed, numbered } from '../core/numbers.ts'
import { outcomes } from '../core/types.ts'
import { grouped, note, print, printTable } from './output.ts'
import { comparisonWarnings, worth } from './warnings.ts'

/** Shows a comparison on the terminal: what was compared, what changes, every metric, then the cuts asked for. */
export function showComparison(comparison: Comparison, overTime: boolean): void {
  const { champion, candidate, data, metrics: rows, segments, periods } = comparison
  const alone = isAlone(comparison)
  const who = alone ? `${champion.name} alone, not compared` : `${candidate.name} against ${champion.name}`
  print(`${who}: ${worth(data, data.currency)} of ${numbered(data.customers, 'customer')}`)
  print(judgedOn(comparison))
  for (const line of comparisonWarnings(comparison)) note(line)
  print('')
  if (!alone) showChanges(comparison)
  const bounded = data.blocked_without_outcome.payments > 0
  const known = rows.filter(({ champion, candidate }) => champion.value !== null || candidate.value !== null)
  if (alone) showOne(known, comparison, bounded)
  else showBoth(known, comparison, bounded)
  for (const { field, slices } of segments) showSlices(field, slices, alone)
  if (overTime) showSlices(periods.length, periods.slices, alone)
}

const day = (iso: string): string => iso.slice(0, 10)

/** Which payments, and what is known of them. */
export function judgedOn({ data }: Comparison): string {
  const { frauds, judged, labels_until, judged_until, too_young, maturity_days } = data
  const time = `payments from ${day(data.first_event_time)} to ${day(data.last_event_time)}`
  if (judged.payments === 0) {
    return `${time}, of which none was ${numbered(maturity_days, 'day')} old by ${labels_until}`
  }
  const what = `${grouped(frauds.payments)} of ${grouped(judged.payments)} judged known as fraud`
  const young =
    too_young.payments === 0 ? '' : `; ${grouped(too_young.payments)} after ${day(judged_until)} too young`
  return `${time}, ${what} by ${labels_until}${young}`
}

const changeTitles: Readonly<Record<Change, string>> = {
  newly_caught: 'frauds newly caught',
  newly_missed: 'frauds newly missed',
  newly_hit: 'good payments newly flagged',
  newly_released: 'good payments no longer flagged',
}

function showChanges({ champion, candidate, matrix, changes, data }: Comparison): void {
  const counts = (row: string) =>
    outcomes.map((column) => {
      const cell = matrix.find((one) => one.champion === row && one.candidate === column)
      return grouped(cell?.payments ?? 0)
    })
  printTable(
    [`${champion.name} \\ ${candidate.name}`, ...outcomes],
    outcomes.map((row) => [row, ...counts(row)]),
    'numbers',
  )
  print('')
  printTable(
    ['', 'payments', `value, ${data.currency}`],
    changeNames.map((change) => [
      changeTitles[change],
      grouped(changes[change].payments),
      format('money', changes[change].value),
    ]),
    'numbers',
  )
  print('')
}

/** Two columns each, so that the ends stand below each other. */
const intervalHead = ['95 % from', 'to']
const boundsHead = ['bounds from', 'to']

function showBoth(
  rows: readonly MetricRow[],
  { champion, candidate, data }: Comparison,
  bounded: boolean,
): void {
  printTable(
    ['', champion.name, candidate.name, 'difference', ...intervalHead, ...(bounded ? boundsHead : [])],
    rows.map(({ metric, champion, candidate, difference }) => [
      titleIn(metric, data.currency),
      show(metric, champion.value),
      show(metric, candidate.value),
      show(metric, difference.value, true),
      ...range(metric, difference.interval, true),
      ...(bounded ? bounds(metric, difference, true) : []),
    ]),
    'numbers',
  )
}

function showOne(rows: readonly MetricRow[], { champion, data }: Comparison, bounded: boolean): void {
  printTable(
    ['', champion.name, ...intervalHead, ...(bounded ? boundsHead : [])],
    rows.map(({ metric, champion }) => [
      titleIn(metric, data.currency),
      show(metric, champion.value),
      ...range(metric, champion.interval),
      ...(bounded ? bounds(metric, champion) : []),
    ]),
    'numbers',
  )
}

/** The few that fit beside each other; all are in --json. */
const ofSlices: readonly MetricName[] = ['value_detection_rate', 'recall', 'precision', 'insult_rate']

function showSlices(by: string, slices: readonly Slice[], alone: boolean): void {
  const names = ofSlices.filter((name) => slices[0]?.metrics.some(({ metric }) => metric === name))
  print('')
  printTable(
    [by, 'payments', 'frauds', ...names.map((name) => metrics[name].title.toLowerCase())],
    slices.map(({ value, values, payments, frauds, metrics: rows }) => [
      value ?? (values > 1 ? `${values} others` : 'none'),
      grouped(payments),
      grouped(frauds),
      ...names.map((name) => {
        const { champion, candidate } = rows.find(({ metric }) => metric === name) as MetricRow
        const after = alone ? '' : ` > ${show(name, candidate.value)}`
        return show(name, champion.value) + after
      }),
    ]),
    'numbers',
  )
}

/** A value of the metric; `-` where it cannot be said. */
export const show = (metric: MetricName, value: number | null, signed = false): string =>
  value === null ? '-' : `${signed && value > 0 ? '+' : ''}${format(metrics[metric].unit, value)}`

const range = (metric: MetricName, ends: Range | null, signed = false): readonly string[] =>
  ends === null ? ['-', '-'] : ends.map((end) => show(metric, end, signed))

/** Empty where what is not known could change nothing. */
function bounds(metric: MetricName, { bounds }: Estimate, signed = false): readonly string[] {
  const ends = range(metric, bounds, signed)
  return ends[0] === ends[1] ? ['', ''] : ends
}

function format(unit: MetricDefinition['unit'], value: number): string {
  if (unit === 'share') return `${fixed(value * 100, 2)} %`
  if (unit === 'money' || unit === 'ratio') return fixed(value, 2)
  return unit === 'a day' ? fixed(value, 1) : fixed(value, 4)
}
