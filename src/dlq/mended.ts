import { readFileSync } from 'node:fs'
import type { Codec } from '../adapters/avro.ts'
import { readSchema } from '../adapters/avro-schema-files.ts'
import { WeirError } from '../core/errors.ts'
import type { LogRecord } from '../core/ports.ts'
import { type DeadLetter, ownHeaders } from '../core/redrive.ts'
import type { Label, Transaction } from '../core/types.ts'
import { type Unchecked, validateLabel, validateTransaction } from '../core/validate.ts'
import { shown } from '../files/shown.ts'
import { unreadable } from '../files/unreadable.ts'

/** How a topic's records are written anew. */
export interface Mending {
  /** File of the schema in schemas/. */
  readonly schema: 'transaction.avsc' | 'label.avsc'
  readonly codec: Codec<Transaction> | Codec<Label>
}

/** The codec's turn to check times comes when the record is complete. */
const anyTime = { eventTimePastMs: Number.POSITIVE_INFINITY, eventTimeFutureMs: Number.POSITIVE_INFINITY }

/**
 * The record that a JSON file describes, in the place of the one that was refused: one object with the fields of the
 * contract, where what is left out is null. As `weir produce` does, its time is the event's and its key the customer;
 * a record that had no key gets none.
 *
 * @throws WeirError WEIR_CLI_INPUT where the file is no such object, WEIR_DLQ_REFUSED where the contract forbids it.
 */
export function mendedRecord(path: string, letter: DeadLetter, { schema, codec }: Mending): LogRecord {
  const candidate = readObject(path, schema)
  const checked =
    schema === 'label.avsc'
      ? validateLabel(candidate as Unchecked<Label>, 0, anyTime)
      : validateTransaction(candidate as Unchecked<Transaction>, 0, anyTime)
  if (!checked.ok) throw stillRefused(path, checked.rejection)
  const { value } = checked
  const isKeyless = !letter.withheld && letter.record.key === null
  return {
    offset: letter.record.offset,
    timestamp: 'observed_time' in value ? value.observed_time : value.event_time,
    key: isKeyless ? null : Buffer.from(value.customer_id),
    value: (codec as Codec<Transaction | Label>).encode(value),
    headers: ownHeaders(letter.record),
  }
}

function readObject(path: string, schema: Mending['schema']): Record<string, unknown> {
  const fields = (JSON.parse(readSchema(schema)) as { fields: { name: string }[] }).fields
  let parsed: unknown
  try {
    parsed = JSON.parse(readFileSync(path, 'utf8'))
  } catch (cause) {
    if (cause instanceof SyntaxError) throw mistake(path, 'it is not JSON', schema)
    throw unreadable(path, cause)
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw mistake(path, 'it is not one JSON object', schema)
  }
  const unknown = Object.keys(parsed).find((name) => !fields.some((field) => field.name === name))
  if (unknown !== undefined) throw mistake(path, `${shown(unknown)} is no field`, schema)
  return { ...Object.fromEntries(fields.map(({ name }) => [name, null])), ...parsed }
}

function mistake(path: string, why: string, schema: Mending['schema']): WeirError {
  return new WeirError('WEIR_CLI_INPUT', `${path}: ${why}`, {
    cure: `write one object with the fields of schemas/${schema}; weir dlq show LETTER --json has them under value`,
  })
}

/** @param what the letter or the file. */
export function stillRefused(
  what: string,
  { code, message }: { readonly code: string; readonly message: string },
): WeirError {
  return new WeirError('WEIR_DLQ_REFUSED', `${what} would be a dead letter again: ${message} (${code})`, {
    cure: 'mend the cause, or the record in a JSON file, and give it --with FILE',
  })
}
