import { type EntityValue, enrich } from '../../src/core/enrich.ts'
import type { CompiledFeatures } from '../../src/core/features/compile.ts'
import { byEntity, fold } from '../../src/core/fold.ts'
import { applyLabels } from '../../src/core/labels.ts'
import { type Arrival, entityIds, entityKey } from '../../src/core/parties.ts'
import { type EntityDelta, entityKinds, type Label } from '../../src/core/types.ts'
import { NaiveFeatures } from './naive-features.ts'

const ageLimitMs = 1000

/** Where a row of src/core and the naive one differ: nothing is what a test wants to see. */
export interface Difference {
  readonly transaction: string
  readonly feature: string
  readonly is: unknown
  readonly should: unknown
}

/** A number below `below`, from wherever the caller wants its choices to come. */
export type Dice = (below: number) => number

/**
 * Runs chunks through `enrich`, `applyLabels` and `fold`, with all states packed and opened in between, beside
 * the naive implementation. Updates of chunks are folded when and in whatever order the dice say.
 */
export class FeatureRun {
  readonly #features: CompiledFeatures
  readonly #naive: NaiveFeatures
  readonly #dice: Dice
  readonly #customers = new Map<string, Buffer>()
  readonly #entities = new Map<string, Buffer>()
  readonly #labelled = new Map<string, Buffer>()
  readonly #pending: { chunk: number; deltas: readonly EntityDelta[] }[] = []
  readonly #folded = new Set<number>()
  #chunks = 0
  rows = 0
  duplicates = 0
  readonly differences: Difference[] = []

  constructor(features: CompiledFeatures, dice: Dice) {
    this.#features = features
    this.#naive = new NaiveFeatures(features.file)
    this.#dice = dice
  }

  labels(labels: readonly Label[]): void {
    const chunk = this.#chunks++
    const { states, deltas } = applyLabels(labels, this.#labelled, this.#features)
    for (const [key, state] of states) this.#labelled.set(key, state)
    this.#pending.push({ chunk, deltas })
    for (const label of labels) this.#naive.label(label, chunk)
  }

  /** Folds some of what waits. */
  fold(): void {
    while (this.#pending.length > 0 && this.#dice(3) > 0) {
      const [update] = this.#pending.splice(this.#dice(this.#pending.length), 1) as [
        { chunk: number; deltas: readonly EntityDelta[] },
      ]
      for (const [key, state] of fold(byEntity([update]), this.#entities, this.#features)) {
        this.#entities.set(key, state)
      }
      this.#folded.add(update.chunk)
    }
  }

  /** The rows of features, one for each arrival. */
  payments(arrivals: readonly Arrival[]): Float32Array {
    const chunk = this.#chunks++
    const stale = this.#dice(5) === 0 ? entityKinds[this.#dice(3)] : undefined
    const visible = { folded: this.#folded, isUsable: (kind: string) => kind !== stale }
    const entities = this.#entitiesOf(arrivals, stale)
    const past = { customers: this.#customers, entities }
    const enriched = enrich(arrivals, past, this.#features, ageLimitMs)
    const width = this.#features.names.length
    for (const [row, { transaction, offset, duplicateOf, late }] of enriched.arrivals.entries()) {
      const naive = this.#naive.arrive(transaction, offset, chunk, visible)
      const differ = (feature: string, is: unknown, should: unknown) => {
        if (!Object.is(is, should))
          this.differences.push({ transaction: transaction.transaction_id, feature, is, should })
      }
      differ('duplicate_of', duplicateOf, naive.duplicateOf)
      differ('late', late, naive.late)
      if (duplicateOf >= 0) {
        this.duplicates++
        continue
      }
      this.rows++
      const bits = new Uint32Array(enriched.rows.buffer, row * width * 4, width)
      this.#features.names.forEach((name, i) => {
        differ(name, shown(bits[i] as number), shown(bitsOf(naive.features[i] as number)))
      })
    }
    for (const [key, state] of enriched.states) this.#customers.set(key, state)
    this.#pending.push({ chunk, deltas: enriched.deltas })
    return enriched.rows
  }

  #entitiesOf(arrivals: readonly Arrival[], stale: string | undefined): Map<string, EntityValue> {
    const values = new Map<string, EntityValue>()
    for (const { transaction } of arrivals) {
      entityIds(transaction).forEach((id, i) => {
        const kind = entityKinds[i] as (typeof entityKinds)[number]
        if (id === null) return
        const key = entityKey(kind, id)
        const ageMs = kind === stale ? ageLimitMs + 1 : this.#dice(ageLimitMs + 1)
        values.set(key, { packed: this.#entities.get(key) ?? null, ageMs })
      })
    }
    return values
  }
}

const scratch = new DataView(new ArrayBuffer(4))

/** A missing value has one bit pattern, whatever NaN was computed. */
function bitsOf(value: number): number {
  if (Number.isNaN(value)) return 0x7fc00000
  scratch.setFloat32(0, value)
  return scratch.getUint32(0)
}

/** The value for people, the bits for being equal. */
function shown(bits: number): string {
  scratch.setUint32(0, bits)
  return `${scratch.getFloat32(0)} (${bits.toString(16)})`
}
