import type { Codec } from '../adapters/avro.ts'
import { entityKey } from '../core/enrich.ts'
import type { Rejection } from '../core/errors.ts'
import type { CompiledFeatures } from '../core/features/compile.ts'
import { foldUpdates } from '../core/fold.ts'
import type { LogRecord } from '../core/ports.ts'
import type { EntityUpdate } from '../core/types.ts'
import { decodeRecords } from './decoded.ts'
import { progressKey, withProgress } from './entity-updates.ts'
import type { LaneWork, ReadStates, Worked } from './lane.ts'

export interface EntityWorkOptions {
  readonly topics: { readonly entityUpdates: string; readonly deadLetters: string }
  readonly partition: number
  readonly codec: Codec<EntityUpdate>
  readonly features: CompiledFeatures
  readonly rejected?: ((rejections: readonly Rejection[]) => void) | undefined
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
    const {
      values: updates,
      deadLetters,
      rejections,
    } = await decodeRecords(codec, records, at, topics.deadLetters)
    const keys = new Set([progressKey])
    for (const { deltas } of updates) for (const { kind, key } of deltas) keys.add(entityKey(kind, key))
    const past = await read([...keys])
    const states = foldUpdates(updates, past, features)
    states.push([progressKey, withProgress(past.get(progressKey) ?? null, updates)])
    return { records: deadLetters, states, onCommitted: () => rejected?.(rejections) }
  }

  return { work, rebuild: async (records, read) => (await work(records, read)).states }
}
