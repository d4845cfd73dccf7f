import type { EnrichedArrival } from '../core/enrich.ts'
import type { LabelView } from '../core/labels-view.ts'
import type { Decision } from '../core/types.ts'

/** What is known of a payment, as of the day that was asked for. */
export interface Truth extends Pick<LabelView, 'fraud' | 'observed_time' | 'fraud_type'> {
  /** What was held before, in order of time: none for the most. */
  readonly before: readonly Pick<LabelView, 'fraud' | 'observed_time'>[]
}

/** Payments that all candidates have decided, in the order of history. */
export interface DecidedChunk {
  /** By the features of the first candidate. */
  readonly arrivals: readonly EnrichedArrival[]
  /** The features themselves, row-major, a row an arrival. */
  readonly rows: Float32Array
  /** Major units of the reference currency. */
  readonly amounts: Float64Array
  /** Null where nobody labelled the payment. */
  readonly truths: readonly (Truth | null)[]
  /** By candidate, then by arrival. */
  readonly decisions: readonly (readonly Decision[])[]
}

/** What takes decided chunks. Its state lets a replay that was stopped go on to the same bytes. */
export interface Sink {
  write(chunk: DecidedChunk): Promise<void> | void
  /** All that is needed to go on from here; to be cloned by node:v8. */
  state(): unknown
  close(): Promise<void> | void
}
