import type { CompiledFeatures } from './features/compile.ts'
import type { EntityState } from './features/entity-state.ts'
import { entityKey } from './parties.ts'
import { type EntityDelta, type EntityKind, type EntityUpdate, entityKinds } from './types.ts'

/** The deltas of updates by `entityKey` of what they are for. */
export function byEntity(updates: readonly Pick<EntityUpdate, 'deltas'>[]): Map<string, EntityDelta[]> {
  // By identifier first: to make the key of an entity for each of its deltas would cost more than the folding.
  const kinds = entityKinds.map((kind) => ({ kind, byId: new Map<string, EntityDelta[]>() }))
  for (const { deltas } of updates) {
    for (const { kind, byId } of kinds) addByIdOf(kind, deltas, byId)
  }
  const entities = new Map<string, EntityDelta[]>()
  for (const { kind, byId } of kinds) {
    for (const [id, deltas] of byId) entities.set(entityKey(kind, id), deltas)
  }
  return entities
}

function addByIdOf(kind: EntityKind, deltas: readonly EntityDelta[], byId: Map<string, EntityDelta[]>): void {
  for (let i = 0; i < deltas.length; i++) {
    const delta = deltas[i] as EntityDelta
    if (delta.kind !== kind) continue
    const found = byId.get(delta.key)
    if (found === undefined) byId.set(delta.key, [delta])
    else found.push(delta)
  }
}

/**
 * Folds deltas into the entities' states. Commutes: those of different chunks may come in any order.
 *
 * @param deltas as `byEntity` gives them.
 * @param past packed states by `entityKey`.
 */
export function fold(
  deltas: ReadonlyMap<string, readonly EntityDelta[]>,
  past: ReadonlyMap<string, Uint8Array | null>,
  { entityState: state }: CompiledFeatures,
): [key: string, packed: Buffer][] {
  const folded: [string, Buffer][] = []
  for (const entity of deltas.keys()) {
    state.open(past.get(entity) ?? null)
    const ofEntity = deltas.get(entity) as readonly EntityDelta[]
    for (let i = 0; i < ofEntity.length; i++) addDelta(state, ofEntity[i] as EntityDelta)
    folded.push([entity, state.pack()])
  }
  return folded
}

/** Adds what a chunk says of an entity to its opened state. */
export function addDelta(
  state: EntityState,
  { time, count, sum, frauds, payment_frauds, odd_payments, customers }: EntityDelta,
): void {
  state.add(time, count, sum)
  state.addFrauds(time, frauds)
  state.addPaymentFrauds(time, payment_frauds)
  state.addOddPayments(time, odd_payments)
  for (let i = 0; i < customers.length; i++) state.addCustomer(customers[i] as number)
}
