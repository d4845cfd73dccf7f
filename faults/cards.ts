import { partitionOf } from '../src/core/partition.ts'
import type { NewRecord } from '../src/core/ports.ts'
import type { Random } from '../src/core/random.ts'
import { aLabel, aTransaction } from '../test/helpers/contracts.ts'
import { plainAvro } from './verifier/plain-avro.ts'

/** A test card number and the record that carries it. */
export interface Plant {
  /** Digits only, with a right check digit. */
  readonly number: string
  readonly place: string
  readonly record: NewRecord
  /** Whether the record is to be decided all the same: the number is in what weir does not read. */
  readonly accepted: boolean
  /** The fields of the transaction, where it is one and nothing else is wrong with it: for a test event. */
  readonly fields: Readonly<Record<string, unknown>> | null
}

/** Issuers' first digits, and the lengths of their numbers: ISO/IEC 7812-1 and what the schemes publish. */
const schemes: readonly (readonly [prefixes: readonly string[], lengths: readonly number[]])[] = [
  [['4'], [13, 16, 19]],
  [['51', '52', '53', '54', '55', '2221', '2300', '2599', '2720'], [16]],
  [['34', '37'], [15]],
  [['300', '305', '36', '38'], [14]],
  [
    ['3528', '3550', '3589'],
    [16, 17, 18, 19],
  ],
  [
    ['6011', '644', '649', '65'],
    [16, 17, 18, 19],
  ],
  [['62'], [16, 17, 18, 19]],
]

function cardNumber(random: Random): string {
  const [prefixes, lengths] = pick(random, schemes)
  let payload = pick(random, prefixes)
  for (const length = pick(random, lengths); payload.length < length - 1; ) payload += random.below(10)
  return payload + checkDigit(payload)
}

/** ISO/IEC 7812-1 annex B. */
function checkDigit(payload: string): number {
  let sum = 0
  for (const [back, digit] of [...payload].reverse().entries()) {
    const weighed = Number(digit) * (back % 2 === 0 ? 2 : 1)
    sum += weighed > 9 ? weighed - 9 : weighed
  }
  return (10 - (sum % 10)) % 10
}

const grouped = (number: string, by: string): string => number.replace(/(\d{4})(?=\d)/g, `$1${by}`)

/** How people and programs write them. */
const forms: readonly ((number: string) => string)[] = [
  (number) => number,
  (number) => grouped(number, ' '),
  (number) => grouped(number, '-'),
  (number) => number.replace(/^(\d{4})(\d{6})(\d+)$/, '$1 $2 $3'),
  (number) => [...number].join(' '),
  (number) => `paid with ${number}, thanks`,
  (number) => `card=${grouped(number, '-')};ok`,
  (number) => `ref${number}x`,
]

const transactions = plainAvro<object>('transaction.avsc')
const labels = plainAvro<object>('label.avsc')

const textFields = (value: object): string[] =>
  Object.keys(value).filter((name) => !/_time|amount|fraud$|latitude|longitude|utc/.test(name))

/** Where a number is put: into a record that would be good without it. */
type Place = (written: string, number: string, at: Base) => Omit<Plant, 'number' | 'place'>

interface Base {
  readonly topics: { readonly transactions: string; readonly labels: string }
  readonly partitions: number
  readonly id: string
  readonly time: number
}

function places(): (readonly [name: string, place: Place])[] {
  return [
    ...textFields(aTransaction()).map((name) => [`transaction.${name}`, inField(name)] as const),
    ...['amount_minor', 'event_time'].map((name) => [`transaction.${name}`, asNumber(name)] as const),
    ...textFields(aLabel()).map((name) => [`label.${name}`, inLabel(name)] as const),
    ...Object.entries(besides),
  ]
}

const goodTransaction = ({ id, time }: Base) =>
  aTransaction({ transaction_id: `t-${id}`, customer_id: `c-${id}`, event_time: time })

function transactionRecord({ topics, partitions, time }: Base, fields: object, key: string): NewRecord {
  const value = transactions.write(fields)
  return { topic: topics.transactions, partition: partitionOf(key, partitions), key, value, timestamp: time }
}

const inField =
  (name: string): Place =>
  (written, _, base) => {
    const fields = { ...goodTransaction(base), [name]: written }
    return { record: transactionRecord(base, fields, fields.customer_id), accepted: false, fields }
  }

