import {
  begin,
  type Enriched,
  type Enriching,
  enrichCustomer,
  oddCount,
  oneMissing,
  readEntity,
} from './enrich.ts'
import type { CompiledFeatures } from './features/compile.ts'
import type { FeatureEvent } from './features/event.ts'
import { addDelta } from './fold.ts'
import { applyLabels } from './labels.ts'
import { PackedStates } from './packed-states.ts'
import { type Arrival, entityKey, type Party, partiesOf } from './parties.ts'
import type { EntityDelta, Label } from './types.ts'

/** A label, and the payment of the chunk before which it became known: its place, or their number for after all. */
export interface PlacedLabel {
  readonly before: number
  readonly label: Label
}

/**
 * The packed states of everybody, brought up to date as history goes by: what the live lanes keep in the store, by the
 * same functions, at one moment. Merchants, terminals and devices are always up to date, where the live ones follow a
 * little later.
 */
export class History {
  readonly customers: PackedStates
  /** By customer: which of their transactions are labelled. */
  readonly labelled: PackedStates
  /** By `entityKey`. */
  readonly entities: PackedStates
  readonly features: CompiledFeatures

  /** @param shared states of another history with the same layout, which goes on in both. */
  constructor(
    features: CompiledFeatures,
    shared: Partial<Pick<History, 'customers' | 'labelled' | 'entities'>> = {},
  ) {
    this.customers = shared.customers ?? new PackedStates()
    this.labelled = shared.labelled ?? new PackedStates()
    this.entities = shared.entities ?? new PackedStates()
    this.features = features
  }

  /**
   * Features of payments in the order of history, with the labels between them; then all are part of it. Where a chunk
   * ends makes no difference.
   *
   * @param labels in order of `before`.
   */
  enrich(arrivals: readonly Arrival[], labels: readonly PlacedLabel[] = []): Enriched {
    const chunk = begin(arrivals, this.features)
    const parties = partiesOf(arrivals, this.features.kinds)
    for (const customer of parties.customers) {
      const packed = enrichCustomer(chunk, customer, this.customers.get(customer.key) ?? null)
      this.customers.set(customer.key, packed)
    }
    const deltas = this.#apply(labels)
    for (const [kind, entities] of parties.entities.entries()) {
      for (const entity of entities) {
        this.#enrichEntity(chunk, kind, entity, deltas.get(entity.key) ?? noDeltas)
        deltas.delete(entity.key)
      }
    }
    for (const [key, ofEntity] of deltas) this.#fold(key, ofEntity)
    oneMissing(chunk.rows)
    return { arrivals: chunk.arrivals, rows: chunk.rows, states: [], deltas: [] }
  }

  /** What the labels add to each entity. */
  #apply(labels: readonly PlacedLabel[]): Map<string, PlacedDelta[]> {
    const byEntity = new Map<string, PlacedDelta[]>()
    for (const { before, label } of labels) {
      const { states, deltas } = applyLabels([label], this.labelled, this.features)
      for (const [customer, packed] of states) this.labelled.set(customer, packed)
      for (const delta of deltas) {
        const key = entityKey(delta.kind, delta.key)
        const found = byEntity.get(key)
        if (found === undefined) byEntity.set(key, [{ before, delta }])
        else found.push({ before, delta })
      }
    }
    return byEntity
  }

  #enrichEntity(chunk: Enriching, kind: number, entity: Party, deltas: readonly PlacedDelta[]): void {
    const state = this.features.entityState.open(this.entities.get(entity.key) ?? null)
    let known = 0
    for (const place of entity.arrivals) {
      for (; (deltas[known]?.before ?? Infinity) <= place; known++) {
        addDelta(state, (deltas[known] as PlacedDelta).delta)
      }
      if ((chunk.arrivals[place]?.duplicateOf as number) >= 0) continue
      readEntity(chunk, kind, place, state, 0)
      const event = chunk.events[place] as FeatureEvent
      state.add(event.time, 1, event.amount)
      state.addOddPayments(event.time, oddCount(chunk, place))
      state.addCustomer(event.customer)
    }
    for (; known < deltas.length; known++) addDelta(state, (deltas[known] as PlacedDelta).delta)
    this.entities.set(entity.key, state.pack())
  }

  #fold(key: string, deltas: readonly PlacedDelta[]): void {
    const state = this.features.entityState.open(this.entities.get(key) ?? null)
    for (const { delta } of deltas) addDelta(state, delta)
    this.entities.set(key, state.pack())
  }
}

interface PlacedDelta {
  readonly before: number
  readonly delta: EntityDelta
}

const noDeltas: readonly PlacedDelta[] = []
