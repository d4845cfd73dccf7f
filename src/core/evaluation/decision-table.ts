/** A text column: `values[codes[row]]`; a code of -1 means that there is none. */
export interface TextColumn {
  readonly values: readonly string[]
  readonly codes: Int32Array
}

/** What one active set said of each payment. */
export interface CandidateColumns {
  /** `champion`, or the name that was given to it. */
  readonly name: string
  /** Calibrated probability of fraud, 0 to 1; NaN where the model gave none. */
  readonly score: Float64Array
  /** 0 to 999; -1 where the model gave none. */
  readonly riskScore: Int16Array
  /** Positions in `outcomes` of core/types.ts. */
  readonly outcome: Uint8Array
  /** Null for a candidate without rules. */
  readonly rules?: RuleColumns | null
}

/** Of rules that hit, joined by commas: their ids, and the outcome that there would be without each. */
export interface RuleColumns {
  readonly hit: TextColumn
  readonly without: TextColumn
}

/** Fields by which results are cut: of the transaction, as schemas/transaction.avsc has them, and the kind of fraud. */
export const segmentFields = ['type', 'channel', 'country', 'mcc', 'currency', 'fraud_type'] as const
export type SegmentField = (typeof segmentFields)[number]

/** What was held of a payment from a time on. */
export interface HeldLabel {
  /** Epoch milliseconds. */
  readonly knownTime: number
  readonly fraud: boolean
}

/** The decisions of a replay by column: one row a payment that is no duplicate, in the order of history. */
export interface DecisionTable {
  readonly rows: number
  /** Epoch milliseconds. */
  readonly eventTime: Float64Array
  /** Major units of the reference currency, never negative. */
  readonly amount: Float64Array
  /** Equal numbers are one customer, from 0. */
  readonly customer: Int32Array
  /** 1 where labels say fraud at the cut-off of the replay, else 0: what nobody labelled counts as honest. */
  readonly fraud: Uint8Array
  /** Since when they say so, epoch milliseconds; NaN for payments that nobody labelled. */
  readonly labelKnownTime: Float64Array
  /** By row, what they said before, in order of time; only where they changed. */
  readonly labelBefore: ReadonlyMap<number, readonly HeldLabel[]>
  readonly segments: Readonly<Record<SegmentField, TextColumn>>
  readonly candidates: readonly CandidateColumns[]
}
