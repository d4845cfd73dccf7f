import type { WeirError } from '../core/errors.ts'
import type { Decision, Outcome, Transaction } from '../core/types.ts'

/** A payment to be decided: what schemas/transaction.avsc has a default for may be left out. */
export type NewTransaction = Pick<
  Transaction,
  'transaction_id' | 'event_time' | 'customer_id' | 'amount_minor' | 'currency' | 'merchant_id'
> &
  Partial<Transaction>

export interface DecideOptions {
  /** The answer comes within so many milliseconds, if need be the default. */
  readonly deadlineMs: number
  /** The default. */
  readonly fallback: Outcome
}

/** What weir decided: schemas/decision.avsc, without the vector that was scored. */
export type ClientDecision = Omit<Decision, 'features'>

/** What to do with a payment, and who says so. */
export type Answer =
  | {
      readonly source: 'weir'
      /** Of a payment that was sent before, the outcome that stands. */
      readonly outcome: Outcome
      readonly decision: ClientDecision
    }
  | {
      readonly source: 'default'
      readonly outcome: Outcome
      /**
       * deadline: no decision in time. unavailable: weir or Kafka cannot be reached, or the client was closed. busy: too
       * much is waiting already, here or there; the payment was not sent.
       */
      readonly why: 'deadline' | 'unavailable' | 'busy'
    }

/** What no promise tells any more. */
export type ClientEvent =
  /** A decision that came after the default was given, `lateMs` milliseconds past the deadline. */
  | { readonly type: 'late'; readonly decision: ClientDecision; readonly lateMs: number }
  /** The default was given, and the client no longer waits for the decision: too many wait, or it was closed. */
  | { readonly type: 'unanswered'; readonly transactionId: string }
  | { readonly type: 'error'; readonly error: WeirError }

export interface Client {
  /**
   * Asks for a decision and resolves with it, or with the stated default at the deadline at the latest.
   *
   * @throws WeirError WEIR_RECORD_* for what is no payment by the contract, WEIR_HTTP_* where weir does not let this caller
   * ask, WEIR_CLIENT_CLOSED after `close`. Not for anything that passes by itself.
   */
  decide(transaction: NewTransaction, options: DecideOptions): Promise<Answer>
  /** Gives the default to all that wait, and lets go of everything. Idempotent. */
  close(): Promise<void>
}
