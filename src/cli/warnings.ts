import type { ThresholdProposal } from '../apps/threshold.ts'
import { dayMs } from '../core/days.ts'
import type { Amount, ComparedData, Comparison } from '../core/evaluation/comparison.ts'
import { fixed, numbered } from '../core/numbers.ts'
import type { Thresholds } from '../core/thresholds.ts'

/** `4 payments worth 57.16 EUR`. */
export const worth = ({ payments, value }: Amount, currency: string): string =>
  `${numbered(payments, 'payment')} worth ${fixed(value, 2)} ${currency}`

/** What a reader of a comparison must know before trusting its figures, a sentence each. */
export function comparisonWarnings({ data, champion, candidate }: Comparison): string[] {
  const { judged, labelled, frauds, blocked_without_outcome: blocked, currency } = data
  const lines: string[] = []
  if (judged.payments === 0) {
    lines.push('every payment is too young to be judged: metrics that need labels are left out')
  } else if (labelled === 0) {
    lines.push('no payment has a label by then, and most metrics need labels: weir replay --labels FILE')
  } else if (frauds.payments === 0 || frauds.payments === judged.payments) {
    const only = frauds.payments === 0 ? 'honest' : 'fraud'
    lines.push(`all that is judged is ${only}: AUC, average precision and what else needs both are left out`)
  }
  lines.push(...delayWarnings(data))
  if (blocked.payments > 0) {
    lines.push(
      `declined by ${champion.name} and never labelled: ${worth(blocked, currency)}, which count as honest; the bounds say what else could be (--no-bounds: nothing was blocked)`,
    )
  }
  const contestants = champion.name === candidate.name ? [champion] : [champion, candidate]
  for (const { name, unscored } of contestants) {
    if (unscored > 0) lines.push(`${numbered(unscored, 'judged payment')} without a score of ${name}`)
  }
  return lines
}

/** The same of a proposal of thresholds. */
export function thresholdWarnings(proposal: ThresholdProposal): string[] {
  const { data, champion, candidate, unscored, settled, proposed, segmented } = proposal
  const { judged, labelled, frauds, blocked_without_outcome: blocked, currency } = data
  const lines: string[] = []
  if (labelled === 0) {
    lines.push('no payment has a label by then, and all count as honest: weir replay --labels FILE')
  } else if (frauds.payments === 0 || frauds.payments === judged.payments) {
    lines.push(
      `all that is judged is ${frauds.payments === 0 ? 'honest' : 'fraud'}: there is nothing to weigh`,
    )
  }
  lines.push(...delayWarnings(data))
  if (blocked.payments > 0) {
    lines.push(
      `declined by ${champion} and never labelled: ${worth(blocked, currency)}, which count as honest, so declining may be worth more than it looks`,
    )
  }
  if (unscored > 0) {
    lines.push(
      `${numbered(unscored, 'judged payment')} without a score of ${candidate}: no threshold changes their outcome`,
    )
  }
  if (settled > 0) {
    lines.push(
      `of ${numbered(settled, 'judged payment')} a list or a rule decided: no threshold changes that`,
    )
  }
  return [...lines, ...emptyBands(proposed.thresholds, 'proposed'), ...segmentWarnings(segmented)]
}

function segmentWarnings(segmented: ThresholdProposal['segmented']): string[] {
  if (segmented === null) return []
  const { refused, rest, segments, least_frauds: least } = segmented
  const known = refused.map(
    ({ name, judged, frauds }) => `${name} (${frauds} of ${numbered(judged, 'payment')})`,
  )
  const few = `refused, since fewer than ${least} frauds or honest payments are known of each: ${known.join(', ')}`
  const kept = `of all others too few are known (${numbered(rest.frauds, 'fraud')}): they have what is proposed for all`
  return [
    ...(refused.length > 0 ? [few] : []),
    ...(rest.kept && rest.judged > 0 ? [kept] : []),
    ...segments.flatMap(({ name, thresholds }) => emptyBands(thresholds, name)),
  ]
}

function delayWarnings({
  label_delay_days: delay,
  judged_until,
  last_event_time,
  labels_until,
}: ComparedData): string[] {
  const last = Math.min(Date.parse(judged_until), Date.parse(last_event_time))
  if (delay === null || Date.parse(labels_until) - last >= delay.p95 * dayMs) return []
  return [
    `1 of 20 frauds took ${fixed(delay.p95, 1)} days or longer to be known, and younger payments are judged: --maturity-days leaves them out`,
  ]
}

/** Outcomes that the thresholds give no score. */
function emptyBands({ challenge, review, decline }: Thresholds, of: string): string[] {
  const bands = [
    { from: 0, to: challenge, text: `challenge ${challenge}: nothing is ever approved` },
    {
      from: challenge,
      to: review,
      text: `challenge ${challenge}, review ${review}: nothing is ever challenged`,
    },
    { from: review, to: decline, text: `review ${review}, decline ${decline}: nothing is ever reviewed` },
    { from: decline, to: 1_000, text: `decline ${decline}: nothing is ever declined` },
  ]
  return bands.filter(({ from, to }) => from === to).map(({ text }) => `${of} ${text}`)
}
