import type { Codec } from '../adapters/avro.ts'
import { WeirError } from '../core/errors.ts'
import { partitionOf } from '../core/partition.ts'
import type { Log, NewRecord } from '../core/ports.ts'
import type { Decision, Outcome, Transaction } from '../core/types.ts'
import { type Unchecked, validateTransaction } from '../core/validate.ts'
import { contractDefaults } from '../http/contract-schema.ts'
import type { Answer, ClientDecision, ClientEvent, DecideOptions, NewTransaction } from './answer.ts'
import { closed } from './closed.ts'

export interface PendingOptions {
  readonly topic: string
  readonly partitions: number
  readonly log: Pick<Log, 'append'>
  readonly codec: Pick<Codec<Transaction>, 'encode'>
  /** A decision as it lies on its topic. */
  readonly find: (decisionId: string) => Promise<Decision | null>
  readonly maxPending: number
  readonly onEvent: (event: ClientEvent) => void
}

/** One call of `decide`. */
interface Waiter {
  readonly fallback: Outcome
  readonly timer: NodeJS.Timeout
  readonly resolve: (answer: Answer) => void
}

interface Sent {
  readonly transactionId: string
  readonly record: NewRecord
}

const absent = contractDefaults('transaction.avsc')
const anyTime = { eventTimePastMs: Number.POSITIVE_INFINITY, eventTimeFutureMs: Number.POSITIVE_INFINITY }

/**
 * Payments between their sending and their decision. A payment waits until its deadline; after that its decision is late,
 * and is still waited for, so that nobody has to guess what became of it.
 */
export class PendingPayments {
  readonly #options: PendingOptions
  /** By transaction_id: it is sent once, however many ask. */
  readonly #waiting = new Map<string, Set<Waiter>>()
  /** When the default was given, milliseconds on the steady clock; oldest first. */
  readonly #late = new Map<string, number>()
  #queue: Sent[] = []
  #sending: Promise<void> | undefined
  #isClosed = false

  constructor(options: PendingOptions) {
    this.#options = options
  }

  async decide(given: NewTransaction, { deadlineMs, fallback }: DecideOptions): Promise<Answer> {
    if (this.#isClosed) throw closed()
    const candidate = { ...absent, ...given } as Unchecked<Transaction>
    const checked = validateTransaction(candidate, 0, anyTime)
    if (!checked.ok) throw new WeirError(checked.rejection.code, checked.rejection.message)
    const { transaction_id: id } = checked.value
    const others = this.#waiting.get(id)
    if (others === undefined && !this.#hasRoom()) return { source: 'default', outcome: fallback, why: 'busy' }
    const waiters = others ?? new Set<Waiter>()
    const answer = new Promise<Answer>((resolve) => {
      const timer = setTimeout(() => this.#default(id, waiter, 'deadline'), deadlineMs)
      const waiter = { fallback, timer, resolve }
      waiters.add(waiter)
    })
    if (others === undefined) {
      this.#waiting.set(id, waiters)
      this.#send(checked.value)
    }
    return answer
  }

  /** Told of every decision that comes, those of others too. */
  decided({ features: _, ...decision }: Decision): void {
    const { transaction_id: id, outcome } = decision
    if (!this.#waiting.has(id) && !this.#late.has(id)) return
    if (outcome === null) void this.#settleByFirst(decision)
    else this.#settle(decision, outcome)
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    await this.#sending
    for (const [id, waiters] of this.#waiting)
      for (const waiter of waiters) this.#default(id, waiter, 'unavailable')
    for (const transactionId of this.#late.keys())
      this.#options.onEvent({ type: 'unanswered', transactionId })
    this.#late.clear()
  }

  /** Of a payment that was decided before, the first decision stands. */
  async #settleByFirst({ duplicate_of }: ClientDecision): Promise<void> {
    try {
      const first = await this.#options.find(duplicate_of as string)
      if (first === null) return
      const { features: _, ...decision } = first
      this.#settle(decision, decision.outcome as Outcome)
    } catch (error) {
      this.#failed(error)
    }
  }

  #settle(decision: ClientDecision, outcome: Outcome): void {
    const { transaction_id: id } = decision
    const since = this.#late.get(id)
    if (since !== undefined) {
      const lateMs = Math.round(performance.now() - since)
      this.#options.onEvent({ type: 'late', decision, lateMs })
    }
    this.#late.delete(id)
    for (const { timer, resolve } of this.#waiting.get(id) ?? []) {
      clearTimeout(timer)
      resolve({ source: 'weir', outcome, decision })
    }
    this.#waiting.delete(id)
  }

  #default(id: string, waiter: Waiter, why: 'deadline' | 'unavailable'): void {
    clearTimeout(waiter.timer)
    const waiters = this.#waiting.get(id)
    waiters?.delete(waiter)
    if (waiters?.size === 0) this.#waiting.delete(id)
    if (!this.#late.has(id)) this.#late.set(id, performance.now())
    waiter.resolve({ source: 'default', outcome: waiter.fallback, why })
  }

  /** Late ones make room for new ones, the oldest first, and it is said that nobody waits for them any more. */
  #hasRoom(): boolean {
    const { maxPending, onEvent } = this.#options
    if (this.#waiting.size >= maxPending || this.#queue.length >= maxPending) return false
    const [oldest] = this.#late.keys()
    if (this.#waiting.size + this.#late.size >= maxPending && oldest !== undefined) {
      this.#late.delete(oldest)
      onEvent({ type: 'unanswered', transactionId: oldest })
    }
    return true
  }

  #send(transaction: Transaction): void {
    const { topic, partitions, codec } = this.#options
    const { customer_id: key, transaction_id: transactionId } = transaction
    const value = codec.encode(transaction)
    this.#queue.push({
      transactionId,
      record: { topic, partition: partitionOf(key, partitions), key, value },
    })
    this.#sending ??= this.#sendAll().finally(() => {
      this.#sending = undefined
    })
  }

  /** One request at a time, so that a customer's payments stay in order; what comes meanwhile goes together. */
  async #sendAll(): Promise<void> {
    while (this.#queue.length > 0) {
      const batch = this.#queue
      this.#queue = []
      try {
        await this.#options.log.append(batch.map(({ record }) => record))
      } catch (error) {
        this.#failed(error)
        // It may lie there all the same: a decision that comes is told as late.
        for (const { transactionId: id } of batch) {
          for (const waiter of this.#waiting.get(id) ?? []) this.#default(id, waiter, 'unavailable')
        }
      }
    }
  }

  #failed(error: unknown): void {
    const known =
      error instanceof WeirError ? error : new WeirError('WEIR_LOG_UNAVAILABLE', (error as Error).message)
    this.#options.onEvent({ type: 'error', error: known })
  }
}
