import type { Label, Transaction } from '../core/types.ts'

/** One thing of history, in the order in which it reached, or would have reached, the log. */
export type HistoryItem =
  | {
      readonly kind: 'transaction'
      readonly partition: number
      readonly offset: number
      readonly transaction: Transaction
      /** What the row itself says, whenever it became known. */
      readonly label: Label | null
    }
  | { readonly kind: 'label'; readonly label: Label }
  | { readonly kind: 'rejected'; readonly at: string; readonly reason: string }

/** Where history comes from. */
export interface Source {
  /** For reports: what was read. */
  readonly name: string
  /** From the beginning, in batches. */
  items(onFraction: (done: number) => void): AsyncIterable<readonly HistoryItem[]>
  /** All labels that lie apart from the payments. */
  labels(): AsyncIterable<readonly Label[]>
}
