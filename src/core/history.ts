import { type Enriched, type EntityValue, enrich } from './enrich.ts'
import type { CompiledFeatures } from './features/compile.ts'
import { byEntity, fold } from './fold.ts'
import { applyLabels } from './labels.ts'
import { type Arrival, type Parties, partiesOf } from './parties.ts'
import type { EntityDelta, Label } from './types.ts'

/**
 * The packed states of everybody, brought up to date as history goes by: what the live lanes keep in the store, by the
 * same functions, at one moment. Merchants, terminals and devices are always up to date, where the live ones follow a
 * little later.
 */
export class History {
  readonly customers: Map<string, Buffer>
  /** By customer: which of their transactions are labelled. */
  readonly labelled: Map<string, Buffer>
  /** By `entityKey`. */
  readonly entities: Map<string, Buffer>
  readonly #features: CompiledFeatures

  /** @param shared states of another history with the same layout, which goes on in both. */
  constructor(
    features: CompiledFeatures,
    shared: Partial<Pick<History, 'customers' | 'labelled' | 'entities'>> = {},
  ) {
    this.customers = shared.customers ?? new Map()
    this.labelled = shared.labelled ?? new Map()
    this.entities = shared.entities ?? new Map()
    this.#features = features
  }

  /** Features of payments in the order of history; then they are part of it. */
  enrich(arrivals: readonly Arrival[]): Enriched {
    const parties = partiesOf(arrivals, this.#features.kinds)
    const past = { customers: this.customers, entities: this.#valuesOf(parties) }
    const enriched = enrich(arrivals, past, this.#features, Number.POSITIVE_INFINITY, parties)
    for (const [customer, packed] of enriched.states) this.customers.set(customer, packed)
    this.#fold(enriched.deltas)
    return enriched
  }

  apply(label: Label): void {
    const { states, deltas } = applyLabels([label], this.labelled, this.#features)
    for (const [customer, packed] of states) this.labelled.set(customer, packed)
    this.#fold(deltas)
  }

  #fold(deltas: readonly EntityDelta[]): void {
    for (const [key, packed] of fold(byEntity([{ deltas }]), this.entities, this.#features)) {
      this.entities.set(key, packed)
    }
  }

  #valuesOf({ entities }: Parties): Map<string, EntityValue> {
    const values = new Map<string, EntityValue>()
    for (const { key } of entities.flat()) {
      values.set(key, { packed: this.entities.get(key) ?? null, ageMs: 0 })
    }
    return values
  }
}
