import type { CompiledFeatures } from './features/compile.ts'
import { packer, unpacker } from './features/packing.ts'
import { hash53 } from './hash.ts'
import { entityIds } from './parties.ts'
import { type EntityDelta, entityKinds, type Label } from './types.ts'

/** How many labelled transactions of a customer are remembered, so that a changed label can be told from a new one. */
const mostLabelled = 64
const version = 1

export interface AppliedLabels {
  /** What is known of each customer's labelled transactions after the chunk. */
  readonly states: readonly (readonly [customerId: string, packed: Buffer])[]
  /** What the chunk adds to the fraud counts of merchants, terminals and devices. */
  readonly deltas: readonly EntityDelta[]
}

/**
 * Applies labels in log order. The latest label of a transaction counts: a fraud report adds one fraud on the day it
 * became known, taking it back subtracts one on the day that became known, the same again changes nothing.
 *
 * @param past packed states by customer_id.
 */
export function applyLabels(
  labels: readonly Label[],
  past: Pick<ReadonlyMap<string, Uint8Array | null>, 'get'>,
  features: CompiledFeatures,
): AppliedLabels {
  const open = new Map<string, LabelledTransactions>()
  const deltas: EntityDelta[] = []
  const tileMs = features.entity.tiers[0]?.tileMs ?? 1
  for (const label of labels) {
    let state = open.get(label.customer_id)
    if (state === undefined) {
      state = new LabelledTransactions(past.get(label.customer_id) ?? null)
      open.set(label.customer_id, state)
    }
    const change = state.set(hash53(label.transaction_id), label.fraud)
    if (change === 0) continue
    const tileOf = (time: number) => Math.floor(time / tileMs) * tileMs
    const ids = entityIds(label)
    for (const kind of features.kinds) {
      const key = ids[entityKinds.indexOf(kind)] ?? null
      if (key === null) continue
      const nothing = { count: 0, sum: 0, frauds: 0, payment_frauds: 0, odd_payments: 0, customers: [] }
      const delta = { kind, key, ...nothing }
      deltas.push({ ...delta, time: tileOf(label.observed_time), frauds: change })
      if (features.entity.paymentFrauds === undefined) continue
      deltas.push({ ...delta, time: tileOf(label.effective_time), payment_frauds: change })
    }
  }
  return { states: [...open].map(([customer, state]) => [customer, state.pack()]), deltas }
}

/** A customer's latest labelled transactions: by hash of the transaction_id, whether it is held to be fraud. */
class LabelledTransactions {
  readonly #fraud = new Map<number, boolean>()

  constructor(packed: Uint8Array | null) {
    if (packed === null) return
    const from = unpacker.begin(packed, 2, (head) => {
      if (head[0] !== version)
        throw new RangeError(`label state of version ${head[0]}, this release reads ${version}`)
      return { doubles: head[1] as number, words: head[1] as number }
    })
    const size = from.head(1)
    const ids = new Float64Array(size)
    const frauds = new Uint32Array(size)
    from.doubles(ids, size)
    from.words(frauds, size)
    ids.forEach((id, i) => {
      this.#fraud.set(id, frauds[i] === 1)
    })
  }

  /** Returns the change of the number of frauds: 1, 0 or -1. */
  set(id: number, fraud: boolean): number {
    const before = this.#fraud.get(id) ?? false
    this.#fraud.delete(id)
    this.#fraud.set(id, fraud)
    if (this.#fraud.size > mostLabelled) this.#fraud.delete(this.#fraud.keys().next().value as number)
    return Number(fraud) - Number(before)
  }

  pack(): Buffer {
    const size = this.#fraud.size
    const to = packer.begin([version, size], { doubles: size, words: size })
    to.doubles(Float64Array.from(this.#fraud.keys()), size)
    to.words(Uint32Array.from(this.#fraud.values(), Number), size)
    return to.take()
  }
}
