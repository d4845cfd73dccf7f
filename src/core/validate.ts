import { minorUnitExponent } from './currencies.ts'
import type { Checked, Rejection } from './errors.ts'
import { claimants } from './labels-view.ts'
import { holdsPan } from './pan.ts'
import { lengthOf, unitAt } from './text.ts'
import {
  type Control,
  channels,
  type EntityDelta,
  type EntityUpdate,
  entityKinds,
  entryModes,
  type Label,
  type Transaction,
  transactionTypes,
} from './types.ts'

/** How far an event's time may lie from its record's timestamp. Infinity switches a limit off. */
export interface EventTimeLimits {
  /** Milliseconds before the record's timestamp, 0 or more. */
  readonly eventTimePastMs: number
  /** Milliseconds after the record's timestamp, 0 or more. */
  readonly eventTimeFutureMs: number
}

/** Every field present, absent values null; what the values are is not known yet. */
export type Unchecked<T> = { readonly [Field in keyof T]: unknown }

/** Sets: a text's hash is computed once, and most of these texts come again and again. */
const typeSet = new Set<unknown>(transactionTypes)
const channelSet = new Set<unknown>(channels)
const entryModeSet = new Set<unknown>(entryModes)
const entityKindSet = new Set<unknown>(entityKinds)
const sourceKindSet = new Set<unknown>(['t', 'l'])
const controlKindSet = new Set<unknown>(['model', 'policy', 'rules', 'list', 'snooze'])
const labelStateSet = new Set<unknown>(['reported', 'confirmed', 'reversed'])
const labelSourceSet = new Set<unknown>([...claimants, 'issuer'])

/** The last instant that a Date can hold, ECMA-262 section 21.4.1.1. */
export const lastInstantMs = 8.64e15

/** One less than JavaScript's largest exact integer: the largest that avsc writes and reads. */
const largestAmount = Number.MAX_SAFE_INTEGER - 1

const address = /^(?:\d{1,3}(?:\.\d{1,3}){3}|(?=[^:]*:)[0-9a-fA-F:.]{2,45})$/

/**
 * Checks a payment against its contract, schemas/transaction.avsc. No message contains a value: any field of a
 * record that is out of order may hold what must not be copied.
 *
 * @param recordTimestamp epoch milliseconds of the record that brought it.
 */
export function validateTransaction(
  candidate: Unchecked<Transaction>,
  recordTimestamp: number,
  limits: EventTimeLimits,
): Checked<Transaction> {
  const t = candidate
  const rejection =
    pan(t) ??
    id('transaction_id', t.transaction_id) ??
    id('customer_id', t.customer_id) ??
    integer('amount_minor', t.amount_minor, 0, largestAmount) ??
    currency(t.currency) ??
    oneOf('type', t.type, typeSet) ??
    oneOf('channel', t.channel, channelSet) ??
    (t.entry_mode === null ? undefined : oneOf('entry_mode', t.entry_mode, entryModeSet)) ??
    id('merchant_id', t.merchant_id) ??
    optionalText('merchant_name', t.merchant_name, 128) ??
    optionalMatch('mcc', t.mcc, isFourDigits, 'four digits') ??
    optionalId('terminal_id', t.terminal_id) ??
    optionalId('device_id', t.device_id) ??
    optionalMatch('ip', t.ip, isAddress, 'an IPv4 or IPv6 address') ??
    optionalMatch('country', t.country, isCountry, 'two capital letters') ??
    place(t.latitude, t.longitude) ??
    (t.utc_offset_minutes === null
      ? undefined
      : integer('utc_offset_minutes', t.utc_offset_minutes, -840, 840)) ??
    optionalId('card_token', t.card_token) ??
    optionalMatch('card_bin', t.card_bin, isBin, 'six or eight digits') ??
    optionalMatch('card_last4', t.card_last4, isFourDigits, 'four digits') ??
    optionalId('counterparty_id', t.counterparty_id) ??
    optionalMatch('email_hash', t.email_hash, isSha256, '64 hexadecimal digits') ??
    optionalText('description', t.description, 256) ??
    integer('event_time', t.event_time, 0, lastInstantMs) ??
    eventTime('event_time', t.event_time as number, recordTimestamp, limits)
  return rejection ? { ok: false, rejection } : { ok: true, value: candidate as Transaction }
}

