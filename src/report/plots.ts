import { type Comparison, type Curves, isAlone, type Slice } from '../core/evaluation/comparison.ts'
import type { MetricName } from '../core/evaluation/metrics.ts'
import { type Axis, chart } from './chart.ts'

import type { Html } from './html.ts'

type Side = 'champion' | 'candidate'

/** Both, or the only one. */
export const sidesOf = (comparison: Comparison): readonly Side[] =>
  isAlone(comparison) ? ['champion'] : ['champion', 'candidate']

/** Told apart by colour and by the line. */
const lines = {
  champion: {
    lineStyle: { width: 2, type: [6, 4], color: 'var(--champion)' },
    itemStyle: { color: 'var(--champion)' },
  },
  candidate: { lineStyle: { width: 2, color: 'var(--candidate)' }, itemStyle: { color: 'var(--candidate)' } },
} as const

const inPercent = (share: number): string => `${Number((share * 100).toPrecision(3))} %`
const compact = new Intl.NumberFormat('en-US', { notation: 'compact' })
const short = (value: number): string => compact.format(value)
const share = (name: string): Axis => ({ name, type: 'value', min: 0, max: 1, label: inPercent })

/** The two contestants as lines. @param points what is drawn of each; points with a null are gaps. */
function twoLines(
  comparison: Comparison,
  id: string,
  caption: string,
  x: Axis,
  y: Axis,
  points: (side: Side) => readonly (readonly (number | null)[] | number | null)[],
): Html {
  const series = sidesOf(comparison).map((side) => ({
    type: 'line',
    name: comparison[side].name,
    // Dashes are seen on a line, a line hides dashes.
    z: side === 'champion' ? 3 : 2,
    symbol: x.type === 'category' ? 'circle' : 'none',
    symbolSize: 4,
    data: points(side),
    ...lines[side],
  }))
  return chart(id, caption, x, y, series)
}

/** What became of the money, and what people have to look at, over time. */
export function overTime(comparison: Comparison): readonly Html[] {
  const { slices, length } = comparison.periods
  const x: Axis = {
    name: length === 'day' ? 'day' : 'week from',
    type: 'category',
    data: slices.map(({ value }) => value ?? ''),
  }
  const money = comparison.data.currency
  const draw = (id: string, caption: string, unit: string, metrics: readonly MetricName[]) =>
    twoLines(comparison, id, caption, x, { name: unit, type: 'value', label: short }, (side) =>
      slices.map((slice) => sumOf(slice, side, metrics)),
    )
  return [
    draw('time-caught', `Fraud money caught in each ${length}`, money, ['fraud_value_caught']),
    draw('time-missed', `Fraud money missed in each ${length}`, money, ['fraud_value_missed']),
    draw('time-good', `Good money declined, challenged or in review in each ${length}`, money, [
      'good_value_declined',
      'good_value_challenged',
    ]),
    draw('time-alerts', `Alerts a day in each ${length}`, 'alerts a day', ['alerts_per_day']),
  ]
}

/** null where one of them cannot be said. */
function sumOf({ metrics }: Slice, side: Side, names: readonly MetricName[]): number | null {
  return names.reduce<number | null>((sum, name) => {
    const value = metrics.find(({ metric }) => metric === name)?.[side].value ?? null
    return sum === null || value === null ? null : sum + value
  }, 0)
}

/** How well the scores rank, whatever the thresholds. */
export function ranking(comparison: Comparison): readonly Html[] {
  const { curves } = comparison
  const each = (of: (curve: Curves) => readonly [readonly number[], readonly number[]]) => (side: Side) => {
    const [across, up] = of(curves[side])
    return across.map((x, i) => [x, up[i] ?? null])
  }
  const few: Axis = {
    name: 'share of payments, highest scores first',
    type: 'log',
    min: 0.0001,
    max: 1,
    label: inPercent,
  }
  const seen = (points: readonly (number | null)[][]) => points.filter(([x]) => (x ?? 0) >= 0.0001)
  return [
    twoLines(
      comparison,
      'gains-value',
      'Gains: fraud money found among the highest scores',
      few,
      share('share of fraud money found'),
      (side) => seen(each(({ gains }) => [gains.payments, gains.value_recall])(side)),
    ),
    twoLines(
      comparison,
      'gains-count',
      'Gains: frauds found among the highest scores',
      few,
      share('share of frauds found'),
      (side) => seen(each(({ gains }) => [gains.payments, gains.recall])(side)),
    ),
    twoLines(
      comparison,
      'precision-recall',
      'Precision and recall: the more frauds are found, the more honest payments are among them',
      share('recall: frauds found'),
      share('precision'),
      each(({ precision_recall: { recall, precision } }) => [recall, precision]),
    ),
    twoLines(
      comparison,
      'roc',
      'ROC: frauds found against honest payments flagged',
      share('false-positive rate'),
      share('recall: frauds found'),
      each(({ roc }) => [roc.false_positive_rate, roc.recall]),
    ),
  ]
}

