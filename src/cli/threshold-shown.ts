import type { SegmentedThresholds, ThresholdProposal } from '../apps/threshold.ts'
import { type Figure, figures, figureTitle, type OperatingPoint } from '../core/evaluation/operating-point.ts'
import { fixed, numbered } from '../core/numbers.ts'
import type { Thresholds } from '../core/thresholds.ts'
import { note, print, printTable, styled } from './output.ts'
import { thresholdWarnings } from './warnings.ts'

const shown = (value: number | null, digits: number): string => (value === null ? '-' : fixed(value, digits))

const dim = (text: string): void => print(styled('dim', text))

/** For people: what is proposed beside what is, and what it rests on. */
export function show(proposal: ThresholdProposal, folder: string): void {
  const { now, proposed, segmented, data, ...on } = proposal
  print(
    `${on.candidate} in ${folder}: ${numbered(data.judged.payments, 'judged payment')} of ${numbered(on.days, 'day')}, ${numbered(data.frauds.payments, 'fraud')} known by ${data.labels_until}`,
  )
  for (const line of thresholdWarnings(proposal)) note(line)
  print('')
  const bySegment =
    segmented === null ? [] : [[`BY ${segmented.by.toUpperCase()}`, segmented.proposed] as const]
  const points = [['NOW', now], ['PROPOSED', proposed], ...bySegment] as const
  const last = points.slice(-2).map(([, point]) => point) as [OperatingPoint, OperatingPoint]
  printTable(
    ['', ...points.map(([title]) => title), 'DIFFERENCE'],
    figures.map((figure) => [
      figureTitle(figure, data.currency),
      ...points.map(([, point]) => shown(figure.of(point), figure.digits)),
      difference(figure, ...last),
    ]),
    'numbers',
  )
  if (segmented !== null) showSegments(segmented, proposal)
  print('')
  dim(`now: policy ${on.policy}, of the replay of ${on.source}`)
  dim(
    `worst day: ${points.map(([title, { worst_day }]) => `${worst_day.date} ${title.toLowerCase()}`).join(', ')}`,
  )
  dim(`alerts: ${on.alert_on.join(', ')}; at most ${on.alerts_per_day ?? 'any number'} a day`)
  showCosts(proposal)
}

/** From the one to the other. */
function difference({ of, digits }: Figure, from: OperatingPoint, to: OperatingPoint): string {
  const [before, after] = [of(from), of(to)]
  const change = before === null || after === null ? null : after - before
  return (change !== null && change > 0 ? '+' : '') + shown(change, digits)
}

function showSegments(segmented: SegmentedThresholds, { proposed: forAll, data }: ThresholdProposal): void {
  const { by, segments, rest, proposed, alert_price, least_cost_per_day } = segmented
  const row = (name: string, { challenge, review, decline }: Thresholds, judged: number, frauds: number) =>
    [name, ...[challenge, review, decline, judged, frauds].map(String)] as const
  print('')
  printTable(
    ['SEGMENT', 'CHALLENGE', 'REVIEW', 'DECLINE', 'PAYMENTS', 'FRAUDS'],
    [
      ...segments.map(({ name, thresholds, judged, frauds }) => row(name, thresholds, judged, frauds)),
      ...(rest.judged > 0 ? [row('all others', proposed.thresholds, rest.judged, rest.frauds)] : []),
    ],
    'numbers',
  )
  print('')
  const gain = forAll.cost_per_day - proposed.cost_per_day
  print(`by ${by}: ${fixed(gain, 2)} ${data.currency} a day less than one set of thresholds for all`)
  const beyond = proposed.cost_per_day - least_cost_per_day
  dim(
    `  price of an alert ${fixed(alert_price, 2)} in every segment; at most ${fixed(Math.max(0, beyond), 2)} a day more could be saved by segment`,
  )
}

function showCosts({ costs, data }: ThresholdProposal): void {
  const { missed_fraud, wrong_decline, challenge, review } = costs
  dim(
    `costs, ${data.currency}: missed fraud ${missed_fraud.share} of its amount + ${missed_fraud.fixed}, wrong decline ${wrong_decline.share} of its amount + ${wrong_decline.fixed},`,
  )
  dim(
    `  challenge ${challenge.fixed} (${challenge.honest_lost} of the honest give up, ${challenge.fraud_passed} of the frauds pass), review ${review.fixed} (${review.fraud_passed} of the frauds pass)`,
  )
}
