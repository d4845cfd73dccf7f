import type { Codec } from '../adapters/avro.ts'
import type { Rejection } from '../core/errors.ts'
import type { CompiledFeatures } from '../core/features/compile.ts'
import { byEntity, fold } from '../core/fold.ts'
import type { EntityUpdate } from '../core/types.ts'
import { decodeRecords } from './decoded.ts'
import { progressKey, withProgress } from './entity-updates.ts'
import type { FoldLaneOptions } from './fold-lane.ts'
import type { LaneWork } from './lane.ts'

export interface EntityFoldOptions {
  readonly topics: { readonly entityUpdates: string; readonly deadLetters: string }
  readonly partition: number
  readonly codec: Codec<EntityUpdate>
  readonly features: CompiledFeatures
  readonly rejected?: ((rejections: readonly Rejection[]) => void) | undefined
}

/** The entities' way: what chunks of all partitions add is folded into merchants, terminals and devices. */
export function createEntityFold({
  topics,
  partition,
  codec,
  features,
  rejected,
}: EntityFoldOptions): FoldLaneOptions['fold'] {
  const at = { topic: topics.entityUpdates, partition }
  return async (records, read) => {
    const decoded = await decodeRecords(codec, records, at, topics.deadLetters)
    const { values: updates, deadLetters, rejections } = decoded
    const deltas = byEntity(updates)
    const past = await read([progressKey, ...deltas.keys()])
    const states = fold(deltas, past, features)
    states.push([progressKey, withProgress(past.get(progressKey) ?? null, updates)])
    return { states, deadLetters, onWritten: () => rejected?.(rejections) }
  }
}

/** The same for a lane with transactions, which entities need where their states go to the changelog (decision 26). */
export function createEntityWork(fold: FoldLaneOptions['fold']): LaneWork {
  return {
    followsStates: true,
    async work(records, read) {
      const { states, deadLetters, onWritten } = await fold(records, read)
      return { records: deadLetters, states, onCommitted: () => onWritten?.() }
    },
    rebuild: async (records, read) => (await fold(records, read)).states,
  }
}
