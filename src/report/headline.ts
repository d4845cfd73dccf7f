import { type Comparison, isAlone, isShown, type MetricRow } from '../core/evaluation/comparison.ts'
import { type MetricName, metrics } from '../core/evaluation/metrics.ts'
import { numbered } from '../core/numbers.ts'
import { change, count, money, quantity, range } from './format.ts'
import { type Html, html, none } from './html.ts'

interface Claim {
  readonly metric: MetricName
  /** As a manager says it. */
  readonly title: string
  readonly more: string
  readonly less: string
}

const claims: readonly Claim[] = [
  {
    metric: 'fraud_value_caught',
    title: 'Fraud money caught',
    more: 'more fraud money is caught',
    less: 'less fraud money is caught',
  },
  {
    metric: 'good_value_declined',
    title: 'Good money declined',
    more: 'more good money is declined',
    less: 'less good money is declined',
  },
  {
    metric: 'good_value_challenged',
    title: 'Good money challenged or in review',
    more: 'more good money is challenged or in review',
    less: 'less good money is challenged or in review',
  },
  {
    metric: 'insult_rate',
    title: 'Good payments hit',
    more: 'a larger share of good payments is hit',
    less: 'a smaller share of good payments is hit',
  },
  { metric: 'alerts_per_day', title: 'Alerts a day', more: 'more alerts a day', less: 'fewer alerts a day' },
]

/** The answer first: what the change is worth, whom it hits, what work it makes, and whether that is more than chance. */
export function headline(comparison: Comparison): Html {
  const cards = claims.flatMap((claim) => {
    const row = comparison.metrics.find(({ metric }) => metric === claim.metric)
    return row === undefined ? [] : [card(claim, row, comparison)]
  })
  return html`<section><h2>In short</h2>
${isAlone(comparison) ? none : changesInWords(comparison)}
<div class="cards">${cards}</div>
</section>
`
}

/** First what it comes to, caught against hit, then what becomes of single payments. */
function changesInWords({ candidate, champion, changes, data }: Comparison): Html {
  if (data.labelled === 0) {
    return html`<p class="lead">Nobody knows yet which of these payments were fraud: only what was decided can be compared.</p>`
  }
  const { newly_caught, newly_missed, newly_hit, newly_released } = changes
  const caught = (newly_caught.value * 100 - newly_missed.value * 100) / 100
  const hit = (newly_hit.value * 100 - newly_released.value * 100) / 100
  const than = (net: number) =>
    net === 0 ? 'as much' : `${money(Math.abs(net), data.currency)} ${net > 0 ? 'more' : 'less'}`
  // More of both, or less of both, is a price; a gain on one side and none lost on the other is not.
  const joint = Math.sign(caught) * Math.sign(hit) > 0 ? 'but' : 'and'
  return html`<p class="lead">With <b>${candidate.name}</b> in place of <b>${champion.name}</b>, in ${numbered(data.days, 'day')},
<b>${than(caught)}</b> fraud money would have been caught, ${joint} <b>${than(hit)}</b> good money would have been challenged,
sent to review or declined.</p>
<p>${numbered(newly_caught.payments, 'fraud')} (${money(newly_caught.value, data.currency)}) would have been newly caught and
${count(newly_missed.payments)} (${money(newly_missed.value, data.currency)}) newly missed;
${numbered(newly_hit.payments, 'good payment')} (${money(newly_hit.value, data.currency)}) newly flagged and
${count(newly_released.payments)} (${money(newly_released.value, data.currency)}) no longer.</p>
`
}

function card({ metric, title, more, less }: Claim, row: MetricRow, comparison: Comparison): Html {
  const { unit } = metrics[metric]
  const level = Math.round(comparison.method.level * 100)
  const { difference, champion, candidate } = row
  const { currency } = comparison.data
  if (isAlone(comparison)) {
    const { value, interval } = champion
    return html`<div class="card"><h3>${title}</h3>
<p class="big">${quantity(value, unit, currency)}</p>
${interval === null ? none : html`<p class="soft">${level} % interval ${range(interval, unit, quantity)}</p>`}</div>
`
  }
  const { value, interval } = difference
  const direction =
    value === null ? 'it cannot be said' : value === 0 ? 'no difference' : value > 0 ? more : less
  return html`<div class="card ${tone(metric, difference.value)}"><h3>${title}</h3>
<p class="big">${change(value, unit, currency)}</p>
<p>${direction}: ${quantity(champion.value, unit)} → ${quantity(candidate.value, unit)}</p>
${interval === null ? none : html`<p class="soft">${level} % interval ${range(interval, unit, change)}</p>`}
<p class="verdict">${verdict(row)}</p></div>
`
}

function verdict({ difference }: MetricRow): string {
  const shown = isShown(difference)
  if (difference.value === null) return 'Nothing to compare.'
  if (difference.value === 0 && shown !== true) return 'No difference.'
  if (shown === null) return 'Without an interval: chance is not ruled out.'
  return shown ? 'The difference is shown.' : 'The difference is not shown: it may be chance.'
}

/** Whether a difference is to the better, by the metric's own direction. */
export function tone(metric: MetricName, difference: number | null): 'better' | 'worse' | 'even' {
  const { better } = metrics[metric]
  if (better === null || difference === null || difference === 0) return 'even'
  return difference > 0 === (better === 'higher') ? 'better' : 'worse'
}