/**
 * Checks a label against its contract, schemas/label.avsc. Labels come as late as they come: of the limits, only
 * the one on the future holds, for `observed_time`.
 */
export function validateLabel(
  candidate: Unchecked<Label>,
  recordTimestamp: number,
  limits: EventTimeLimits,
): Checked<Label> {
  const l = candidate
  const rejection =
    pan(l) ??
    id('label_id', l.label_id) ??
    id('transaction_id', l.transaction_id) ??
    id('customer_id', l.customer_id) ??
    id('merchant_id', l.merchant_id) ??
    optionalId('terminal_id', l.terminal_id) ??
    optionalId('device_id', l.device_id) ??
    (typeof l.fraud === 'boolean' ? undefined : outOfRange('fraud', 'true or false')) ??
    oneOf('state', l.state, labelStateSet) ??
    oneOf('source', l.source, labelSourceSet) ??
    optionalText('fraud_type', l.fraud_type, 64) ??
    integer('effective_time', l.effective_time, 0, lastInstantMs) ??
    integer('observed_time', l.observed_time, l.effective_time as number, lastInstantMs, 'effective_time') ??
    eventTime('observed_time', l.observed_time as number, recordTimestamp, {
      ...limits,
      eventTimePastMs: Number.POSITIVE_INFINITY,
    })
  return rejection ? { ok: false, rejection } : { ok: true, value: candidate as Label }
}

/** Checks a change of what decides; schemas/control.avsc. What `body` must hold is for who applies it. */
export function validateControl(candidate: Control): Checked<Control> {
  const rejection =
    pan(candidate) ??
    id('control_id', candidate.control_id) ??
    oneOf('kind', candidate.kind, controlKindSet) ??
    id('name', candidate.name) ??
    id('author', candidate.author) ??
    integer('created_time', candidate.created_time, 0, lastInstantMs)
  return rejection ? { ok: false, rejection } : { ok: true, value: candidate }
}

/** Checks what another member sent; schemas/entity-update.avsc. The codec has checked the types. */
export function validateEntityUpdate(candidate: EntityUpdate): Checked<EntityUpdate> {
  const kinds = candidate.deltas.every(hasKnownKind)
  const rejection = kinds
    ? oneOf('source_kind', candidate.source_kind, sourceKindSet)
    : outOfRange('kind', `one of ${entityKinds.join(', ')}`)
  return rejection ? { ok: false, rejection } : { ok: true, value: candidate }
}

const hasKnownKind = ({ kind }: Pick<EntityDelta, 'kind'>): boolean => entityKindSet.has(kind)

/** A record's key, where it has one, must be its customer: else the customer's events are not in order. */
export function validateKey(key: Buffer | null, customerId: string): Rejection | undefined {
  if (key === null || isAscii(key, customerId) || key.toString() === customerId) return undefined
  return { code: 'WEIR_RECORD_KEY', message: 'the record key is not the customer_id', withhold: false }
}

/** Whether a text is the bytes' ASCII: the answer for nearly every key, without making a text of it. */
function isAscii(bytes: Buffer, text: string): boolean {
  if (bytes.length !== lengthOf(text)) return false
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] as number
    if (byte >= 0x80 || byte !== unitAt(text, at)) return false
  }
  return true
}

/** No PAN is less, as a number: Visa's 13 digits begin with a 4, Diners Club's 14 with a 3. */
const leastPan = 4e12

/**
 * Looks at every text and whole number, whatever its field: a PAN in `type` is as much a PAN as one in `description`.
 * Times before October 2096 are less than any.
 */
export function pan(candidate: object): Rejection | undefined {
  for (const field in candidate) {
    const value = (candidate as Record<string, unknown>)[field]
    const text = typeof value === 'number' && value >= leastPan ? String(value) : value
    if (typeof text === 'string' && holdsPan(text)) {
      return { code: 'WEIR_RECORD_PAN', message: `${field} holds a primary account number`, withhold: true }
    }
  }
  return undefined
}

export function outOfRange(field: string, expected: string): Rejection {
  return { code: 'WEIR_RECORD_OUT_OF_RANGE', message: `${field} is not ${expected}`, withhold: false }
}

