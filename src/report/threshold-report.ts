import type { ThresholdProposal } from '../apps/threshold.ts'
import { type Figure, figures, figureTitle, type OperatingPoint } from '../core/evaluation/operating-point.ts'
import { numbered } from '../core/numbers.ts'
import type { Thresholds } from '../core/thresholds.ts'
import { writeWhole } from '../files/write-whole.ts'
import { chart } from './chart.ts'
import { fixed, moment, money, nothing, percent } from './format.ts'
import { type Html, html, tableOf } from './html.ts'
import { page, plots, warningList } from './page.ts'

/**
 * Writes a proposal of thresholds as one HTML file like that of a comparison.
 *
 * @throws {WeirError} WEIR_CLI_INPUT when the file cannot be written.
 */
export function writeThresholdReport(
  path: string,
  proposal: ThresholdProposal,
  warnings: readonly string[],
): void {
  writeWhole(path, renderThresholdReport(proposal, warnings))
}

/** @param warnings what a reader must know before trusting the figures, a sentence each. */
export function renderThresholdReport(proposal: ThresholdProposal, warnings: readonly string[]): string {
  const { candidate, source, policy, data, days, now, proposed, alerts_per_day, alert_on } = proposal
  const { judged, frauds, labels_until, currency } = data
  const saved = now.cost_per_day - proposed.cost_per_day
  return page(
    `Thresholds for ${candidate}`,
    html`<header><h1>Thresholds for ${candidate}</h1>
<p class="soft">On ${source}: ${numbered(judged.payments, 'judged payment')} of ${numbered(days, 'day')}, ${numbered(frauds.payments, 'fraud')} known by ${moment(labels_until)}. Now: policy <code>${policy}</code>.</p></header>
<section><h2>In short</h2>
<p class="lead">The proposed thresholds would have cost ${money(proposed.cost_per_day, currency)} a day in place of
${money(now.cost_per_day, currency)}: ${saved > 0 ? `${money(saved, currency)} less` : 'no less'}. They were chosen on these very payments: expect a little less
of others.</p>
${tableOf('Now and proposed', ['', 'Now', 'Proposed', 'Difference'], figures.map(row(now, proposed, currency)))}
<p class="soft">Alerts: ${alert_on.join(', ') || 'none'}; at most ${alerts_per_day === null ? 'any number' : fixed(alerts_per_day, 2)} a day. Worst days: ${now.worst_day.date} now, ${proposed.worst_day.date} proposed.</p>
</section>
${bySegment(proposal)}${warningList(warnings)}
${plots('What more or fewer alerts would cost', [byAlerts(proposal), byReview(proposal)])}
${assumptions(proposal)}`,
  )
}

const row =
  (now: OperatingPoint, proposed: OperatingPoint, currency: string) =>
  (figure: Figure): readonly string[] => {
    const { digits, of } = figure
    const title = figureTitle(figure, currency)
    const [before, after] = [of(now), of(proposed)]
    const shown = (value: number | null) => (value === null ? nothing : fixed(value, digits))
    if (before === null || after === null) return [title, shown(before), shown(after), nothing]
    return [title, shown(before), shown(after), (after > before ? '+' : '') + shown(after - before)]
  }

function bySegment({ segmented, proposed: forAll, data: { currency } }: ThresholdProposal): Html {
  if (segmented === null) return html``
  const { by, segments, rest, proposed, alert_price } = segmented
  const columns = ['', 'Challenge from', 'Review from', 'Decline from', 'Payments', 'Frauds']
  const ofSegment = (
    name: string,
    { challenge, review, decline }: Thresholds,
    judged: number,
    frauds: number,
  ) => [name, ...[challenge, review, decline, judged, frauds].map((value) => fixed(value, 0))] as const
  return html`<section><h2>By ${by}</h2>
<p class="lead">Thresholds of their own by ${by} would have cost ${money(proposed.cost_per_day, currency)} a day:
${money(forAll.cost_per_day - proposed.cost_per_day, currency)} less than the proposal for all, with ${fixed(proposed.alerts_per_day, 2)} alerts a day.</p>
${tableOf('Proposed by segment', columns, [
  ...segments.map(({ name, thresholds, judged, frauds }) => ofSegment(name, thresholds, judged, frauds)),
  ofSegment('all others', proposed.thresholds, rest.judged, rest.frauds),
])}
<p class="soft">The segments share the alerts: one more would save about ${money(alert_price, currency)} in each of them.</p>
</section>
`
}

