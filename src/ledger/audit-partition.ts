import { setTimeout as sleep } from 'node:timers/promises'
import type { Codec } from '../adapters/avro.ts'
import type { Contracts } from '../adapters/avro-contracts.ts'
import type { Checked } from '../core/errors.ts'
import type { Log, LogRecord, TopicPartition } from '../core/ports.ts'
import type { Transaction } from '../core/types.ts'
import { checkRecords } from '../stream/decoded.ts'
import type { Finding, PartitionAccount, Range } from './account.ts'
import { AnswerStream } from './answer-stream.ts'
import { Book, type BookOptions, type Case } from './book.ts'
import { alertsOf, type Decided, decisionsOf, lettersOf, type Skip } from './readers.ts'

export interface PartitionAuditOptions extends Pick<BookOptions, 'callsForAlert' | 'onFate'> {
  readonly log: Pick<Log, 'bounds' | 'read'>
  readonly topics: {
    readonly transactions: string
    readonly decisions: string
    readonly alerts: string
    readonly dead_letters: string
  }
  /** Amounts checked against the feature file as well: what is refused, and so needs a dead letter. */
  readonly transactions: Codec<Transaction>
  readonly contracts: Pick<Contracts, 'decisions' | 'alerts'>
  readonly onFinding: (finding: Finding) => void
  /** Told how many records were gone through, now and then. */
  readonly onRecords: (count: number) => void
}

/** What is missing is looked for again: a transaction that is being completed is not visible everywhere at once. */
const looks = { most: 5, pauseMs: 500 }

/** Goes through one partition of transactions beside its outputs, some batches of each in memory. */
export function auditPartition(options: PartitionAuditOptions, range: Range): Promise<PartitionAccount> {
  return new PartitionAudit(options, range).run()
}

class PartitionAudit {
  readonly #options: PartitionAuditOptions
  readonly #range: Range
  readonly #input: TopicPartition
  readonly #book: Book
  readonly #skips: Skip[] = []
  readonly #decisions: AnswerStream<Decided>
  readonly #letters: AnswerStream<string>
  readonly #alerts: AnswerStream<null>

