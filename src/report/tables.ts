import {
  type Amount,
  type Comparison,
  type Estimate,
  isAlone,
  isShown,
  type MatrixCell,
  type MetricRow,
  type Slice,
} from '../core/evaluation/comparison.ts'
import { type MetricName, metrics, titleIn } from '../core/evaluation/metrics.ts'
import { numbered } from '../core/numbers.ts'
import { type Outcome, outcomes } from '../core/types.ts'
import { amountsIn, change, count, money, nothing, percent, quantity, range } from './format.ts'
import { tone } from './headline.ts'
import { type Html, html, none, tableOf } from './html.ts'

/** Champion's outcomes down, candidate's across; the further from the diagonal, the more a payer would notice. */
export function matrix({ matrix: cells, champion, candidate, data }: Comparison): Html {
  const cellOf = (of: Outcome, to: Outcome) =>
    cells.find((cell) => cell.champion === of && cell.candidate === to) as MatrixCell
  const most = Math.max(
    1,
    ...cells.filter((cell) => cell.champion !== cell.candidate).map((cell) => cell.payments),
  )
  const rows = outcomes.map(
    (of) =>
      html`<tr><th scope="row">${of}</th>${outcomes.map((to) => matrixCell(cellOf(of, to), most))}</tr>\n`,
  )
  return html`<section><h2>What becomes of each payment</h2>
<p>Rows: the outcome with ${champion.name}. Columns: with ${candidate.name}. Of ${count(data.payments)} payments;
frauds of the judged ones.</p>
<div class="wide"><table class="matrix">
<caption>Payments by outcome${amountsIn(data.currency)}</caption>
<thead><tr><th scope="col">${champion.name} ↓ ${candidate.name} →</th>${outcomes.map((to) => html`<th scope="col">${to}</th>`)}</tr></thead>
<tbody>
${rows}</tbody></table></div>
<p class="legend"><span class="stricter">stricter than ${champion.name}</span>
<span class="looser">more lenient</span> <span class="same">the same</span></p>
</section>
`
}

function matrixCell({ champion, candidate, payments, value, frauds }: MatrixCell, most: number): Html {
  const step = outcomes.indexOf(candidate) - outcomes.indexOf(champion)
  const kind = step > 0 ? 'stricter' : step < 0 ? 'looser' : 'same'
  const depth = payments === 0 ? 0 : Math.ceil((4 * Math.log1p(payments)) / Math.log1p(most))
  return html`<td class="${kind} depth-${Math.min(4, depth)}"><b>${count(payments)}</b><br>
<small>${money(value, null)}</small>${frauds.payments === 0 ? none : html`<br><small>${numbered(frauds.payments, 'fraud')}, ${money(frauds.value, null)}</small>`}</td>`
}

export function changed({ changes, champion, candidate, data }: Comparison): Html {
  const { newly_caught, newly_missed, newly_hit, newly_released } = changes
  const row = (title: string, who: string, { payments, value }: Amount) => [
    html`${title}<br><small>${who}</small>`,
    count(payments),
    money(value, null),
  ]
  return html`<section><h2>Newly caught, newly hit</h2>
${tableOf(
  `Judged payments on which the two part, of ${count(data.judged.payments)}`,
  ['', 'Payments', `Amount, ${data.currency}`],
  [
    row('Newly caught', `frauds that only ${candidate.name} flags`, newly_caught),
    row('Newly missed', `frauds that only ${champion.name} flags`, newly_missed),
    row('Newly hit', `honest payments that only ${candidate.name} flags`, newly_hit),
    row('Newly released', `honest payments that only ${champion.name} flags`, newly_released),
  ],
)}</section>
`
}

const withInterval = ({ value, interval }: Estimate, metric: MetricName): Html => {
  const { unit } = metrics[metric]
  const around = interval === null ? none : html`<br><small>${range(interval, unit, quantity)}</small>`
  return html`${quantity(value, unit)}${around}`
}

/** The difference with a word on whether it is for the better, where it is shown. */
function difference(row: MetricRow): Html {
  const { metric, difference: estimate } = row
  const { value, interval } = estimate
  const { unit } = metrics[metric]
  const shown = isShown(estimate)
  const which = shown === false ? 'even' : tone(metric, value)
  const sign = { better: ' ▲ better', worse: ' ▼ worse', even: '' }[which]
  const around = interval === null ? none : html`<br><small>${range(interval, unit, change)}</small>`
  const doubt = shown === false && value !== 0 ? html`<br><small>not shown</small>` : none
  return html`<span class="${which}">${change(value, unit)}${sign}</span>${around}${doubt}`
}

