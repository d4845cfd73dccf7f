import { setImmediate } from 'node:timers/promises'
import { partitionOf } from '../core/partition.ts'
import type { Label, Transaction } from '../core/types.ts'
import { generate } from '../generator/generate.ts'
import type { SnapshotHead } from './snapshot.ts'

/** One thing of history, in the order in which it reached, or would have reached, the log. */
export type HistoryItem =
  | {
      readonly kind: 'transaction'
      readonly partition: number
      readonly offset: number
      readonly transaction: Transaction
      /** What comes with the payment itself, by observed_time: it may have become known later. */
      readonly labels: readonly Label[]
    }
  /** When it became known: features take note of it. */
  | { readonly kind: 'label'; readonly label: Label }
  /** A row or record that could not be read: where it lies (`payments.csv, line 7`) and what is wrong with it. */
  | { readonly kind: 'rejected'; readonly at: string; readonly reason: string }

/** Offsets by partition at which topics end: not part of what is read. */
export interface Ends {
  readonly transactions: readonly number[]
  readonly labels: readonly number[]
}

/** What history is read from: files, topics or the generator. */
export interface Source {
  /** What was read, for reports. */
  readonly name: string
  /**
   * All of it in order, some thousand items at a time: an item each would cost too much.
   *
   * @param onFraction told now and then how much has been read, 0 to 1.
   */
  items(onFraction?: (done: number) => void): AsyncIterable<readonly HistoryItem[]>
  /** All labels that lie apart from the payments, by observed_time: for the truth. Can be read before the items. */
  labels(): AsyncIterable<readonly Label[]>
  /** Of topics: a replay that is resumed reads up to there, too. */
  readonly ends?: Ends
  /**
   * Where on its topics the history ends, for a snapshot of the states after it: complete once all items have been read.
   * Absent for files, and for topics that were not read from their beginning.
   */
  places?(): Required<Pick<SnapshotHead, 'topics' | 'positions'>>
  /** What whoever reads the results should know of the data, a sentence each. Complete once the items have been read. */
  notes(): readonly string[]
}

/** Numbers payments as a topic would: by partition of the customer, from 0. */
export class Numbering {
  readonly #next: number[]

  constructor(partitions: number) {
    this.#next = new Array(partitions).fill(0)
  }

  item(transaction: Transaction, labels: readonly Label[]): HistoryItem {
    const partition = partitionOf(transaction.customer_id, this.#next.length)
    const offset = this.#next[partition] as number
    this.#next[partition] = offset + 1
    return { kind: 'transaction', partition, offset, transaction, labels }
  }
}

const batchItems = 1_000

/** So many generated payments with their labels. */
export function generatedSource({
  events,
  seed,
  partitions,
}: {
  readonly events: number
  readonly seed: number
  readonly partitions: number
}): Source {
  async function* items(onFraction: (done: number) => void = () => {}) {
    const numbering = new Numbering(partitions)
    let [batch, payments]: [HistoryItem[], number] = [[], 0]
    for (const made of generate({ events, seed })) {
      if (made.kind === 'label') batch.push({ kind: 'label', label: made.label })
      if (made.kind === 'transaction') batch.push(numbering.item(made.transaction, made.labels))
      if (made.kind === 'transaction') payments++
      if (batch.length < batchItems) continue
      yield batch
      batch = []
      // Nothing here waits for anything: signals and progress want their turn.
      await setImmediate()
      onFraction(Math.min(1, payments / events))
    }
    yield batch
  }
  // All come with their payments.
  async function* labels() {}
  const name = `${events.toLocaleString('en-US')} generated payments, seed ${seed}`
  return { name, items, labels, notes: () => [] }
}
