import type { Codec } from '../adapters/avro.ts'
import { deadLetter } from '../core/dead-letter.ts'
import { entityKey } from '../core/enrich.ts'
import type { Rejection } from '../core/errors.ts'
import type { CompiledFeatures } from '../core/features/compile.ts'
import { foldUpdates } from '../core/fold.ts'
import type { LogRecord, NewRecord } from '../core/ports.ts'
import type { EntityUpdate } from '../core/types.ts'
import { progressKey, withProgress } from './entity-updates.ts'
import type { LaneWork, ReadStates, Worked } from './lane.ts'

export interface EntityWorkOptions {
  readonly topics: { readonly entityUpdates: string; readonly deadLetters: string }
  readonly partition: number
  readonly codec: Codec<EntityUpdate>
  readonly features: CompiledFeatures
  readonly rejected: (rejection: Rejection) => void
}

/** The entities' way: what chunks of all partitions add is folded into merchants, terminals and devices. */
export function createEntityWork({
  topics,
  partition,
  codec,
  features,
  rejected,
}: EntityWorkOptions): LaneWork {
  const at = { topic: topics.entityUpdates, partition }

  async function work(records: readonly LogRecord[], read: ReadStates): Promise<Worked> {
    const updates: EntityUpdate[] = []
    const deadLetters: NewRecord[] = []
    const checked = await codec.decode(records)
    checked.forEach((one, i) => {
      if (one.ok) {
        updates.push(one.value)
      } else {
        deadLetters.push(deadLetter(topics.deadLetters, at, records[i] as LogRecord, one.rejection))
        rejected(one.rejection)
      }
    })
    const keys = new Set([progressKey])
    for (const { deltas } of updates) for (const { kind, key } of deltas) keys.add(entityKey(kind, key))
    const past = await read([...keys])
    const states = foldUpdates(updates, past, features)
    states.push([progressKey, withProgress(past.get(progressKey) ?? null, updates)])
    return { records: deadLetters, states }
  }

  return { work, rebuild: async (records, read) => (await work(records, read)).states }
}
