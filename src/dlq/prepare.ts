import type { Codec } from '../adapters/avro.ts'
import { skipCode } from '../core/dead-letter.ts'
import { WeirError } from '../core/errors.ts'
import { partitionOf } from '../core/partition.ts'
import type { Log, LogRecord, NewRecord } from '../core/ports.ts'
import { type DeadLetter, ownHeaders, redrivenHeaders } from '../core/redrive.ts'
import { checkRecords } from '../stream/decoded.ts'

/** A letter with the record to be put back for it, or why there is none: one of the two is null. */
export interface Prepared {
  readonly letter: DeadLetter
  readonly record: NewRecord | null
  readonly refusal: { readonly code: string; readonly message: string } | null
}

export type Prepare = (letters: readonly DeadLetter[]) => Promise<Prepared[]>

/** A topic whose records can be put back. */
export interface InputTopic {
  readonly topic: string
  /** What decides whether a record would be a dead letter again: the one that members use. */
  readonly codec: Codec<unknown>
}

/**
 * Makes the records to be put back.
 *
 * @param mend the record in the place of the one that was refused; absent: the same bytes, from the letter or, where they
 *   were withheld, from where the record lies.
 */
export function createPrepare(
  log: Pick<Log, 'partitions' | 'read'>,
  inputs: readonly InputTopic[],
  mend?: (letter: DeadLetter) => LogRecord,
): Prepare {
  const counts = new Map<string, Promise<number>>()

  async function targetOf({ source: { topic, partition } }: DeadLetter, key: Buffer | null) {
    if (key === null) return { topic, partition }
    const count = counts.get(topic) ?? log.partitions(topic)
    counts.set(topic, count)
    return { topic, partition: partitionOf(key.toString(), await count) }
  }

  async function prepareOne(letter: DeadLetter): Promise<Prepared> {
    const input = inputs.find(({ topic }) => topic === letter.source.topic)
    if (input === undefined) {
      return refused(letter, 'WEIR_LOG_TOPIC', `weir reads no topic ${letter.source.topic} here`)
    }
    if (letter.code === skipCode) {
      return refused(letter, skipCode, 'it stands for a range that was declared skipped, not for a record')
    }
    const original = mend === undefined ? await originalOf(log, letter) : mend(letter)
    if (original === null) {
      return refused(letter, letter.code, 'its bytes were withheld, and the record itself is gone')
    }
    const record = { ...original, headers: redrivenHeaders(letter, original.headers) }
    const [checked] = await checkRecords(input.codec, [record])
    if (checked?.ok !== true) return { letter, record: null, refusal: checked?.rejection ?? null }
    const { key, value, headers, timestamp } = record
    return {
      letter,
      record: { ...(await targetOf(letter, key)), key, value, headers, timestamp },
      refusal: null,
    }
  }

  return async (letters) => {
    const prepared: Prepared[] = []
    for (const letter of letters) prepared.push(await prepareOne(letter))
    return prepared
  }
}

const refused = (letter: DeadLetter, code: string, message: string): Prepared => ({
  letter,
  record: null,
  refusal: { code, message },
})

/** The record that was refused; null where nobody has it any more. */
async function originalOf(log: Pick<Log, 'read'>, letter: DeadLetter): Promise<LogRecord | null> {
  const { record, source, withheld } = letter
  if (!withheld) return { ...record, headers: ownHeaders(record) }
  try {
    for await (const [found] of log.read(source, source.offset, source.offset + 1)) return found ?? null
    return null
  } catch (error) {
    if (error instanceof WeirError && !error.retriable) return null
    throw error
  }
}
