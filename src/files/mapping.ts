import { z } from 'zod'
import { minorUnitExponent } from '../core/currencies.ts'
import type { Label, Transaction } from '../core/types.ts'

/** A row of a foreign file: CSV columns or the keys of a JSON object. */
export type Row = Readonly<Record<string, unknown>>

/** What a text of a column means. Without one it stays text. */
const forms = ['text', 'integer', 'number', 'decimal', 'boolean', 'iso_time', 'epoch_s', 'epoch_ms'] as const
type Form = (typeof forms)[number]

const scalar = z.union([z.string(), z.number(), z.boolean(), z.null()])

const cell = z.union([
  z.string().describe('the column'),
  z.strictObject({ constant: scalar }),
  z.strictObject({
    column: z.string(),
    /** What the column's text means; decimal: an amount in major units, exact. */
    as: z.enum(forms).default('text'),
    /** For decimal: rounds half up where the text has more decimals than the currency, as from a float. */
    round: z.boolean().default(false),
    /** Put before the value, so that ids of different kinds cannot be the same. */
    prefix: z.string().default(''),
    /** Rows may lack the column, or have nothing in it: the field is then the fallback. */
    optional: z.boolean().default(false),
    fallback: scalar.default(null),
    /** The column's words in those of the contract; others are refused. */
    values: z.record(z.string(), z.string()).optional(),
  }),
])
export type Cell = z.output<typeof cell>
const unmapped = cell.default({ constant: null })

const transactionFields = z.strictObject({
  transaction_id: cell,
  event_time: cell,
  customer_id: cell,
  amount_minor: cell,
  currency: cell,
  merchant_id: cell,
  type: cell.default({ constant: 'purchase' }),
  channel: cell.default({ constant: 'pos' }),
  entry_mode: unmapped,
  merchant_name: unmapped,
  mcc: unmapped,
  terminal_id: unmapped,
  device_id: unmapped,
  ip: unmapped,
  country: unmapped,
  latitude: unmapped,
  longitude: unmapped,
  utc_offset_minutes: unmapped,
  card_token: unmapped,
  card_bin: unmapped,
  card_last4: unmapped,
  counterparty_id: unmapped,
  description: unmapped,
})

/** A mapping file: which column of a foreign file is which field of the contract. See mappings/handbook.yaml. */
export const mappingSchema = z.strictObject({
  transaction: transactionFields,
  /** Present: rows also make labels. */
  label: z
    .strictObject({
      /** True makes a label, false makes none. */
      fraud: cell,
      fraud_type: unmapped,
      source: z.enum(['analyst', 'customer', 'chargeback', 'issuer']).default('analyst'),
      /** Days from the payment to the moment at which its fraud became known. */
      delay_days: z.number().min(0),
    })
    .optional(),
  /** What `weir train` takes when nothing else is said; paths from the mapping file. */
  train: z.strictObject({ features: z.string().optional(), recipe: z.string().optional() }).optional(),
})

export type Mapping = z.output<typeof mappingSchema>

export interface Mapped {
  readonly transaction: Transaction
  readonly label: Label | null
}

const dayMs = 86_400_000

/** Makes a payment, and where it is known to be fraud its label, of a row. It throws an Error that names the column. */
export function rowMapper({ transaction: fields, label }: Mapping): (row: Row) => Mapped {
  const readTransaction = fieldsReader(fields)
  if (label === undefined)
    return (row) => ({ transaction: readTransaction(row) as unknown as Transaction, label: null })
  const isFraud = cellReader(label.fraud)
  const readType = cellReader(label.fraud_type)
  const delayMs = Math.round(label.delay_days * dayMs)
  return (row) => {
    const transaction = readTransaction(row) as unknown as Transaction
    if (isFraud(row) !== true) return { transaction, label: null }
    const { transaction_id, customer_id, merchant_id, terminal_id, device_id, event_time } = transaction
    return {
      transaction,
      label: {
        label_id: transaction_id,
        transaction_id,
        customer_id,
        merchant_id,
        terminal_id,
        device_id,
        fraud: true,
        state: 'reported',
        source: label.source,
        fraud_type: readType(row) as string | null,
        effective_time: event_time,
        observed_time: event_time + delayMs,
      },
    }
  }
}

