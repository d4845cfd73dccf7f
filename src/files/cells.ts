import { z } from 'zod'
import { conversions, type Form, forms, hashOf, toMinorUnits } from './conversions.ts'
import { shown } from './shown.ts'

/** A row of a foreign file: CSV columns or the keys of a JSON object. */
export type Row = Readonly<Record<string, unknown>>

const scalar = z.union([z.string(), z.number(), z.boolean(), z.null()])
const pattern = z.string().refine(isPattern, 'is no regular expression')

const meaning = {
  /** What the text means; decimal: an amount in major units, exact; hash: see `hashOf`. */
  as: z.enum(forms).default('text'),
  /** For seconds_since and hours_since: the moment that they count from, ISO 8601. */
  since: z.iso.datetime().optional(),
  /** Characters that are left out of the text, such as a currency's sign. */
  strip: z.string().default(''),
  /** For decimal: rounds half up where the text has more decimals than the currency, as from a float. */
  round: z.boolean().default(false),
  /** Put before the value, so that ids of different kinds cannot be the same. */
  prefix: z.string().default(''),
  /** Rows may lack the column, or have nothing in it: the field is then the fallback. */
  optional: z.boolean().default(false),
  fallback: scalar.default(null),
  /** The text's words in those of the contract; others are refused. */
  values: z.record(z.string(), z.string()).optional(),
  /** The word of the first regular expression that the text matches; the fallback where none does. */
  patterns: z.record(pattern, z.string()).optional(),
}

const hasSince = ({ as, since }: { as: Form; since?: string | undefined }) =>
  as.endsWith('_since') === (since !== undefined)
const needsSince = 'needs since with seconds_since or hours_since, and with them only'

export const cell = z.union([
  z.string().describe('the column'),
  z.strictObject({ constant: scalar }),
  /** The line of the row in its file: an id where rows have none. */
  z.strictObject({ line: z.literal(true), prefix: z.string().default('') }),
  z.strictObject({ column: z.string(), ...meaning }).refine(hasSince, needsSince),
  /** Text with columns in braces, `{Month:2}` filled up with zeros to two digits. */
  z.strictObject({ template: z.string(), ...meaning }).refine(hasSince, needsSince),
])
export type Cell = z.output<typeof cell>
function isPattern(source: string): boolean {
  try {
    new RegExp(source)
    return true
  } catch {
    return false
  }
}

type Value = string | number | boolean | null
type Reader = (row: Row, line: number) => Value

/** Reads the values of the fields in a row; null for fields that are not mapped. */
export function fieldsReader(
  fields: Readonly<Record<string, Cell>>,
): (row: Row, line: number) => Record<string, Value> {
  const { currency } = fields
  // The same in every row: copied at once.
  const constants: Record<string, Value> = {}
  const readers: [name: string, Reader][] = []
  for (const [name, field] of Object.entries(fields)) {
    const isConstant = typeof field === 'object' && 'constant' in field
    constants[name] = isConstant ? field.constant : null
    if (isConstant) continue
    readers.push([name, isDecimal(field) ? amountReader(field, currency) : cellReader(field)])
  }
  return (row, line) => {
    const values = { ...constants }
    for (const [name, read] of readers) values[name] = read(row, line)
    return values
  }
}

/** A cell that reads text and says what it means. */
type TextCell = Extract<Cell, { as: Form }>

const isDecimal = (field: Cell): field is TextCell =>
  typeof field === 'object' && 'as' in field && field.as === 'decimal'

const placeOf = (field: TextCell): string => ('column' in field ? `column ${field.column}` : field.template)

function amountReader(field: TextCell, currency: Cell | undefined): Reader {
  if (currency === undefined) throw new Error(`${placeOf(field)} is decimal, which needs a currency`)
  const textOf = textReader(field)
  const currencyOf = cellReader(currency)
  return (row, line) => toMinorUnits(textOf(row), String(currencyOf(row, line)), field.round)
}

export function cellReader(field: Cell): Reader {
  if (typeof field === 'string') return (row) => readText(field, row) || null
  if ('constant' in field) return () => field.constant
  if ('line' in field) return (_, line) => `${field.prefix}${line}`
  const { fallback } = field
  const textOf = textReader(field)
  const meaningOf = meaningReader(field)
  return (row) => {
    const text = textOf(row)
    return text === '' ? fallback : meaningOf(text)
  }
}

/** The text of a cell in a row, empty where a row may lack it. */
function textReader(field: TextCell): (row: Row) => string {
  const { strip, optional } = field
  const parts = 'column' in field ? [{ before: '', column: field.column, width: 0 }] : partsOf(field.template)
  const rest = 'column' in field ? '' : field.template.replace(/^.*\}/s, '')
  const read = (row: Row): string => {
    let text = ''
    for (const { before, column, width } of parts) text += before + readText(column, row).padStart(width, '0')
    return text + rest
  }
  const whole = optional
    ? (row: Row) => (parts.every(({ column }) => Object.hasOwn(row, column)) ? read(row) : '')
    : read
  if (strip === '') return whole
  return (row) => [...whole(row)].filter((character) => !strip.includes(character)).join('')
}

/** `a{B:2}c{D}` as its columns, with the text before each. */
export function partsOf(template: string): { before: string; column: string; width: number }[] {
  return [...template.matchAll(/([^{}]*)\{([^{}:]+)(?::(\d+))?\}/g)].map(
    ([, before = '', column = '', width]) => ({
      before,
      column,
      width: Number(width ?? 0),
    }),
  )
}

function readText(column: string, row: Row): string {
  if (!Object.hasOwn(row, column)) throw new Error(`there is no column ${column}`)
  const value = row[column]
  if (value instanceof Date) return value.toISOString()
  return value === null || value === undefined ? '' : String(value).trim()
}

function meaningReader(field: TextCell): (text: string) => Value {
  const { as, since, prefix, fallback, values, patterns } = field
  const refuse = (text: string, why: string): never => {
    throw new Error(`${placeOf(field)}: "${shown(text)}" is not ${why}`)
  }
  if (values !== undefined) {
    return (text) => (Object.hasOwn(values, text) ? prefix + values[text] : refuse(text, 'in its values'))
  }
  if (patterns !== undefined) {
    const known = Object.entries(patterns).map(
      ([source, word]) => [new RegExp(source), prefix + word] as const,
    )
    return (text) => known.find(([matches]) => matches.test(text))?.[1] ?? fallback
  }
  if (as === 'text') return (text) => prefix + text
  if (as === 'hash') return (text) => prefix + hashOf(text)
  const sinceMs = since === undefined ? 0 : Date.parse(since)
  const convert = conversions[as]
  return (text) => convert(text, sinceMs) ?? refuse(text, as)
}