type Point = ThresholdProposal['curve'][number]

const mark = (name: string, colour: string, symbol: string, at: readonly [number, number]) => ({
  type: 'line',
  name,
  symbol,
  symbolSize: 13,
  itemStyle: { color: colour },
  lineStyle: { width: 0 },
  data: [at],
})

function costChart(
  id: string,
  caption: string,
  x: { readonly name: string; readonly max: number },
  { curve, now, proposed, data: { currency } }: ThresholdProposal,
  of: (point: Point | OperatingPoint) => number,
): Html {
  const seen = curve.filter((point) => of(point) <= x.max)
  const line = { width: 2, color: 'var(--ink-2)' }
  return chart(
    id,
    caption,
    { name: x.name, type: 'value', min: 0, max: x.max },
    { name: `cost a day, ${currency}`, type: 'value', min: 0 },
    [
      {
        type: 'line',
        name: 'best of the others',
        symbol: 'none',
        lineStyle: line,
        itemStyle: { color: 'var(--ink-2)' },
        data: seen.map((point) => [of(point), point.cost_per_day]).sort(([a = 0], [b = 0]) => a - b),
      },
      mark('now', 'var(--champion)', 'circle', [of(now), now.cost_per_day]),
      mark('proposed', 'var(--candidate)', 'diamond', [of(proposed), proposed.cost_per_day]),
    ],
  )
}

/** As far as it concerns anybody: to three times the alerts of now, of the proposal, or of what is allowed. */
function byAlerts(proposal: ThresholdProposal): Html {
  const { now, proposed, alerts_per_day } = proposal
  const most = Math.max(1, now.alerts_per_day, proposed.alerts_per_day, alerts_per_day ?? 0)
  return costChart(
    'cost-alerts',
    'Least cost a day by alerts a day: a point for each cut-off of review',
    { name: 'alerts a day', max: Math.ceil(3 * most) },
    proposal,
    (point) => point.alerts_per_day,
  )
}

const byReview = (proposal: ThresholdProposal): Html =>
  costChart(
    'cost-review',
    'Least cost a day for each cut-off of review',
    { name: 'review from risk score', max: 1_000 },
    proposal,
    ({ thresholds }) => thresholds.review,
  )

function assumptions({ costs, data: { currency } }: ThresholdProposal): Html {
  const { missed_fraud, wrong_decline, challenge, review } = costs
  const ofAmount = ({ share, fixed: sum }: { share: number; fixed: number }) =>
    `${percent(share)} of the amount + ${money(sum, currency)}`
  return html`<section><h2>What was assumed to cost what</h2>
${tableOf(
  'A payment',
  ['', 'Honest', 'Fraud'],
  [
    ['Approved', 'nothing', ofAmount(missed_fraud)],
    [
      'Challenged',
      `${money(challenge.fixed, currency)}; ${percent(challenge.honest_lost)} give up, as if declined`,
      `${money(challenge.fixed, currency)}; ${percent(challenge.fraud_passed)} pass, as if approved`,
    ],
    [
      'Reviewed',
      money(review.fixed, currency),
      `${money(review.fixed, currency)}; ${percent(review.fraud_passed)} pass, as if approved`,
    ],
    ['Declined', ofAmount(wrong_decline), 'nothing'],
  ],
  'words',
)}
<p class="soft">Every threshold from 0 to 1,000 was looked at.</p>
</section>
`
}
