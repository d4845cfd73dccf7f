import { type EntityValue, entityHome } from '../core/enrich.ts'
import type { Parties } from '../core/parties.ts'
import type { StateStore } from '../core/ports.ts'
import { progressKey } from './entity-updates.ts'

/**
 * Reads the merchants, terminals and devices of a chunk, as far as they are folded, from all lanes that hold some.
 *
 * @param ageMs how far the values of a home are behind, given how far it has folded; see EntityUpdates.ageMs.
 * @returns values by `entityKey`.
 */
export async function peekEntities(
  store: StateStore,
  { entities }: Parties,
  partitions: number,
  ageMs: (home: number, progress: Buffer | null) => number,
): Promise<Map<string, EntityValue>> {
  const homes = Array.from({ length: partitions }, () => [progressKey])
  for (const ofKind of entities) {
    for (const { key } of ofKind) homes[entityHome(key, homes.length)]?.push(key)
  }
  const values = new Map<string, EntityValue>()
  await Promise.all(
    homes.map(async (names, home) => {
      if (names.length === 1) return
      const [progress, ...packed] = await store.peek({ kind: 'e', partition: home }, names)
      const age = ageMs(home, progress ?? null)
      remember(values, names, packed, age)
    }),
  )
  return values
}

/** @param names of `packed`, behind that of the progress. */
function remember(
  values: Map<string, EntityValue>,
  names: readonly string[],
  packed: readonly (Buffer | null)[],
  ageMs: number,
): void {
  for (let i = 0; i < packed.length; i++) {
    values.set(names[i + 1] as string, { packed: packed[i] as Buffer | null, ageMs })
  }
}
