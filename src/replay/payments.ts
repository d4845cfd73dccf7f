import type { Contracts } from '../adapters/avro-contracts.ts'
import type { Config } from '../config/schema.ts'
import { deadLetter, type Lettered, readLetter, skipCode } from '../core/dead-letter.ts'
import { offsetIn } from '../core/decide.ts'
import { refusedAmount } from '../core/enrich.ts'
import type { Checked } from '../core/errors.ts'
import type { CompiledFeatures } from '../core/features/compile.ts'
import type { Arrival } from '../core/parties.ts'
import type { Log, LogRecord, NewRecord, TopicPartition } from '../core/ports.ts'
import type { Decision, Transaction } from '../core/types.ts'
import { checkRecords } from '../stream/decoded.ts'
import { type Answer, Answers, startOf } from './answers.ts'
import type { Difference, Verdict, VerifiedRange } from './verdict.ts'

/** A payment that could be decided, in the order of the log. */
export interface Payment {
  /** Event time, by which partitions are merged. */
  readonly time: number
  readonly arrival: Arrival
  /** Null: it is not in the range, and only feeds the states; or it is lost, which has been told. */
  readonly decision: Decision | null
}

export interface PaymentReader {
  readonly log: Pick<Log, 'bounds' | 'read'>
  readonly topics: Config['topics']
  readonly contracts: Pick<Contracts, 'transactions' | 'decisions'>
  /** Those that tell which currencies can be decided: of a hash, else those of the configuration. */
  readonly featuresOf: (hash: string | undefined) => CompiledFeatures
  readonly verdict: Verdict
}

/**
 * The payments of one partition, each with its decision. What has not exactly one answer, or a wrong dead letter, is
 * told on the way.
 *
 * @param readFrom first offset to read, at most `range.from`: what lies between feeds the states only.
 */
export async function* readPayments(
  reader: PaymentReader,
  range: VerifiedRange,
  readFrom: number,
): AsyncGenerator<readonly Payment[], void, undefined> {
  const at = { topic: reader.topics.transactions, partition: range.partition }
  const decisions = await openAnswers(reader, reader.topics.decisions, range, readDecisions)
  const skips: Lettered[] = []
  const letters = await openAnswers(reader, reader.topics.dead_letters, range, readLetters(skips))
  try {
    for await (const records of reader.log.read(at, readFrom, range.to)) {
      const checked = await checkRecords(reader.contracts.transactions, records)
      const last = records.at(-1)?.offset ?? -1
      if (last >= range.from) await Promise.all([decisions.answers.reach(last), letters.answers.reach(last)])
      const payments: Payment[] = []
      for (const [i, record] of records.entries()) {
        const isSkipped = skips.some(({ offset, next }) => record.offset >= offset && record.offset < next)
        const input = { at, record, checked: checked[i] as Checked<Transaction>, isSkipped }
        const isAsked = record.offset >= range.from
        const decision = isAsked ? checkAnswers(reader, input, decisions, letters) : null
        if (!input.checked.ok || decision === 'refused') continue
        const transaction = input.checked.value
        const arrival = { partition: at.partition, offset: record.offset, transaction }
        payments.push({ time: transaction.event_time, arrival, decision })
      }
      yield payments
    }
    await Promise.all([decisions.answers.reach(range.to - 1), letters.answers.reach(range.to - 1)])
    for (const { answers } of [decisions, letters]) {
      for (const offset of answers.rest(range.to)) {
        reader.verdict.find('stray', `${nameOf(at, offset)} was answered, but there is no such record`)
      }
    }
  } finally {
    await Promise.all([decisions.answers.close(), letters.answers.close()])
  }
}

interface OpenAnswers<T> {
  readonly answers: Answers<T>
  /** Retention has taken the first of them. */
  readonly isCut: boolean
}

type ReadAnswers<T> = (
  reader: PaymentReader,
  at: TopicPartition,
  records: readonly LogRecord[],
) => Promise<Answer<T>[]>

async function openAnswers<T>(
  reader: PaymentReader,
  topic: string,
  { partition, from }: VerifiedRange,
  read: ReadAnswers<T>,
): Promise<OpenAnswers<T>> {
  const at = { topic, partition }
  const bounds = await reader.log.bounds(at)
  async function* batches(first: number) {
    for await (const records of reader.log.read(at, first, bounds.end)) yield await read(reader, at, records)
  }
  const start = await startOf(bounds, from, async (offset) => {
    for await (const [answer] of batches(offset)) return answer?.offset ?? null
    return null
  })
  const input = { topic: reader.topics.transactions, partition }
  const onMisplaced = (offset: number) =>
    reader.verdict.find('doubled', `${nameOf(input, offset)} was answered again, or out of order`)
  return { answers: new Answers(batches(start), from, onMisplaced), isCut: bounds.first > 0 }
}

