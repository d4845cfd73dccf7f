import { dayOf, daysOf, isoDay, spanOf } from '../days.ts'
import type { PeriodLength } from './comparison.ts'
import type { DecisionTable, SegmentField, TextColumn } from './decision-table.ts'
import type { Truth } from './truth.ts'

/** Which part of the payments each row belongs to. */
export interface Cut {
  readonly parts: readonly Part[]
  /** Positions in `parts`; -1: in none. */
  readonly codes: Int32Array
}

export interface Part {
  /** As in `Slice`. */
  readonly value: string | null
  readonly values: number
  /** UTC days that the part covers. */
  readonly days: number
}

/** Values beyond the 12 with the most payments are summed up: a page has no room for 500 merchant categories. */
const mostParts = 12

const none = -1

/** By a field of the payment; by the kind of fraud only frauds are cut, since honest payments have none. */
export function cutByField(table: DecisionTable, field: SegmentField, { fraud }: Truth): Cut {
  const column = table.segments[field]
  const among = (row: number) => field !== 'fraud_type' || fraud[row] === 1
  const ranked = valuesByPayments(column, among)
  const kept = ranked.length > mostParts ? ranked.slice(0, mostParts - 1) : ranked
  const days = daysOf(table.eventTime)
  const parts = kept.map((code) => ({ value: column.values[code] ?? null, values: 1, days }))
  const rest = ranked.length - kept.length
  if (rest > 0) parts.push({ value: null, values: rest, days })
  const partOf = new Map(ranked.map((code, place) => [code, Math.min(place, parts.length - 1)]))
  const codes = column.codes.map((code, row) => (among(row) ? (partOf.get(code) as number) : none))
  return { parts, codes }
}

/** Codes of the values, -1 among them where it occurs, by descending number of payments; of equal ones by code. */
function valuesByPayments({ values, codes }: TextColumn, among: (row: number) => boolean): number[] {
  const counts = new Float64Array(values.length + 1)
  for (let row = 0; row < codes.length; row++) {
    const place = (codes[row] as number) + 1
    if (among(row)) counts[place] = (counts[place] as number) + 1
  }
  return [...counts.keys()]
    .filter((place) => counts[place] !== 0)
    .sort((a, b) => (counts[b] as number) - (counts[a] as number) || a - b)
    .map((place) => place - 1)
}

/** By UTC days, or by weeks from Monday to Sunday (ISO 8601). */
export function cutByPeriod({ eventTime }: DecisionTable, length: PeriodLength): Cut {
  // 1970-01-01 was a Thursday.
  const [days, monday] = length === 'day' ? [1, 0] : [7, -3]
  const periodOf = (time: number) => Math.floor((dayOf(time) - monday) / days)
  const [first, last] = spanOf(eventTime)
  const from = periodOf(first)
  const occurs = new Uint8Array(periodOf(last) - from + 1)
  for (const time of eventTime) occurs[periodOf(time) - from] = 1
  const periods = [...occurs.keys()].filter((period) => occurs[period] === 1)
  const parts = periods.map((period) => {
    const begin = (period + from) * days + monday
    const covered = Math.min(begin + days - 1, dayOf(last)) - Math.max(begin, dayOf(first)) + 1
    return { value: isoDay(begin), values: 1, days: covered }
  })
  const placeOf = new Map(periods.map((period, place) => [period, place]))
  const codes = Int32Array.from(eventTime, (time) => placeOf.get(periodOf(time) - from) as number)
  return { parts, codes }
}

/** The rows of each part, in the order in which they are given. */
export function split(rows: Int32Array, { parts, codes }: Cut): Int32Array[] {
  const lengths = new Int32Array(parts.length + 1)
  for (const row of rows) {
    const place = (codes[row] as number) + 1
    lengths[place] = (lengths[place] as number) + 1
  }
  const split = parts.map((_, part) => new Int32Array(lengths[part + 1] as number))
  lengths.fill(0)
  for (const row of rows) {
    const part = codes[row] as number
    if (part === none) continue
    const length = lengths[part] as number
    const rowsOfPart = split[part] as Int32Array
    rowsOfPart[length] = row
    lengths[part] = length + 1
  }
  return split
}

/** 0, 1, and so on. */
export const allRows = (rows: number): Int32Array => new Int32Array(rows).map((_, row) => row)
