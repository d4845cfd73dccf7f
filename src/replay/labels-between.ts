import type { Label, Transaction } from '../core/types.ts'
import type { HistoryItem } from './source.ts'

/**
 * Puts labels between the payments, when they became known: those that lie apart, and those that the rows of payments
 * make, which come in the order in which they become known.
 */
export class LabelsBetween {
  readonly #apart: readonly Label[]
  #next = 0
  /** By transaction that has not come yet: when its first label became known. */
  readonly #awaited = new Map<string, number>()
  #made: Label[] = []
  #taken = 0
  #early: { count: number; readonly first: string } | undefined

  /** @param apart by observed_time. */
  constructor(apart: readonly Label[]) {
    this.#apart = apart
    for (const { transaction_id, observed_time } of apart) {
      if (!this.#awaited.has(transaction_id)) this.#awaited.set(transaction_id, observed_time)
    }
  }

  /** Appends what is known by the time of the payment. */
  before({ transaction_id, event_time }: Transaction, into: HistoryItem[]): void {
    this.#release(event_time, into)
    const known = this.#awaited.get(transaction_id)
    if (known === undefined) return
    this.#awaited.delete(transaction_id)
    if (known >= event_time) return
    if (this.#early === undefined) this.#early = { count: 1, first: transaction_id }
    else this.#early.count++
  }

  add(made: Label): void {
    this.#made.push(made)
  }

  rest(): HistoryItem[] {
    const items: HistoryItem[] = []
    this.#release(Number.POSITIVE_INFINITY, items)
    return items
  }

  /** @param isWhole whether all payments have come. */
  notes(isWhole: boolean): string[] {
    const notes = []
    if (this.#early !== undefined) {
      const { count, first } = this.#early
      notes.push(`payments whose label was known before they were made: ${count} (the first: ${first})`)
    }
    const [unknown] = this.#awaited.keys()
    if (isWhole && unknown !== undefined) {
      notes.push(`labels of payments that are not there: ${this.#awaited.size} (the first: of ${unknown})`)
    }
    return notes
  }

  #release(time: number, into: HistoryItem[]): void {
    for (; this.#next < this.#apart.length; this.#next++) {
      const label = this.#apart[this.#next] as Label
      if (label.observed_time > time) break
      into.push({ kind: 'label', label })
    }
    for (; this.#taken < this.#made.length; this.#taken++) {
      const label = this.#made[this.#taken] as Label
      if (label.observed_time > time) break
      into.push({ kind: 'label', label })
    }
    if (this.#taken * 2 < this.#made.length || this.#taken === 0) return
    this.#made = this.#made.slice(this.#taken)
    this.#taken = 0
  }
}