/** Least risk score of each outcome that is not approve. */
export type CutOffs = Readonly<Record<'challenge' | 'review' | 'decline', number>>

/** Where honest payments and frauds lie on the scale of the risk score. */
export function histogram(comparison: Comparison, side: Side, cutOffs: CutOffs | null): Html {
  const { from, to, honest, fraud } = comparison.curves[side].histogram
  const bars = (name: string, colour: string, values: readonly number[]) => ({
    type: 'line',
    name,
    step: 'end',
    symbol: 'none',
    lineStyle: { width: 2, color: colour },
    itemStyle: { color: colour },
    areaStyle: { color: colour, opacity: 0.15, origin: 'start' },
    // On a logarithmic scale an empty bin is drawn at its foot.
    data: [...from.map((x, i) => [x, Math.max(0.5, values[i] ?? 0)]), [to.at(-1) ?? 1000, 0.5]],
  })
  const markLine = {
    symbol: 'none',
    label: { color: 'var(--ink-2)', fontSize: 11, formatter: '{b}', rotate: 90, position: 'insideEndTop' },
    lineStyle: { color: 'var(--ink-2)', type: 'dotted', width: 1.5 },
    data: Object.entries(cutOffs ?? {}).map(([name, xAxis]) => ({ name, xAxis })),
  }
  return chart(
    `histogram-${side}`,
    `Risk scores of ${comparison[side].name}: payments by score, logarithmic`,
    { name: 'risk score', type: 'value', min: 0, max: 1000 },
    { name: 'payments', type: 'log', min: 0.5, label: (value) => (value < 1 ? '0' : short(value)) },
    [
      bars('honest', 'var(--honest)', honest),
      { ...bars('fraud', 'var(--fraud)', fraud), ...(cutOffs === null ? {} : { markLine }) },
    ],
  )
}

/** Whether a score of 10 % means that 10 % are frauds. */
export function calibration(comparison: Comparison, side: Side): Html {
  const { mean_score, fraud_rate, low, high } = comparison.curves[side].calibration
  const least = 1e-5
  const within = (value: number | undefined) => Math.min(1, Math.max(least, value ?? least))
  const whiskers = mean_score.map((x, i) => [
    { coord: [within(x), within(low[i])] },
    { coord: [within(x), within(high[i])] },
  ])
  const logShare = (name: string): Axis => ({ name, type: 'log', min: least, max: 1, label: inPercent })
  return chart(
    `calibration-${side}`,
    `Calibration of ${comparison[side].name}: what the score says against what came out, with 95 % intervals`,
    logShare('mean score of the bin'),
    logShare('share of frauds'),
    [
      {
        type: 'line',
        name: comparison[side].name,
        symbol: 'circle',
        symbolSize: 6,
        ...lines[side],
        data: mean_score.map((x, i) => [within(x), within(fraud_rate[i])]),
        markLine: {
          symbol: 'none',
          label: { show: false },
          lineStyle: { color: `var(--${side})`, type: 'solid', width: 1 },
          data: whiskers,
        },
      },
      {
        type: 'line',
        name: 'exact',
        symbol: 'none',
        lineStyle: { width: 1, type: 'dotted', color: 'var(--ink-2)' },
        itemStyle: { color: 'var(--ink-2)' },
        data: [
          [least, least],
          [1, 1],
        ],
      },
    ],
  )
}
