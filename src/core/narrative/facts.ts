import { minorUnitExponent } from '../currencies.ts'
import { fixed, inThousands } from '../numbers.ts'
import { scoreCode, staleReason } from '../policy.ts'
import type { Alert, PartScore } from '../types.ts'
import { type ListName, ownCodes } from '../verdict.ts'

/** What an alert's narrative may say, with numbers as they are written in any language. */
export interface Facts {
  readonly outcome: Alert['outcome']
  /** Whether features or score could not be had. */
  readonly degraded: boolean
  /** Whether an entry of a list decided, not rules, score or the table of what is degraded. */
  readonly byList: boolean
  readonly type: string
  readonly channel: string
  /** In major units, with the decimals of the currency. */
  readonly amount: string
  readonly currency: string
  /** The merchant's name, or its id where it has none. */
  readonly merchant: string
  readonly country: string | null
  /** Event time, UTC. */
  readonly at: When
  readonly riskScore: string | null
  /** Probability of fraud in percent, without the sign. */
  readonly percent: string | null
  /** The sentences of the policy and the rules: what weir says of its own accord, other fields tell. */
  readonly reasons: readonly string[]
  /** Whether the reason is the payment as a whole: no row of the policy holds. */
  readonly asWhole: boolean
  /** Whether values of merchant, terminal or device were too old to be used. */
  readonly stale: boolean
  readonly rules: readonly string[]
  /** What of the payment stands on which list: types of entries. */
  readonly lists: Readonly<Record<ListName, readonly string[]>>
  /** The parts of the model that see least and most risk; null where there is one part only. */
  readonly parts: Disagreement | null
  /** Features that moved the score most, weightiest first. */
  readonly raising: readonly Moved[]
  readonly lowering: readonly Moved[]
  /** Expected loss in major units of the reference currency. */
  readonly loss: string | null
  readonly sca: string | null
}

export interface When {
  readonly year: number
  /** 1 to 12. */
  readonly month: number
  readonly day: number
  /** 02:14 */
  readonly time: string
}

export interface Disagreement {
  readonly least: PartSaid
  readonly most: PartSaid
  /** Points of risk score. */
  readonly apart: string
  /** Far enough apart to be pointed out. */
  readonly wide: boolean
}

export interface PartSaid {
  readonly name: string
  /** Probability of fraud in percent. */
  readonly percent: string
}

export interface Moved {
  readonly name: string
  /** null: missing. */
  readonly value: string | null
}

/** Parts whose risk scores are this far apart disagree. */
const wideApart = 300

const mostRaising = 3
const mostLowering = 1

export function factsOf(alert: Alert): Facts {
  const moved = (sign: number, most: number) =>
    alert.contributions
      .filter(({ contribution }) => contribution * sign > 0)
      .slice(0, most)
      .map(({ feature, value }) => ({
        name: plain(feature),
        value: Number.isNaN(value) ? null : readable(value),
      }))
  const lists = listsOf(alert.lists_hit)
  const deciding = alert.outcome === 'decline' ? lists.deny : alert.outcome === 'approve' ? lists.allow : []
  const has = (wanted: string) => alert.reasons.some(({ code }) => code === wanted)
  return {
    outcome: alert.outcome,
    degraded: alert.status === 'degraded',
    byList: deciding.length > 0,
    type: alert.type,
    channel: alert.channel,
    amount: amountOf(alert),
    currency: alert.currency,
    merchant: plain(alert.merchant_name ?? alert.merchant_id),
    country: alert.country,
    at: whenOf(alert.event_time),
    riskScore: alert.risk_score === null ? null : String(alert.risk_score),
    percent: alert.score === null ? null : percentOf(alert.score),
    reasons: alert.reasons
      .filter(({ code }) => !ownCodes.has(code))
      .map(({ text }) => plain(text, longestReason)),
    asWhole: has(scoreCode),
    stale: has(staleReason.code),
    rules: alert.rules_hit.map((id) => plain(id)),
    lists,
    parts: disagreementOf(alert),
    raising: moved(1, mostRaising),
    lowering: moved(-1, mostLowering),
    loss: alert.loss === null ? null : fixed(alert.loss, 2),
    sca: alert.sca === null ? null : plain(alert.sca),
  }
}

/**
 * A text of others (a merchant's name, an identifier) as one that can stand between quotation marks: without such marks
 * of its own, without characters that are obeyed instead of shown, and cut after `longest` characters.
 */
export function plain(text: string, longest = longestName): string {
  const one = text
    .replace(/["“”„«»「」『』]/g, "'")
    .replace(/[\p{C}\p{Zl}\p{Zp}\s]+/gu, ' ')
    .trim()
  const characters = [...one]
  return characters.length > longest ? `${characters.slice(0, longest).join('')}…` : one
}

const longestName = 64
const longestReason = 512

/** Whole numbers whole, others with two or more digits that count. */
export function readable(value: number): string {
  const size = Math.abs(value)
  if (size < leastShown) return '0'
  if (Number.isInteger(value) || size >= 100) return fixed(value, 0)
  return fixed(value, size >= 1 ? 1 : 1 - Math.floor(Math.log10(size)))
}

/** What is smaller is written as 0. */
export const leastShown = 1e-9

/** 0.2345 as 23.5; never 0 or 100 but for what is so (to a billionth). */
export function percentOf(probability: number): string {
  const percent = probability * 100
  const rest = Math.min(percent, 100 - percent)
  if (rest < leastShown) return fixed(percent, 0)
  if (rest >= 1) return fixed(percent, 1)
  return fixed(percent, (percent < 50 ? 1 : 0) - Math.floor(Math.log10(rest)))
}

function amountOf({ amount_minor, currency }: Alert): string {
  const exponent = minorUnitExponent(currency) ?? 0
  const digits = String(amount_minor).padStart(exponent + 1, '0')
  const whole = inThousands(digits.slice(0, digits.length - exponent))
  return exponent === 0 ? whole : `${whole}.${digits.slice(-exponent)}`
}

function whenOf(eventTime: number): When {
  const date = new Date(eventTime)
  return {
    year: date.getUTCFullYear(),
    month: date.getUTCMonth() + 1,
    day: date.getUTCDate(),
    time: `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}`,
  }
}

const two = (value: number): string => String(value).padStart(2, '0')

/** `deny:device` as device under deny. */
function listsOf(hits: readonly string[]): Facts['lists'] {
  const on = (list: ListName) =>
    hits.filter((hit) => hit.startsWith(`${list}:`)).map((hit) => plain(hit.slice(list.length + 1)))
  return { deny: on('deny'), allow: on('allow'), watch: on('watch') }
}

function disagreementOf({ parts, disagreement }: Alert): Disagreement | null {
  if (disagreement === null || parts.length < 2) return null
  const sorted = parts.toSorted((a, b) => a.score - b.score)
  const said = ({ name, score }: PartScore): PartSaid => ({ name: plain(name), percent: percentOf(score) })
  return {
    least: said(sorted[0] as PartScore),
    most: said(sorted.at(-1) as PartScore),
    apart: readable(disagreement),
    wide: disagreement >= wideApart,
  }
}
