import { isWeir } from './options.ts'
import type { Answer } from './outputs.ts'
import type { Reference } from './reference.ts'

/** How a contestant's decisions compare with weir's of the same payments in the order in which they were made. */
export interface Compared {
  readonly decisions: number
  /** Decisions that were made without the model: by weir, when something took too long. They count no further. */
  readonly unscored: number
  /** Decisions whose score is further than 1e-5 from weir's. */
  readonly scores: number
  /** Columns of merchants, terminals and devices, over all decisions, and how many of them differ. */
  readonly cells: number
  readonly differing: number
}

const scoreTolerance = 1e-5
/** Of a value: sines and logarithms differ from library to library in the last bits. */
const cellTolerance = 1e-6

/**
 * Takes decisions one by one. A customer's payments are in one partition, in order: what is known of customers must be
 * as weir has it, and where all features are, the score, too. Of merchants, terminals and devices, whose payments are in
 * all partitions, each run knows a little more or less, weir's own as well: those are counted.
 */
export class Comparison {
  readonly #name: string
  readonly #reference: Reference
  readonly #shared: ReadonlySet<number>
  /** Payments of which there must be an alert, by the contestant's own decisions. */
  readonly alerted = new Set<string>()
  #decisions = 0
  #unscored = 0
  #scores = 0
  #differing = 0

  constructor(name: string, reference: Reference) {
    this.#name = name
    this.#reference = reference
    this.#shared = new Set(reference.features.entityColumns.flat().map(({ at }) => at))
  }

  get compared(): Compared {
    return {
      decisions: this.#decisions,
      unscored: this.#unscored,
      scores: this.#scores,
      cells: (this.#decisions - this.#unscored) * this.#shared.size,
      differing: this.#differing,
    }
  }

  /** @throws Error that names the payment and what of it must not differ. */
  add({ transaction_id, features, score, outcome }: Answer): void {
    const expected = this.#reference.seen.get(transaction_id)
    // A retry, which weir does not score.
    if (expected === undefined) return
    this.#decisions++
    if (outcome != null && this.#reference.alertOn.includes(outcome)) this.alerted.add(transaction_id)
    if (score === null) {
      // Its own way of not waiting. A peer has none.
      if (!isWeir(this.#name)) throw new Error(`${this.#name} decided ${transaction_id} without a score`)
      this.#unscored++
      return
    }
    if (score === undefined || features?.length !== expected.features.length) {
      throw new Error(`${this.#name} decided ${transaction_id} without features`)
    }
    const differing = this.#differingIn(features, expected.features, transaction_id)
    this.#differing += differing
    if (Math.abs(score - expected.score) <= scoreTolerance) return
    this.#scores++
    if (differing > 0) return
    throw new Error(
      `${this.#name} has ${score} for ${transaction_id}, weir ${expected.score} for the same features`,
    )
  }

  #differingIn(theirs: Buffer, ours: Buffer, transactionId: string): number {
    if (theirs.equals(ours)) return 0
    let differing = 0
    for (const [column, name] of this.#reference.features.names.entries()) {
      const [their, our] = [theirs.readFloatLE(column * 4), ours.readFloatLE(column * 4)]
      if (isAlike(their, our)) continue
      if (!this.#shared.has(column)) {
        throw new Error(`${this.#name} has ${name} ${their} for ${transactionId}, weir ${our}`)
      }
      differing++
    }
    return differing
  }
}

/** Whether two float32 values are the same but for rounding. */
export const isAlike = (their: number, our: number): boolean =>
  Object.is(their, our) || Math.abs(their - our) <= cellTolerance * Math.abs(our)