  constructor(options: PartitionAuditOptions, range: Range) {
    this.#options = options
    this.#range = range
    const { topics, contracts } = options
    this.#input = { topic: topics.transactions, partition: range.partition }
    this.#book = new Book({
      ...options,
      partition: range.partition,
      find: (...found) => this.#find(...found),
      isGone: (kind, offset) => this.#isGone(kind, offset),
    })
    const [book, input] = [this.#book, this.#input]
    this.#decisions = new AnswerStream({
      ...this.#streamOf(topics.decisions),
      read: decisionsOf(contracts, input, (...found) => this.#stray(topics.decisions, ...found)),
      onLate: (offset, decision) => book.lateDecision(offset, decision),
    })
    this.#letters = new AnswerStream({
      ...this.#streamOf(topics.dead_letters),
      read: lettersOf(
        input,
        (skip) => this.#skips.push(skip),
        (...found) => this.#stray(topics.dead_letters, ...found),
      ),
      onLate: (offset, code) => book.lateLetter(offset, code),
    })
    this.#alerts = new AnswerStream({
      ...this.#streamOf(topics.alerts),
      read: alertsOf(contracts, input, (...found) => this.#stray(topics.alerts, ...found)),
      onLate: (offset) => book.lateAlert(offset),
    })
  }

  async run(): Promise<PartitionAccount> {
    const { log, onRecords } = this.#options
    const { from, to } = this.#range
    const { account } = this.#book
    try {
      for await (const records of log.read(this.#input, from, to)) {
        await this.#batch(records)
        onRecords(records.length)
      }
      await this.#reach(to - 1)
      this.#enterGaps(to)
      await this.#lookAgain()
      await this.#checkBeyond()
    } finally {
      await Promise.all(this.#streams.map(({ answers }) => answers.close()))
    }
    this.#book.settle()
    account.gaps = to - from - account.records
    return { ...this.#range, ...account }
  }

  get #streams() {
    return [this.#decisions, this.#letters, this.#alerts] as const
  }

  #streamOf(topic: string) {
    const { log } = this.#options
    const { partition, from } = this.#range
    const onDisorder = (offset: number) => {
      if (!this.#isAsked(offset)) return
      this.#book.account.out_of_order++
      this.#find('out of order', offset, `its answer on ${topic} lies behind one to a later record`)
    }
    return { log, at: { topic, partition }, from, onDisorder }
  }

  async #reach(offset: number): Promise<void> {
    await Promise.all(this.#streams.map(({ answers }) => answers.reach(offset)))
  }

  async #batch(records: readonly LogRecord[]): Promise<void> {
    const last = (records.at(-1) as LogRecord).offset
    await this.#reach(last)
    const cases = records.map(({ offset }) => this.#caseOf(offset, true))
    const checked = await this.#check(records, cases)
    for (const one of cases) this.#book.enter({ ...one, checked: checked.get(one.offset) ?? null })
    this.#book.account.records += records.length
    this.#enterGaps(last + 1)
  }

  #caseOf(offset: number, isRecord: boolean): Case {
    return {
      offset,
      checked: null,
      decided: this.#decisions.answers.take(offset),
      codes: this.#letters.answers.take(offset),
      isSkipped: isRecord && this.#skips.some((skip) => offset >= skip.offset && offset < skip.next),
      alerts: this.#alerts.answers.take(offset).length,
    }
  }

  /** Reads the records of which more must be known than that they are there. */
  async #check(
    records: readonly LogRecord[],
    cases: readonly Case[],
  ): Promise<Map<number, Checked<Transaction>>> {
    const needed = records.filter((_, i) => {
      const { decided, codes, isSkipped } = cases[i] as Case
      const hasAnswer = decided.length + codes.length > 0 || isSkipped
      return !hasAnswer || decided.some(({ status }) => status === 'degraded')
    })
    if (needed.length === 0) return new Map()
    const checked = await checkRecords(this.#options.transactions, needed)
    return new Map(needed.map(({ offset }, i) => [offset, checked[i] as Checked<Transaction>]))
  }

  /** Offsets below `to` that have an answer and no record. */
  #enterGaps(to: number): void {
    const { account } = this.#book
    for (const offset of [...this.#decisions.answers.rest(to), ...this.#letters.answers.rest(to)]) {
      const one = this.#caseOf(offset, false)
      if (one.decided.length + one.codes.length === 0) continue
      account.gaps_answered++
      this.#book.enter(one)
    }
    for (const offset of this.#alerts.answers.rest(to)) {
      const alerts = this.#alerts.answers.take(offset).length
      for (let i = 0; i < alerts; i++)
        this.#stray(this.#options.topics.alerts, offset, 'is an alert on no record')
    }
  }

  /** While something is missing, for some seconds. */
  async #lookAgain(): Promise<void> {
    for (let look = 0; look < looks.most && !this.#book.isSettled; look++) {
      await sleep(looks.pauseMs)
      for await (const batch of this.#decisions.later()) {
        for (const { offset, value } of batch)
          if (this.#isAsked(offset)) this.#book.lateDecision(offset, value)
      }
      for await (const batch of this.#letters.later()) {
        for (const { offset, value } of batch) if (this.#isAsked(offset)) this.#book.lateLetter(offset, value)
      }
      for await (const batch of this.#alerts.later()) {
        for (const { offset } of batch) if (this.#isAsked(offset)) this.#book.lateAlert(offset)
      }
    }
  }

  /** Answers to what is not on the log yet. */
  async #checkBeyond(): Promise<void> {
    const { end } = await this.#options.log.bounds(this.#input)
    for (const { answers } of this.#streams) {
      for (const offset of answers.rest(Number.POSITIVE_INFINITY)) {
        if (offset < end) continue
        this.#stray(this.#input.topic, offset, `was answered, but the partition ends at ${end}`)
      }
    }
  }

  #isGone(kind: 'decision' | 'dead letter' | 'alert', offset: number): boolean {
    const streams = { decision: this.#decisions, 'dead letter': this.#letters, alert: this.#alerts }
    const { isCut, answers } = streams[kind]
    return isCut && offset < (answers.first ?? Number.POSITIVE_INFINITY)
  }

  #stray(topic: string, offset: number, what: string): void {
    this.#book.account.stray++
    this.#options.onFinding({ kind: 'stray', topic, partition: this.#range.partition, offset, what })
  }

  #find(kind: Finding['kind'], offset: number, what: string): void {
    this.#options.onFinding({ kind, ...this.#input, offset, what })
  }

  #isAsked(offset: number): boolean {
    return offset >= this.#range.from && offset < this.#range.to
  }
}
