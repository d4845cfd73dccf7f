import type { Codec } from '../adapters/avro.ts'
import { deadLetter } from '../core/dead-letter.ts'
import type { Checked, Rejection } from '../core/errors.ts'
import type { LogRecord, NewRecord, TopicPartition } from '../core/ports.ts'

/** A chunk's records, read or refused: one of the two for each. */
export interface Decoded<T> {
  readonly values: readonly T[]
  /** The records of `values`, in the same order. */
  readonly accepted: readonly LogRecord[]
  /** One for each record that was refused, to be written in the transaction that answers the rest. */
  readonly deadLetters: readonly NewRecord[]
  readonly rejections: readonly Rejection[]
}

/** Reads a chunk's values. Rejects only when a schema cannot be fetched: bad records are data. */
export async function decodeRecords<T>(
  codec: Codec<T>,
  records: readonly LogRecord[],
  from: TopicPartition,
  deadLetterTopic: string,
): Promise<Decoded<T>> {
  const values: T[] = []
  const accepted: LogRecord[] = []
  const deadLetters: NewRecord[] = []
  const rejections: Rejection[] = []
  const checked = await checkRecords(codec, records)
  for (let i = 0; i < records.length; i++) {
    const record = records[i] as LogRecord
    const one = checked[i] as Checked<T>
    if (one.ok) {
      values.push(one.value)
      accepted.push(record)
    } else {
      deadLetters.push(deadLetter(deadLetterTopic, from, record, one.rejection))
      rejections.push(one.rejection)
    }
  }
  return { values, accepted, deadLetters, rejections }
}

/** The value of each record, or why it is refused. */
export async function checkRecords<T>(codec: Codec<T>, records: readonly LogRecord[]): Promise<Checked<T>[]> {
  const checked = await codec.decode(records)
  for (let i = 0; i < records.length; i++) {
    const record = records[i] as LogRecord
    if (record.rejection !== undefined) checked[i] = { ok: false, rejection: record.rejection }
    else if (!hasSmallKeyAndHeaders(record)) checked[i] = tooLarge
  }
  return checked
}

/** Header of a record that `weir rekey` moved here: `<topic>-<partition>-<offset>` of where it lay. */
export const rekeyedFrom = 'weir-rekeyed-from'

/** Keys are identifiers and headers a trace: what is larger could make the answer larger than brokers accept. */
const mostKeyAndHeaderUnits = 4_096

const tooLarge = {
  ok: false,
  rejection: {
    code: 'WEIR_RECORD_TOO_LARGE',
    message: `key and headers have more than ${mostKeyAndHeaderUnits} characters`,
    withhold: true,
  },
} as const

function hasSmallKeyAndHeaders({ key, headers }: LogRecord): boolean {
  let units = key?.length ?? 0
  // A record that was moved must be judged as it was before.
  for (const name in headers) if (name !== rekeyedFrom) units += name.length + (headers[name]?.length ?? 0)
  return units <= mostKeyAndHeaderUnits
}
