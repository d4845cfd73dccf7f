import type { Outcome, Transaction } from './types.ts'

/** Least risk score of each outcome; a lower one approves. Ascending; 1,000 is beyond all scores: never. */
export interface Thresholds {
  readonly challenge: number
  readonly review: number
  readonly decline: number
}

/** What a payment must be to belong to a segment: all that is named must hold. */
export interface SegmentCondition {
  readonly channel?: readonly string[] | undefined
  readonly type?: readonly string[] | undefined
  /** A payment without a country is in none of them. */
  readonly country?: readonly string[] | undefined
  /** Major units of the reference currency. */
  readonly amount_at_least?: number | undefined
  readonly amount_below?: number | undefined
}

/** Payments with thresholds of their own. */
export interface Segment {
  readonly name: string
  readonly when: SegmentCondition
  readonly thresholds: Thresholds
}

/** All cut-offs of a policy: those of the first segment that matches, else `thresholds`. */
export interface CutOffs {
  readonly thresholds: Thresholds
  readonly segments?: readonly Segment[] | undefined
}

/** What of a payment a segment asks for. */
export type Segmented = Pick<Transaction, 'channel' | 'type' | 'country'>

/** @param amount major units of the reference currency. */
export function thresholdsFor(
  { thresholds, segments }: CutOffs,
  payment: Segmented,
  amount: number,
): Thresholds {
  return segments?.find(({ when }) => belongs(when, payment, amount))?.thresholds ?? thresholds
}

/** @param amount major units of the reference currency. */
function belongs(when: SegmentCondition, payment: Segmented, amount: number): boolean {
  const { channel, type, country, amount_at_least, amount_below } = when
  return (
    (channel === undefined || channel.includes(payment.channel)) &&
    (type === undefined || type.includes(payment.type)) &&
    (country === undefined || (payment.country !== null && country.includes(payment.country))) &&
    (amount_at_least === undefined || amount >= amount_at_least) &&
    (amount_below === undefined || amount < amount_below)
  )
}

export function outcomeAt({ challenge, review, decline }: Thresholds, riskScore: number): Outcome {
  if (riskScore >= decline) return 'decline'
  if (riskScore >= review) return 'review'
  if (riskScore >= challenge) return 'challenge'
  return 'approve'
}

/** What is wrong with them, in a clause; null where nothing is. */
export function mistakeIn({ thresholds, segments = [] }: CutOffs): string | null {
  const unordered = (of: Thresholds, where: string) =>
    of.challenge <= of.review && of.review <= of.decline
      ? null
      : `thresholds ${where}must ascend: challenge ${of.challenge}, review ${of.review}, decline ${of.decline}`
  const names = new Set<string>()
  for (const { name, when, thresholds: own } of segments) {
    if (names.has(name)) return `two segments have the name ${name}`
    names.add(name)
    if (Object.values(when).every((part) => part === undefined)) {
      return `segment ${name} has no condition: what holds for every payment belongs into \`thresholds\``
    }
    const { amount_at_least: least = 0, amount_below: below = Number.POSITIVE_INFINITY } = when
    if (least >= below) return `segment ${name} is empty: no amount is at least ${least} and below ${below}`
    const mistake = unordered(own, `of segment ${name} `)
    if (mistake !== null) return mistake
  }
  return unordered(thresholds, '')
}