async function readDecisions(
  { contracts, topics, verdict }: PaymentReader,
  at: TopicPartition,
  records: readonly LogRecord[],
): Promise<Answer<Decision>[]> {
  const checked = await contracts.decisions.decode(records)
  return checked.flatMap((one, i) => {
    const name = nameOf(at, (records[i] as LogRecord).offset)
    if (!one.ok) {
      verdict.find('stray', `the decision ${name} cannot be read: ${one.rejection.message}`)
      return []
    }
    const { decision_id } = one.value
    const offset = offsetIn(decision_id, topics.transactions, at.partition)
    if (offset !== null) return [{ offset, value: one.value }]
    verdict.find('stray', `the decision ${name} names ${decision_id}, which is no payment of its partition`)
    return []
  })
}

/** Those that stand for transactions: labels and updates share the topic. @param skips gets what is declared skipped. */
const readLetters =
  (skips: Lettered[]): ReadAnswers<LogRecord> =>
  async ({ topics }, _, records) =>
    records.flatMap((record) => {
      const letter = readLetter(record)
      if (letter?.topic !== topics.transactions) return []
      if (letter.code !== skipCode) return [{ offset: letter.offset, value: record }]
      skips.push(letter)
      return []
    })

interface Input {
  readonly at: TopicPartition
  readonly record: LogRecord
  readonly checked: Checked<Transaction>
  /** An operator declared it skipped: it has no answer, and is part of the states. */
  readonly isSkipped: boolean
}

/** Whether there is one answer, and of the right kind. @returns the decision; `refused` where there is a dead letter. */
function checkAnswers(
  { topics, featuresOf, verdict }: PaymentReader,
  { at, record, checked, isSkipped }: Input,
  decisions: OpenAnswers<Decision>,
  letters: OpenAnswers<LogRecord>,
): Decision | null | 'refused' {
  const { offset } = record
  const [decided, refused] = [decisions.answers.take(offset), letters.answers.take(offset)]
  const [decision = null] = decided
  const [letter] = refused
  const { result } = verdict
  result.transactions++
  result.decisions += decided.length
  const rejection = checked.ok
    ? refusedAmount(checked.value, featuresOf(decision?.feature_hash))
    : checked.rejection
  const answers = decided.length + refused.length
  if (answers === 0 && isSkipped) result.skipped++
  else if (answers === 0) {
    const { answers: kept, isCut } = rejection === null ? decisions : letters
    if (isCut && offset < (kept.first ?? Number.POSITIVE_INFINITY)) result.answer_gone++
    else verdict.find('lost', `${nameOf(at, offset)} has neither a decision nor a dead letter`)
  }
  if (answers > 1) verdict.find('doubled', `${nameOf(at, offset)} was answered ${answers} times`)
  if (letter !== undefined || rejection !== null) {
    result.dead_letters.compared++
    const wanted = rejection && deadLetter(topics.dead_letters, at, record, rejection)
    const difference = letterDifference(nameOf(at, offset), letter ?? null, wanted, decision !== null)
    if (difference !== null) {
      result.dead_letters.differ++
      verdict.name([difference])
    }
  }
  if (letter !== undefined && decision === null) return 'refused'
  return rejection === null ? decision : null
}

const nameOf = ({ topic, partition }: TopicPartition, offset: number): string =>
  `${topic}-${partition}-${offset}`

/** A lost letter is no difference: it has been told as lost. */
function letterDifference(
  decision_id: string,
  letter: LogRecord | null,
  wanted: NewRecord | null,
  isDecided: boolean,
): Difference | null {
  const reason = (one: LogRecord | NewRecord | null) => one?.headers?.['weir-reason'] ?? null
  const differs = (field: string, recorded: unknown, recomputed: unknown): Difference => {
    return { decision_id, field, recorded, recomputed }
  }
  if (letter === null) return isDecided ? differs('dead_letter', null, reason(wanted)) : null
  if (wanted === null || reason(letter) !== reason(wanted)) {
    return differs('dead_letter', reason(letter), reason(wanted))
  }
  const headers = wanted.headers ?? {}
  for (const name of new Set([...Object.keys(letter.headers), ...Object.keys(headers)])) {
    const [recorded = null, recomputed = null] = [letter.headers[name], headers[name]]
    if (recorded !== recomputed) return differs(`dead_letter.${name}`, recorded, recomputed)
  }
  for (const part of ['key', 'value'] as const) {
    const [recorded, recomputed] = [hex(letter[part]), hex(wanted[part])]
    if (recorded !== recomputed) return differs(`dead_letter.${part}`, recorded, recomputed)
  }
  if (letter.timestamp === wanted.timestamp) return null
  return differs('dead_letter.timestamp', letter.timestamp, wanted.timestamp)
}

const hex = (bytes: Buffer | string | null): string | null =>
  bytes === null ? null : Buffer.from(bytes).toString('hex')
