import type { Codec } from '../adapters/avro.ts'
import type { Rejection } from '../core/errors.ts'
import type { CompiledFeatures } from '../core/features/compile.ts'
import { applyLabels } from '../core/labels.ts'
import type { LogRecord } from '../core/ports.ts'
import type { Label } from '../core/types.ts'
import { receipt } from './answered.ts'
import { decodeRecords } from './decoded.ts'
import type { EntityUpdates } from './entity-updates.ts'
import type { LaneWork } from './lane.ts'

export interface LabelWorkOptions {
  readonly topics: { readonly labels: string; readonly deadLetters: string }
  readonly partition: number
  readonly codec: Codec<Label>
  readonly features: CompiledFeatures
  readonly updates: EntityUpdates
  readonly rejected?: ((rejections: readonly Rejection[]) => void) | undefined
}

/** The labels' way: from what the fraud team knows to the fraud counts of merchants, terminals and devices. */
export function createLabelWork({
  topics,
  partition,
  codec,
  features,
  updates,
  rejected,
}: LabelWorkOptions): LaneWork {
  const at = { topic: topics.labels, partition }

  const customersOf = (labels: readonly Label[]) => [...new Set(labels.map(({ customer_id }) => customer_id))]

  const decode = (records: readonly LogRecord[]) => decodeRecords(codec, records, at, topics.deadLetters)

  return {
    async work(records, read) {
      const { values: labels, deadLetters, rejections } = await decode(records)
      const { states, deltas } = applyLabels(labels, await read(customersOf(labels)), features)
      const source = {
        source_kind: 'l',
        source_partition: partition,
        source_offset: records[0]?.offset ?? 0,
        time: Math.max(0, ...labels.map(({ observed_time }) => observed_time)),
      } as const
      // Dead letters alone, or labels that change nothing, must leave word of themselves, too (answered.ts).
      const answers = receipt(at, (records.at(-1)?.offset ?? -1) + 1)
      return {
        records: [...updates.records(source, deltas, answers), ...deadLetters],
        states,
        onCommitted: () => rejected?.(rejections),
      }
    },
    async rebuild(records, read) {
      const { values: labels } = await decode(records)
      return applyLabels(labels, await read(customersOf(labels)), features).states
    },
  }
}
