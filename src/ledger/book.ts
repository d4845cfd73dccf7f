import type { Checked } from '../core/errors.ts'
import type { Transaction } from '../core/types.ts'
import { type Account, countCode, emptyAccount, type Finding } from './account.ts'
import { AlertBook } from './alert-book.ts'
import type { Decided } from './readers.ts'

/** What became of one offset. */
export interface Fate {
  readonly partition: number
  readonly offset: number
  /** `double` where it has more than one answer; `unproven` where its answer would have been deleted. */
  readonly fate: 'decision' | 'dead letter' | 'skipped' | 'missing' | 'double' | 'unproven'
  readonly status: string | null
  readonly outcome: string | null
  /** Of a dead letter. */
  readonly code: string | null
  readonly alerts: number
}

/** An offset, and all that answers it. */
export interface Case {
  readonly offset: number
  /** What its record says; needed where there is no answer, or a degraded decision. Null where there is no record. */
  readonly checked: Checked<Transaction> | null
  readonly decided: readonly Decided[]
  /** Of its dead letters. */
  readonly codes: readonly string[]
  readonly isSkipped: boolean
  readonly alerts: number
}

export interface BookOptions {
  readonly partition: number
  readonly find: (kind: Finding['kind'], offset: number, what: string) => void
  readonly onFate: (fate: Fate) => void
  /** Whether a decision calls for an alert; null where what that depends on is not at hand. */
  readonly callsForAlert: (decision: Decided, transaction: Transaction | null) => boolean | null
  /** Whether an answer of this kind to this offset would be among those that retention has deleted. */
  readonly isGone: (kind: 'decision' | 'dead letter' | 'alert', offset: number) => boolean
}

/** So many records that seem to have no answer are remembered, until all outputs have been read. */
const mostPending = 100_000

/** Keeps account of one partition: offsets as they come, then answers that come out of order. */
export class Book {
  readonly account: Account = emptyAccount()
  readonly #options: BookOptions
  readonly #alerts: AlertBook
  /** Records without an answer so far. */
  readonly #pending = new Map<number, { readonly isRefused: boolean; alerts: number }>()

  constructor(options: BookOptions) {
    this.#options = options
    const { find, isGone } = options
    const { alerts: account } = this.account
    this.#alerts = new AlertBook({ account, find, isGone: (offset) => isGone('alert', offset) })
  }

  /** True while nothing is missing. */
  get isSettled(): boolean {
    return this.#pending.size === 0 && this.#alerts.isSettled
  }

  enter(one: Case): void {
    const { offset, checked, decided, codes, isSkipped, alerts } = one
    const count = decided.length + codes.length + Number(isSkipped)
    if (count === 0) {
      this.#withoutAnswer(offset, checked?.ok === false, alerts)
      return
    }
    for (const decision of decided) this.#countDecision(decision)
    for (const code of codes) this.#countLetter(code)
    if (isSkipped) this.account.skipped++
    if (count > 1) this.#tooMany(offset, count - 1, `has ${count} answers: ${inWords(one)}`)
    const [decision = null] = decided
    this.#enterAlerts(offset, decision, checked?.ok ? checked.value : null, alerts)
    const fate = decision !== null ? 'decision' : isSkipped ? 'skipped' : 'dead letter'
    this.#tell(offset, count > 1 ? 'double' : fate, decision, codes[0] ?? null, alerts)
  }

  /** A decision on a record that was entered already. */
  lateDecision(offset: number, decision: Decided): void {
    this.#countDecision(decision)
    const held = this.#take(offset, 'a decision')
    if (held === undefined) return
    this.#enterAlerts(offset, decision, null, held.alerts)
    this.#tell(offset, 'decision', decision, null, held.alerts)
  }

  lateLetter(offset: number, code: string): void {
    this.#countLetter(code)
    const held = this.#take(offset, 'a dead letter')
    if (held === undefined) return
    this.#alerts.enter(offset, false, held.alerts)
    this.#tell(offset, 'dead letter', null, code, held.alerts)
  }

  lateAlert(offset: number): void {
    const held = this.#pending.get(offset)
    if (held === undefined) this.#alerts.late(offset)
    else held.alerts++
  }

  /** What has no answer now has none. */
  settle(): void {
    for (const [offset, { isRefused, alerts }] of this.#pending) this.#missing(offset, isRefused, alerts)
    this.#alerts.settle()
  }

  #withoutAnswer(offset: number, isRefused: boolean, alerts: number): void {
    if (this.#options.isGone(isRefused ? 'dead letter' : 'decision', offset)) {
      this.account.unproven++
      this.#alerts.enter(offset, null, alerts)
      this.#tell(offset, 'unproven', null, null, alerts)
    } else if (this.#pending.size < mostPending) this.#pending.set(offset, { isRefused, alerts })
    else this.#missing(offset, isRefused, alerts)
  }

  #missing(offset: number, isRefused: boolean, alerts: number): void {
    this.account.missing++
    this.#options.find('missing', offset, `has no answer${isRefused ? '; a dead letter is due' : ''}`)
    this.#alerts.enter(offset, false, alerts)
    this.#tell(offset, 'missing', null, null, alerts)
  }

  #enterAlerts(
    offset: number,
    decision: Decided | null,
    transaction: Transaction | null,
    alerts: number,
  ): void {
    const wanted = decision === null ? false : this.#options.callsForAlert(decision, transaction)
    this.#alerts.enter(offset, wanted, alerts)
  }

  #countDecision({ status }: Decided): void {
    this.account.decisions++
    if (status === 'duplicate') this.account.duplicates++
    if (status === 'degraded') this.account.degraded++
  }

  #countLetter(code: string): void {
    this.account.dead_letters++
    countCode(this.account.codes, code)
  }

  #take(offset: number, what: string): { readonly alerts: number } | undefined {
    const held = this.#pending.get(offset)
    if (this.#pending.delete(offset)) return held
    this.#tooMany(offset, 1, `has one more answer, out of order: ${what}`)
    return undefined
  }

  #tooMany(offset: number, count: number, what: string): void {
    this.account.double += count
    this.#options.find('double', offset, what)
  }

  #tell(
    offset: number,
    fate: Fate['fate'],
    decision: Decided | null,
    code: string | null,
    alerts: number,
  ): void {
    const { status = null, outcome = null } = decision ?? {}
    this.#options.onFate({ partition: this.#options.partition, offset, fate, status, outcome, code, alerts })
  }
}

function inWords({ decided, codes, isSkipped }: Case): string {
  const parts = [
    ...decided.map(({ status }) => (status === 'scored' ? 'a decision' : `a decision (${status})`)),
    ...codes.map((code) => `a dead letter (${code})`),
    ...(isSkipped ? ['a declared skip'] : []),
  ]
  return parts.join(', ')
}
