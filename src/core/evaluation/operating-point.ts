import { dayOf, daysOf, isoDay } from '../days.ts'
import { type CutOffs, outcomeAt, type Segmented, thresholdsFor } from '../thresholds.ts'
import { type Outcome, outcomes } from '../types.ts'
import { type CostMatrix, costOf } from './costs.ts'
import type { CandidateColumns, DecisionTable, TextColumn } from './decision-table.ts'

/** What thresholds come to, a day: days are those of UTC from the first payment to the last. Amounts in major units. */
export interface OperatingPoint extends CutOffs {
  readonly cost_per_day: number
  /** Amount of frauds that were not approved. */
  readonly fraud_value_caught_per_day: number
  /** Of the amount of all frauds, 0 to 1; null without fraud. */
  readonly fraud_value_caught_share: number | null
  readonly alerts_per_day: number
  readonly worst_day: { readonly date: string; readonly alerts: number }
  /** Amount of honest payments that were declined; that were challenged or sent to review. */
  readonly good_value_declined_per_day: number
  readonly good_value_challenged_per_day: number
  /** Honest payments that were not approved. */
  readonly good_payments_hit_per_day: number
  /** Payments by outcome. */
  readonly outcomes: Readonly<Record<Outcome, number>>
}

/** Which payments count, and what they were: a Truth of truth.ts. */
export interface Judged {
  /** 1 where a payment is old enough for its label to have come. */
  readonly judged: Uint8Array
  readonly fraud: Uint8Array
}

/** One pass over the judged payments, each decided by the cut-offs, or as it was where it has no risk score. */
export function operatingPoint(
  table: DecisionTable,
  candidate: CandidateColumns,
  truth: Judged,
  cutOffs: CutOffs,
  costs: CostMatrix,
  alertOn: readonly Outcome[],
): OperatingPoint {
  const counts = { approve: 0, challenge: 0, review: 0, decline: 0 }
  const alerts = new Map<number, number>()
  let [cost, fraudValue, caught, declined, challenged, good] = [0, 0, 0, 0, 0, 0]
  for (let row = 0; row < table.rows; row++) {
    if (truth.judged[row] === 0) continue
    const score = candidate.riskScore[row] as number
    const fraud = truth.fraud[row] === 1
    const amount = table.amount[row] as number
    const outcome =
      score < 0
        ? (outcomes[candidate.outcome[row] as number] as Outcome)
        : outcomeAt(thresholdsFor(cutOffs, paymentAt(table, row), amount), score)
    const day = dayOf(table.eventTime[row] as number)
    counts[outcome]++
    cost += costOf(costs, outcome, fraud, amount)
    alerts.set(day, (alerts.get(day) ?? 0) + (alertOn.includes(outcome) ? 1 : 0))
    if (fraud) {
      fraudValue += amount
      if (outcome !== 'approve') caught += amount
    } else if (outcome !== 'approve') {
      if (outcome === 'decline') declined += amount
      else challenged += amount
      good++
    }
  }
  const days = judgedDays(table, truth)
  const [worst, most] = [...alerts].reduce((a, b) => (b[1] > a[1] || (b[1] === a[1] && b[0] < a[0]) ? b : a))
  return {
    ...cutOffs,
    cost_per_day: cost / days,
    fraud_value_caught_per_day: caught / days,
    fraud_value_caught_share: fraudValue === 0 ? null : caught / fraudValue,
    alerts_per_day: [...alerts.values()].reduce((sum, one) => sum + one, 0) / days,
    worst_day: { date: isoDay(worst), alerts: most },
    good_value_declined_per_day: declined / days,
    good_value_challenged_per_day: challenged / days,
    good_payments_hit_per_day: good / days,
    outcomes: counts,
  }
}

/**
 * The candidate without the risk scores that did not decide: where the outcome is not that of the cut-offs, a list or a
 * rule made it, and no other cut-offs would change it.
 */
export function withoutSettled(
  table: DecisionTable,
  candidate: CandidateColumns,
  cutOffs: CutOffs,
): CandidateColumns {
  const riskScore = candidate.riskScore.map((score, row) => {
    const thresholds = thresholdsFor(cutOffs, paymentAt(table, row), table.amount[row] as number)
    return outcomes[candidate.outcome[row] as number] === outcomeAt(thresholds, score) ? score : -1
  })
  return { ...candidate, riskScore }
}

/** What of a payment a segment asks for; '' where the table has none. */
function paymentAt({ segments }: DecisionTable, row: number): Segmented {
  const text = ({ values, codes }: TextColumn) => values[codes[row] as number] ?? null
  return {
    channel: text(segments.channel) ?? '',
    type: text(segments.type) ?? '',
    country: text(segments.country),
  }
}

/** Days of UTC from the first judged payment to the last, both included; 0 where there is none. */
export const judgedDays = ({ eventTime }: DecisionTable, { judged }: Judged): number =>
  daysOf(eventTime.filter((_, row) => judged[row] === 1))

/** The thresholds of all payments; null where segments have their own. */
const soleOf = ({ thresholds, segments = [] }: CutOffs) => (segments.length === 0 ? thresholds : null)

/** What a table of operating points shows, row by row. */
export interface Figure {
  readonly title: string
  readonly digits: number
  /** Whether it is an amount. */
  readonly money?: true
  readonly of: (point: OperatingPoint) => number | null
}

export const figures: readonly Figure[] = [
  { title: 'challenge from', digits: 0, of: (point) => soleOf(point)?.challenge ?? null },
  { title: 'review from', digits: 0, of: (point) => soleOf(point)?.review ?? null },
  { title: 'decline from', digits: 0, of: (point) => soleOf(point)?.decline ?? null },
  { title: 'cost a day', digits: 2, money: true, of: (point) => point.cost_per_day },
  {
    title: 'fraud value caught a day',
    digits: 2,
    money: true,
    of: (point) => point.fraud_value_caught_per_day,
  },
  {
    title: 'share of all fraud value, %',
    digits: 2,
    of: ({ fraud_value_caught_share: share }) => share && 100 * share,
  },
  { title: 'alerts a day', digits: 2, of: (point) => point.alerts_per_day },
  { title: 'alerts on the worst day', digits: 0, of: (point) => point.worst_day.alerts },
  {
    title: 'good value declined a day',
    digits: 2,
    money: true,
    of: (point) => point.good_value_declined_per_day,
  },
  {
    title: 'good value challenged, reviewed',
    digits: 2,
    money: true,
    of: (point) => point.good_value_challenged_per_day,
  },
  { title: 'good payments hit a day', digits: 2, of: (point) => point.good_payments_hit_per_day },
]

/** Its title, with the currency where it is money. */
export const figureTitle = ({ title, money }: Figure, currency: string): string =>
  money === true ? `${title}, ${currency}` : title
