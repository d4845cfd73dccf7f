import type { SchemaSource } from '../adapters/avro.ts'
import { inspectValue } from '../adapters/avro-inspect.ts'
import { holdsPan } from '../core/pan.ts'
import { type DeadLetter, ownHeaders, type RedriveMark, shortName, sourceName } from '../core/redrive.ts'
import { cureOf } from './cures.ts'

/** A dead letter for a person to read. Nothing in it looks like a card number. */
export interface ShownLetter {
  /** `partition-offset` on the topic for dead letters. */
  readonly letter: string
  /** `topic-partition-offset` of the record that it stands for. */
  readonly source: string
  /** Of the record, ISO 8601. */
  readonly time: string
  readonly code: string
  readonly message: string
  readonly stage: string
  readonly cure: string
  /** When it was put back, ISO 8601; null: it was not. */
  readonly redriven: string | null
  readonly withheld: boolean
  readonly key: string | null
  readonly headers: Readonly<Record<string, string>>
  /** Fields as far as they can be read, or the first bytes as hexadecimal digits; null where there is no value. */
  readonly value: Readonly<Record<string, unknown>> | string | null
  /** What could not be read of the value, in words. */
  readonly unread: string | null
}

export async function showLetter(
  letter: DeadLetter,
  mark: RedriveMark | null,
  schemas: Pick<SchemaSource, 'schemaOf'>,
): Promise<ShownLetter> {
  const { record, code, message, stage, withheld } = letter
  const headers = Object.entries(ownHeaders(record))
  return {
    letter: shortName(letter),
    source: sourceName(letter),
    time: isoTime(record.timestamp),
    code,
    message: masked(message),
    stage,
    cure: cureOf(code),
    redriven: mark === null ? null : isoTime(mark.time),
    withheld,
    key: record.key === null ? null : masked(record.key.toString()),
    headers: Object.fromEntries(headers.map(([name, text]) => [masked(name), masked(text)])),
    ...(await showValue(letter, schemas)),
  }
}

const mostShownBytes = 256

async function showValue(
  { record: { value }, withheld }: DeadLetter,
  schemas: Pick<SchemaSource, 'schemaOf'>,
): Promise<Pick<ShownLetter, 'value' | 'unread'>> {
  if (value === null) return { value: null, unread: withheld ? 'it was withheld' : null }
  // As before it was copied; what counts as a card number may have changed since.
  if (holdsPan(value.toString('latin1'), { anywhere: true })) return { value: null, unread: mask }
  const inspected = await inspectValue(value, schemas)
  if (inspected === null) {
    const left = value.length - mostShownBytes
    const unread = 'no schema is known for it'
    return {
      value: value.toString('hex', 0, mostShownBytes),
      unread: left > 0 ? `${unread}; ${left} more bytes` : unread,
    }
  }
  const { fields, brokenAt, bytesLeft } = inspected
  return { value: maskedIn(fields) as Record<string, unknown>, unread: unreadOf(brokenAt, bytesLeft) }
}

function unreadOf(brokenAt: string | null, bytesLeft: number): string | null {
  if (brokenAt !== null) return `${brokenAt} and what follows: ${bytesLeft} bytes`
  return bytesLeft > 0 ? `${bytesLeft} bytes behind the last field` : null
}

const mask = 'masked: it may hold a card number'

/** Harder than messages are searched: what is shown goes to terminals and their histories. */
const masked = (text: string): string => (holdsPan(text, { anywhere: true }) ? `(${mask})` : text)

/** Every text and number in a value; bytes as hexadecimal digits. */
function maskedIn(value: unknown): unknown {
  if (typeof value === 'string') return masked(value)
  if (typeof value === 'number') return masked(String(value)) === String(value) ? value : `(${mask})`
  if (Buffer.isBuffer(value)) return masked(value.toString('hex'))
  if (Array.isArray(value)) return value.map(maskedIn)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [masked(name), maskedIn(one)]))
}

/** Producers may send any number for a timestamp. */
function isoTime(time: number): string {
  const date = new Date(time)
  return Number.isNaN(date.getTime()) ? `${time} ms` : date.toISOString()
}