export function id(field: string, value: unknown): Rejection | undefined {
  const length = typeof value === 'string' ? lengthOf(value) : 0
  if (length === 0 || length > 64) return outOfRange(field, '1 to 64 characters')
  const text = value as string
  let bits = 0
  for (let at = 0; at < length; at++) {
    const code = unitAt(text, at)
    bits |= code
    if (code < 0x20 || (code >= 0x7f && code < 0xa0)) return outOfRange(field, 'free of control characters')
    // U+FFFD is what a decoder puts in the place of bytes that are not UTF-8: two such ids could become one.
    if (code === 0xfffd) return outOfRange(field, 'valid Unicode')
  }
  return bits < 0x80 || text.isWellFormed() ? undefined : outOfRange(field, 'valid Unicode')
}

function optionalId(field: string, value: unknown): Rejection | undefined {
  return value === null ? undefined : id(field, value)
}

export function optionalText(field: string, value: unknown, longest: number): Rejection | undefined {
  if (value === null) return undefined
  if (typeof value !== 'string' || lengthOf(value) > longest)
    return outOfRange(field, `0 to ${longest} characters`)
  return value.isWellFormed() ? undefined : outOfRange(field, 'valid Unicode')
}

function optionalMatch(
  field: string,
  value: unknown,
  matches: (text: string) => boolean,
  expected: string,
): Rejection | undefined {
  if (value === null || (typeof value === 'string' && matches(value))) return undefined
  return outOfRange(field, expected)
}

const isAddress = (text: string): boolean => address.test(text)
const isSha256 = (text: string): boolean => /^[\da-f]{64}$/.test(text)
const isCountry = (text: string): boolean => consistsOf(text, 2, 'A', 'Z')
const isFourDigits = (text: string): boolean => consistsOf(text, 4, '0', '9')
const isBin = (text: string): boolean => consistsOf(text, 6, '0', '9') || consistsOf(text, 8, '0', '9')

/** Whether a text is so many characters of a range. Regular expressions say the same, and take longer to. */
function consistsOf(text: string, length: number, first: string, last: string): boolean {
  if (lengthOf(text) !== length) return false
  for (let at = 0; at < length; at++) {
    const code = unitAt(text, at)
    if (code < unitAt(first, 0) || code > unitAt(last, 0)) return false
  }
  return true
}

export function oneOf(field: string, value: unknown, known: ReadonlySet<unknown>): Rejection | undefined {
  return known.has(value) ? undefined : outOfRange(field, `one of ${[...known].join(', ')}`)
}

export function integer(
  field: string,
  value: unknown,
  least: number,
  most: number,
  leastName?: string,
): Rejection | undefined {
  if (Number.isInteger(value) && (value as number) >= least && (value as number) <= most) return undefined
  return outOfRange(field, `an integer from ${leastName ?? least} to ${most}`)
}

function currency(value: unknown): Rejection | undefined {
  if (typeof value === 'string' && minorUnitExponent(value) !== undefined) return undefined
  const message = 'currency is not an active ISO 4217 alphabetic code'
  return { code: 'WEIR_RECORD_UNKNOWN_CURRENCY', message, withhold: false }
}

function place(latitude: unknown, longitude: unknown): Rejection | undefined {
  if (latitude === null && longitude === null) return undefined
  return degrees('latitude', latitude, 90) ?? degrees('longitude', longitude, 180)
}

function degrees(field: string, value: unknown, most: number): Rejection | undefined {
  // Written so that NaN, which compares with nothing, is refused.
  if (typeof value === 'number' && value >= -most && value <= most) return undefined
  return outOfRange(field, `-${most} to ${most} degrees, with the other of latitude and longitude given`)
}

function eventTime(
  field: string,
  time: number,
  recordTimestamp: number,
  limits: EventTimeLimits,
): Rejection | undefined {
  const aheadMs = time - recordTimestamp
  if (aheadMs > limits.eventTimeFutureMs) return tooFar(field, limits.eventTimeFutureMs, 'after')
  if (-aheadMs > limits.eventTimePastMs) return tooFar(field, limits.eventTimePastMs, 'before')
  return undefined
}

function tooFar(field: string, limitMs: number, side: string): Rejection {
  const message = `${field} lies more than ${limitMs} ms ${side} the record's timestamp`
  return { code: 'WEIR_RECORD_EVENT_TIME', message, withhold: false }
}