export function allMetrics(comparison: Comparison): Html {
  const { metrics: rows, champion, candidate, method, data } = comparison
  const alone = isAlone(comparison)
  const title = (metric: MetricName) =>
    metric === 'card_precision'
      ? `Card precision@${count(method.cards_a_day)}`
      : titleIn(metric, data.currency)
  return html`<section><h2>All figures</h2>
${tableOf(
  `Over the whole time, with ${percent(method.level).replace('.00', '')} intervals`,
  ['', champion.name, ...(alone ? [] : [candidate.name, 'Difference'])],
  rows.map((row) => [
    html`${title(row.metric)}${metrics[row.metric].needsLabels ? none : html`<br><small>all ${count(data.payments)} payments</small>`}`,
    withInterval(row.champion, row.metric),
    ...(alone ? [] : [withInterval(row.candidate, row.metric), difference(row)]),
  ]),
)}</section>
`
}

/** What payments without an outcome could make of the figures. */
export function bounds(comparison: Comparison): Html {
  const { metrics: rows, data, champion, candidate } = comparison
  const alone = isAlone(comparison)
  const { payments, value } = data.blocked_without_outcome
  const told = rows.filter(({ champion, candidate }) =>
    [champion, candidate].some(({ bounds }) => bounds !== null && bounds[0] !== bounds[1]),
  )
  const within = ({ bounds }: Estimate, metric: MetricName, format: typeof quantity) =>
    bounds === null ? nothing : range(bounds, metrics[metric].unit, format)
  return html`<section><h2>What cannot be known</h2>
<p>Declined by ${champion.name} and never labelled: ${numbered(payments, 'payment')} (${money(value, data.currency)}). Nobody can
know what they were. They count as honest above.
${told.length === 0 ? 'No figure depends on them.' : 'At worst and at best, they would make of the figures:'}</p>
${
  told.length === 0
    ? none
    : tableOf(
        'Bounds',
        ['', champion.name, ...(alone ? [] : [candidate.name, 'Difference'])],
        told.map((row) => [
          titleIn(row.metric, data.currency),
          within(row.champion, row.metric, quantity),
          ...(alone
            ? []
            : [within(row.candidate, row.metric, quantity), within(row.difference, row.metric, change)]),
        ]),
      )
}</section>
`
}

/** What a segment tells, with shorter titles than elsewhere. */
const ofPayments: readonly (readonly [metric: MetricName, title: string])[] = [
  ['fraud_value_caught', 'Fraud caught'],
  ['good_value_declined', 'Good declined'],
  ['good_value_challenged', 'Good challenged or in review'],
  ['alerts_per_day', 'Alerts a day'],
]
/** Of kinds of fraud there is nothing to say about the honest. */
const ofFrauds: typeof ofPayments = [
  ['fraud_value_caught', 'Fraud caught'],
  ['value_detection_rate', 'Of its value'],
  ['recall', 'Of its number'],
]
const fieldTitles = {
  type: 'Type of payment',
  channel: 'Channel',
  country: 'Country',
  mcc: 'Merchant category (MCC)',
  currency: 'Currency',
  fraud_type: 'Kind of fraud',
} as const

export function segments(comparison: Comparison): Html {
  const alone = isAlone(comparison)
  const tables = comparison.segments.map(({ field, slices }) => {
    const told = field === 'fraud_type' ? ofFrauds : ofPayments
    return tableOf(
      `${fieldTitles[field]}${alone ? '' : `: what ${comparison.candidate.name} changes`}${amountsIn(comparison.data.currency)}`,
      ['', 'Payments', 'Frauds', ...told.map(([, title]) => title)],
      slices.map((slice) => [
        sliceName(slice),
        count(slice.payments),
        count(slice.frauds),
        ...told.map(([metric]) => ofSlice(slice, metric, alone)),
      ]),
    )
  })
  return tables.length === 0
    ? none
    : html`<section><h2>${alone ? 'Where' : 'Where it differs'}</h2>
${tables}</section>
`
}

const sliceName = ({ value, values }: Slice): string =>
  values > 1 ? `${count(values)} others` : (value ?? 'without one')

function ofSlice({ metrics: rows }: Slice, metric: MetricName, alone: boolean): Html | string {
  const row = rows.find((one) => one.metric === metric)
  if (row === undefined) return nothing
  return alone ? withInterval(row.champion, metric) : difference(row)
}