/** The columns that a mapping reads; false: rows may lack it. */
export function columnsOf({ transaction, label }: Mapping): Map<string, boolean> {
  const cells = [
    ...Object.values(transaction),
    ...(label === undefined ? [] : [label.fraud, label.fraud_type]),
  ]
  const columns = new Map<string, boolean>()
  for (const cell of cells) {
    if (typeof cell === 'string') columns.set(cell, true)
    else if ('column' in cell) columns.set(cell.column, !cell.optional || columns.get(cell.column) === true)
  }
  return columns
}

type Value = string | number | boolean | null
type Reader = (row: Row) => Value

/** Reads the values of the fields in a row; null for fields that are not mapped. */
export function fieldsReader(fields: Readonly<Record<string, Cell>>): (row: Row) => Record<string, Value> {
  const { currency } = fields
  const readers = Object.entries(fields).map(([name, field]): [string, Reader] => [
    name,
    isDecimal(field) ? amountReader(field, currency) : cellReader(field),
  ])
  return (row) => {
    const values: Record<string, Value> = {}
    for (const [name, read] of readers) values[name] = read(row)
    return values
  }
}

function amountReader({ column, round }: Column, currency: Cell | undefined): Reader {
  if (currency === undefined) throw new Error(`column ${column} is decimal, which needs a currency`)
  const currencyOf = cellReader(currency)
  return (row) => toMinorUnits(readText(column, row), String(currencyOf(row)), round)
}

type Column = Extract<Cell, { column: string }>

const isDecimal = (field: Cell): field is Column =>
  typeof field === 'object' && 'column' in field && field.as === 'decimal'

function cellReader(field: Cell): Reader {
  if (typeof field === 'string') return (row) => readText(field, row) || null
  if ('constant' in field) return () => field.constant
  const { column, as, prefix, optional, fallback, values } = field
  const meaning = (text: string): Value => {
    if (text === '') return fallback
    if (values === undefined) return as === 'text' ? prefix + text : convert(text, as, column)
    const value = Object.hasOwn(values, text) ? values[text] : undefined
    if (value === undefined) throw new Error(`column ${column}: ${JSON.stringify(text)} is not in its values`)
    return prefix + value
  }
  if (!optional) return (row) => meaning(readText(column, row))
  return (row) => meaning(Object.hasOwn(row, column) ? readText(column, row) : '')
}

function readText(column: string, row: Row): string {
  if (!Object.hasOwn(row, column)) throw new Error(`there is no column ${column}`)
  const value = row[column]
  if (value instanceof Date) return value.toISOString()
  return value === null || value === undefined ? '' : String(value).trim()
}

function convert(text: string, form: Exclude<Form, 'text'>, column: string): number | boolean {
  const value = conversions[form](text)
  if (value === undefined) throw new Error(`column ${column}: ${JSON.stringify(text)} is not ${form}`)
  return value
}

const conversions: Readonly<Record<Exclude<Form, 'text'>, (text: string) => number | boolean | undefined>> = {
  integer: (text) => (/^-?\d+$/.test(text) && Number.isSafeInteger(Number(text)) ? Number(text) : undefined),
  number: (text) => (/^-?\d+(\.\d+)?(e[+-]?\d+)?$/i.test(text) ? Number(text) : undefined),
  // Only amounts are decimal: they need the currency, see toMinorUnits.
  decimal: () => undefined,
  boolean: (text) => (/^(1|true)$/i.test(text) ? true : /^(0|false)$/i.test(text) ? false : undefined),
  iso_time: (text) => parseTime(text),
  epoch_s: (text) => (/^\d+$/.test(text) ? Number(text) * 1_000 : undefined),
  epoch_ms: (text) => (/^\d+$/.test(text) ? Number(text) : undefined),
}

const isoTime = /^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?)?(Z|[+-]\d\d:?\d\d)?$/

/** ISO 8601, with a space for the T as well; UTC where no offset is given. */
function parseTime(text: string): number | undefined {
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
  if (exponent === undefined) throw new Error(`${currency} is no currency of ISO 4217`)
  const [, units, fraction = ''] = /^(\d+)(?:\.(\d*))?$/.exec(text) ?? []
  if (units === undefined) throw new Error(`${JSON.stringify(text)} is no amount`)
  const beyond = fraction.slice(exponent)
  if (!round && /[1-9]/.test(beyond)) throw new Error(`${text} has more decimals than ${currency}`)
  const minor =
    Number(units + fraction.slice(0, exponent).padEnd(exponent, '0')) + (/^[5-9]/.test(beyond) ? 1 : 0)
  if (!Number.isSafeInteger(minor)) throw new Error(`${text} is too large`)
  return minor
}