/** As a number of as many digits as fit. */
const asNumber =
  (name: string): Place =>
  (_, number, base) => {
    const value = Number(number)
    if (!Number.isSafeInteger(value)) return inField('description')(number, number, base)
    // Of a currency whose units are small the amount is no reason to refuse it.
    const fields = { ...goodTransaction(base), currency: 'VND', [name]: value }
    return { record: transactionRecord(base, fields, fields.customer_id), accepted: false, fields }
  }

const inLabel =
  (name: string): Place =>
  (written, _, base) => {
    const { topics, partitions, id, time } = base
    const good = { label_id: `l-${id}`, customer_id: `c-${id}`, effective_time: time, observed_time: time }
    const fields = { ...aLabel(good), [name]: written }
    const key = fields.customer_id
    const value = labels.write(fields)
    const record = {
      topic: topics.labels,
      partition: partitionOf(key, partitions),
      key,
      value,
      timestamp: time,
    }
    return { record, accepted: false, fields: null }
  }

/** In a record of a good transaction, or of what is none, beside or around its fields. */
const changed =
  (
    change: (written: string, number: string, good: NewRecord) => Partial<NewRecord>,
    accepted = false,
  ): Place =>
  (written, number, base) => {
    const good = goodTransaction(base)
    const record = transactionRecord(base, good, good.customer_id)
    return { record: { ...record, ...change(written, number, record) }, accepted, fields: null }
  }

const bytesOf = ({ value }: NewRecord): Buffer => value as Buffer
const traceId = '0af7651916cd43dd8448eb211c80319c'
const parentOf = (number: string): string => `00-${traceId}-${number.slice(0, 16).padStart(16, '0')}-01`

const besides: Readonly<Record<string, Place>> = {
  key: changed((key) => ({ key })),
  'key without a value': changed((key) => ({ key, value: null })),
  'header value': changed((written) => ({ headers: { note: written } }), true),
  'header name': changed((written) => ({ headers: { [written]: 'x' } }), true),
  traceparent: changed((written) => ({ headers: { traceparent: written } }), true),
  'well-formed traceparent': changed(
    (_, number) => ({ headers: { traceparent: `00-${number.padStart(32, '0')}-b7ad6b7169203331-01` } }),
    true,
  ),
  tracestate: changed(
    (written) => ({ headers: { traceparent: parentOf('0'), tracestate: `bank=${written}` } }),
    true,
  ),
  'header of a record that is refused': changed((written, _, good) => ({
    headers: { note: written },
    value: bytesOf(good).subarray(0, 20),
  })),
  'header name of a record that is refused': changed((written) => ({
    headers: { [written]: 'x' },
    value: null,
  })),
  JSON: changed((written) => ({ value: Buffer.from(JSON.stringify({ pan: written, amount: 1 })) })),
  'nested, in an unknown schema': changed((written) => ({
    value: Buffer.concat([
      Buffer.from([0, 0, 0, 3, 231, 2, 2, 48]),
      Buffer.from(written),
      Buffer.from([0, 2]),
    ]),
  })),
  'bytes left over': changed((written, _, good) => ({
    value: Buffer.concat([bytesOf(good), Buffer.from(written)]),
  })),
  'a longer run of digits': changed((_, number) => ({ value: Buffer.from(`99${number}99`) })),
  'dots, no-break spaces and dashes': changed((_, number) => ({
    value: Buffer.from(
      number.replace(/(\d{4})(?=\d)/g, (four, _group, at) => four + ['.', '\u00a0', '\u2013', '/'][at % 3]),
    ),
  })),
  'a value too large': changed((written) => ({ value: Buffer.from(written.padEnd(70_000, ' .')) })),
}

/** So many different numbers, each place in turn, each way of writing at random. The same seed, the same records. */
export function plantCards(count: number, random: Random, base: Omit<Base, 'id'>): Plant[] {
  const numbers = new Set<string>()
  while (numbers.size < count) numbers.add(cardNumber(random))
  const all = places()
  return [...numbers].map((number, i) => {
    const [place, put] = all[i % all.length] as (typeof all)[number]
    return { number, place, ...put(pick(random, forms)(number), number, { ...base, id: `${i}` }) }
  })
}

function pick<T>(random: Random, some: readonly T[]): T {
  return some[random.below(some.length)] as T
}
