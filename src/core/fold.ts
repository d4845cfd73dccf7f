import { entityKey } from './enrich.ts'
import type { CompiledFeatures } from './features/compile.ts'
import type { EntityState } from './features/entity-state.ts'
import type { EntityUpdate } from './types.ts'

/**
 * Folds entity updates into the entities' states. Commutes: updates of different chunks may come in any order.
 *
 * @param past packed states by `entityKey`.
 */
export function foldUpdates(
  updates: readonly Pick<EntityUpdate, 'deltas'>[],
  past: ReadonlyMap<string, Uint8Array | null>,
  features: CompiledFeatures,
): [key: string, packed: Buffer][] {
  const open = new Map<string, EntityState>()
  features.entities.startOver()
  for (const { deltas } of updates) {
    for (const { kind, key, time, count, sum, frauds, payment_frauds, customers } of deltas) {
      const name = entityKey(kind, key)
      let state = open.get(name)
      if (state === undefined) {
        state = features.entities.take().open(past.get(name) ?? null)
        open.set(name, state)
      }
      state.add(time, count, sum)
      state.addFrauds(time, frauds)
      state.addPaymentFrauds(time, payment_frauds)
      for (const customer of customers) state.addCustomer(customer)
    }
  }
  return [...open].map(([name, state]) => [name, state.pack()])
}
