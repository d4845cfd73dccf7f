import type { CompiledFeatures } from './features/compile.ts'
import { packer, unpacker } from './features/packing.ts'
import { hash53 } from './hash.ts'
import { type Claim, claimants, claimOf, holding, withClaim } from './labels-view.ts'
import { entityIds } from './parties.ts'
import { type EntityDelta, entityKinds, type Label } from './types.ts'

/** How many labelled transactions of a customer are remembered, so that a changed label can be told from a new one. */
const mostLabelled = 64
const version = 2

export interface AppliedLabels {
  /** What is known of each customer's labelled transactions after the chunk. */
  readonly states: readonly (readonly [customerId: string, packed: Buffer])[]
  /** What the chunk adds to the fraud counts of merchants, terminals and devices. */
  readonly deltas: readonly EntityDelta[]
}

/**
 * Applies labels in log order, conflicts settled as labels-view.ts says: fraud where none was held adds one on the day
 * it became known, good where fraud was held subtracts one on the day that became known, else nothing changes.
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
    const change = state.add(hash53(label.transaction_id), claimOf(label))
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

/** A claim of a state of version 1, which knew no sources: the next label of its transaction takes its place. */
const unknownClaimant = claimants.length

/** A customer's latest labelled transactions: by hash of the transaction_id, what each source says. */
class LabelledTransactions {
  readonly #claims = new Map<number, readonly Claim[]>()

  constructor(packed: Uint8Array | null) {
    if (packed === null) return
    if (packed[0] === 1) this.#openOld(packed)
    else this.#open(packed)
  }

  /** Returns the change of the number of frauds: 1, 0 or -1. */
  add(id: number, claim: Claim): number {
    const before = this.#claims.get(id) ?? []
    const after = withClaim(
      before.filter(({ claimant }) => claimant !== unknownClaimant),
      claim,
    )
    this.#claims.delete(id)
    this.#claims.set(id, after)
    if (this.#claims.size > mostLabelled) this.#claims.delete(this.#claims.keys().next().value as number)
    return Number(isFraud(after)) - Number(isFraud(before))
  }

  /** Head: version, transactions, claims, 0; then hashes and times as float64; then claims a transaction, and each claim. */
  pack(): Buffer {
    const claims = [...this.#claims.values()].flat()
    const [size, all] = [this.#claims.size, claims.length]
    const to = packer.begin([version, size, all, 0], { doubles: size + all, words: size + all })
    to.doubles(Float64Array.from(this.#claims.keys()), size)
    to.doubles(
      Float64Array.from(claims, ({ observedTime }) => observedTime),
      all,
    )
    to.words(
      Uint32Array.from(this.#claims.values(), (some) => some.length),
      size,
    )
    to.words(Uint32Array.from(claims, wordOf), all)
    return to.take()
  }

  #open(packed: Uint8Array): void {
    const from = unpacker.begin(packed, 4, (head) => {
      if (head[0] !== version)
        throw new RangeError(`label state of version ${head[0]}, this release reads 1 and ${version}`)
      const both = (head[1] as number) + (head[2] as number)
      return { doubles: both, words: both }
    })
    const [size, all] = [from.head(1), from.head(2)]
    const [ids, times] = [new Float64Array(size), new Float64Array(all)]
    const [counts, words] = [new Uint32Array(size), new Uint32Array(all)]
    from.doubles(ids, size)
    from.doubles(times, all)
    from.words(counts, size)
    from.words(words, all)
    let at = 0
    ids.forEach((id, i) => {
      const end = at + (counts[i] as number)
      if (end > all) throw new RangeError(`label state with more claims than the ${all} that its head tells`)
      const claims: Claim[] = []
      for (; at < end; at++) claims.push(claimFrom(words[at] as number, times[at] as number))
      this.#claims.set(id, claims)
    })
  }

  /** Head: version 1, transactions; then hashes; then whether each was held to be fraud. */
  #openOld(packed: Uint8Array): void {
    const from = unpacker.begin(packed, 2, (head) => ({
      doubles: head[1] as number,
      words: head[1] as number,
    }))
    const size = from.head(1)
    const [ids, frauds] = [new Float64Array(size), new Uint32Array(size)]
    from.doubles(ids, size)
    from.words(frauds, size)
    ids.forEach((id, i) => {
      const claim = { claimant: unknownClaimant, standing: 1, fraud: frauds[i] === 1, observedTime: 0 }
      this.#claims.set(id, [claim])
    })
  }
}

const isFraud = (claims: readonly Claim[]): boolean => holding(claims)?.fraud ?? false

const wordOf = ({ claimant, standing, fraud }: Claim): number =>
  (claimant << 3) | (standing << 1) | Number(fraud)

const claimFrom = (word: number, observedTime: number): Claim => ({
  claimant: word >>> 3,
  standing: (word >>> 1) & 3,
  fraud: (word & 1) === 1,
  observedTime,
})
