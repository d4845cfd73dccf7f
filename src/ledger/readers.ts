import type { Contracts } from '../adapters/avro-contracts.ts'
import { type Lettered, readLetter, skipCode } from '../core/dead-letter.ts'
import type { LogRecord, TopicPartition } from '../core/ports.ts'
import { markOf } from '../core/redrive.ts'
import type { Decision } from '../core/types.ts'
import type { Answer } from '../replay/answers.ts'

/** A decision as far as the ledger needs it: without its vector. */
export type Decided = Pick<Decision, 'decision_id' | 'status' | 'outcome' | 'policy' | 'lists_hit'>

/** Told of records that answer nothing: their offset on the output, and what is wrong with them. */
export type OnStray = (offset: number, what: string) => void

/**
 * Decisions on an input partition. Those on another topic, which wrote here before, are passed over.
 *
 * @param at the input.
 */
export const decisionsOf =
  ({ decisions }: Pick<Contracts, 'decisions'>, at: TopicPartition, onStray: OnStray) =>
  async (records: readonly LogRecord[]): Promise<Answer<Decided>[]> => {
    const checked = await decisions.decode(records)
    return checked.flatMap((one, i) => {
      const { offset: place } = records[i] as LogRecord
      if (!one.ok) return stray(onStray, place, `a decision cannot be read: ${one.rejection.message}`)
      const { decision_id, status, outcome, policy, lists_hit } = one.value
      return named(decision_id, at, place, onStray, { decision_id, status, outcome, policy, lists_hit })
    })
  }

/** The offsets of decisions that have alerts. @param at the input. */
export const alertsOf =
  ({ alerts }: Pick<Contracts, 'alerts'>, at: TopicPartition, onStray: OnStray) =>
  async (records: readonly LogRecord[]): Promise<Answer<null>[]> => {
    const checked = await alerts.decode(records)
    return checked.flatMap((one, i) => {
      const { offset: place } = records[i] as LogRecord
      if (!one.ok) return stray(onStray, place, `an alert cannot be read: ${one.rejection.message}`)
      return named(one.value.alert_id, at, place, onStray, null)
    })
  }

/** A range that was declared skipped: by an operator, or decided before this installation began. */
export type Skip = Pick<Lettered, 'offset' | 'next'>

/**
 * Dead letters of an input partition, each with its code. Those of other topics lie between them.
 *
 * @param at the input.
 */
export const lettersOf =
  (at: TopicPartition, onSkip: (skip: Skip) => void, onStray: OnStray) =>
  async (records: readonly LogRecord[]): Promise<Answer<string>[]> =>
    records.flatMap((record) => {
      // Of a letter that was put back: the record is another event now, and the letter is what it was.
      if (markOf(record) !== null) return []
      const letter = readLetter(record)
      if (letter === null)
        return stray(onStray, record.offset, 'a dead letter does not say what it stands for')
      if (letter.topic !== at.topic) return []
      if (letter.partition !== at.partition) {
        const what = `a dead letter stands for ${letter.topic}-${letter.partition}-${letter.offset}`
        return stray(onStray, record.offset, `${what}, which is not of its partition`)
      }
      if (letter.code !== skipCode) return [{ offset: letter.offset, value: letter.code }]
      onSkip(letter)
      return []
    })

function named<T>(id: string, at: TopicPartition, place: number, onStray: OnStray, value: T): Answer<T>[] {
  const [, topic, partition, offset] = /^(.+)-(\d{1,10})-(\d{1,16})$/.exec(id) ?? []
  if (topic !== undefined && topic !== at.topic) return []
  if (Number(partition) === at.partition) return [{ offset: Number(offset), value }]
  return stray(onStray, place, `${id} is no record of its partition`)
}

function stray(onStray: OnStray, offset: number, what: string): never[] {
  onStray(offset, what)
  return []
}
