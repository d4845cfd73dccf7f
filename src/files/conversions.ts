import { createHmac } from 'node:crypto'
import { minorUnitExponent } from '../core/currencies.ts'
import { shown } from './shown.ts'

/** What a text means. Without one it stays text. */
export const forms = [
  'text',
  'integer',
  'number',
  'decimal',
  'boolean',
  'iso_time',
  'epoch_s',
  'epoch_ms',
  'seconds_since',
  'hours_since',
  'hash',
] as const
export type Form = (typeof forms)[number]

/**
 * For what must not enter, or what only looks like a card number: HMAC-SHA-256 under the text of WEIR_HASH_KEY, 128 bits
 * of it in hexadecimal. Without a key of one's own it hides nothing: all card numbers can be tried.
 */
export const hashOf = (text: string): string =>
  createHmac('sha256', process.env['WEIR_HASH_KEY'] ?? 'weir')
    .update(text)
    .digest('hex')
    .slice(0, 32)

type Conversion = (text: string, sinceMs: number) => number | boolean | undefined

const decimalNumber = /^-?\d+(\.\d+)?(e[+-]?\d+)?$/i
export const conversions: Readonly<Record<Exclude<Form, 'text' | 'hash'>, Conversion>> = {
  integer: (text) => (/^-?\d+$/.test(text) && Number.isSafeInteger(Number(text)) ? Number(text) : undefined),
  number: (text) => (decimalNumber.test(text) ? Number(text) : undefined),
  // Only amounts are decimal: they need the currency, see toMinorUnits.
  decimal: () => undefined,
  boolean: (text) => (/^(1|true|yes)$/i.test(text) ? true : /^(0|false|no)$/i.test(text) ? false : undefined),
  iso_time: (text) => parseTime(text),
  epoch_s: (text) => (/^\d+$/.test(text) ? Number(text) * 1_000 : undefined),
  // Parquet has times of its own, which come as ISO 8601.
  epoch_ms: (text) => (/^\d+$/.test(text) ? Number(text) : parseTime(text)),
  seconds_since: (text, sinceMs) => timeAfter(text, sinceMs, 1_000),
  hours_since: (text, sinceMs) => timeAfter(text, sinceMs, 3_600_000),
}

const timeAfter = (text: string, sinceMs: number, unitMs: number): number | undefined =>
  decimalNumber.test(text) ? sinceMs + Math.round(Number(text) * unitMs) : undefined

const isoTime = /^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?)?(Z|[+-]\d\d:?\d\d)?$/

/** ISO 8601, with a space for the T as well; UTC where no offset is given. */
export function parseTime(text: string): number | undefined {
  const [whole, time, , , offset] = isoTime.exec(text) ?? []
  if (whole === undefined) return undefined
  const instant = Date.parse(
    time === undefined || offset !== undefined ? whole : `${whole.replace(' ', 'T')}Z`,
  )
  return Number.isNaN(instant) ? undefined : instant
}

/**
 * `57.16` EUR is 5716, without a float in between.
 *
 * @param round half up; without it more decimals than the currency has are an Error.
 */
export function toMinorUnits(text: string, currency: string, round = false): number {
  const exponent = minorUnitExponent(currency)
  if (exponent === undefined) throw new Error(`${shown(currency)} is no currency of ISO 4217`)
  const [, units, fraction = ''] = /^(\d+)(?:\.(\d*))?$/.exec(text) ?? []
  if (units === undefined) throw new Error(`"${shown(text)}" is no amount`)
  const beyond = fraction.slice(exponent)
  if (!round && /[1-9]/.test(beyond)) throw new Error(`${shown(text)} has more decimals than ${currency}`)
  const minor =
    Number(units + fraction.slice(0, exponent).padEnd(exponent, '0')) + (/^[5-9]/.test(beyond) ? 1 : 0)
  if (!Number.isSafeInteger(minor)) throw new Error(`${shown(text)} is too large`)
  return minor
}
