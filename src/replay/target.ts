import type { Config } from '../config/schema.ts'
import { entityHome } from '../core/enrich.ts'
import { WeirError } from '../core/errors.ts'
import type { CompiledFeatures } from '../core/features/compile.ts'
import { partitionOf } from '../core/partition.ts'
import type { LaneId, Log, StateStore } from '../core/ports.ts'
import type { SnapshotHead, SnapshotState } from './snapshot.ts'
import type { HistoryItem } from './source.ts'

/** The installation that states go to, or are compared with. */
export interface StateTarget {
  readonly config: Pick<Config, 'app' | 'group' | 'topics'>
  readonly log: Log
  readonly store: StateStore
  readonly features: CompiledFeatures
}

const laneKinds = { customer: 't', labelled: 'l', entity: 'e' } as const

/** The lane that keeps a state. */
export function laneOf({ kind, key }: SnapshotState, partitions: number): LaneId {
  const partition = kind === 'entity' ? entityHome(key, partitions) : partitionOf(key, partitions)
  return { kind: laneKinds[kind], partition }
}

/** Every lane of an installation: those of entities first, then labels, then transactions. */
export const lanesOf = (partitions: number): LaneId[] =>
  (['e', 'l', 't'] as const).flatMap((kind) =>
    Array.from({ length: partitions }, (_, partition) => ({ kind, partition })),
  )

export const nameOf = ({ kind, partition }: LaneId): string => `${kind}${partition}`

export function mismatch(message: string, cure: string): WeirError {
  return new WeirError('WEIR_STATE_MISMATCH', message, { cure })
}

/**
 * Whether a snapshot can place the customers of these payments.
 *
 * @throws WeirError WEIR_STATE_MISMATCH that names the first payment that lies in another partition.
 */
export function checkHomes(items: readonly HistoryItem[], partitions: number): void {
  for (const item of items) {
    if (item.kind !== 'transaction') continue
    const home = partitionOf(item.transaction.customer_id, partitions)
    if (item.partition === home) continue
    throw mismatch(
      `the payment at offset ${item.offset} lies in partition ${item.partition}, but the key of its customer belongs into ${home}: a snapshot would not know where the customer's state goes`,
      "have producers use Kafka's default partitioner, or replay without --state",
    )
  }
}

/**
 * Whether the positions of a snapshot are places on the installation's topics.
 *
 * @throws WeirError WEIR_STATE_MISMATCH that says why not, and what to do instead.
 */
export async function checkPlaces(path: string, head: SnapshotHead, target: StateTarget): Promise<void> {
  const { topics } = target.config
  if (head.topics === undefined) {
    throw mismatch(
      `the states of ${path} are those of ${head.source}, not of a topic from its beginning: a duplicate of such a payment would name a decision that does not exist`,
      `send files by \`weir produce\` to ${topics.transactions}; replay that topic whole, and load its snapshot`,
    )
  }
  for (const name of ['transactions', 'labels'] as const) {
    if (head.topics[name] === topics[name]) continue
    throw mismatch(
      `${path} holds the states of ${head.topics[name]}, this installation reads ${topics[name]}`,
      `set topics.${name}, or replay ${topics[name]}`,
    )
  }
  const homes = await target.log.partitions(topics.entity_updates)
  for (const partitions of [topics.partitions, homes]) {
    if (head.partitions === partitions) continue
    throw mismatch(
      `${path} holds the states of ${head.partitions} partitions, this installation has ${partitions}`,
      'partitions are pinned: make the topics of the installation with as many (topics.partitions)',
    )
  }
  for (const name of ['transactions', 'labels'] as const) {
    for (const [partition, position] of head.positions[name].entries()) {
      const { first, end } = await target.log.bounds({ topic: topics[name], partition })
      if (position >= first && position <= end) continue
      throw mismatch(
        `${path} contains ${topics[name]}-${partition} up to ${position}, but the topic holds ${first} to ${end}`,
        position > end
          ? 'the topic is another one, or was made anew: replay it as it is'
          : 'the log has lost what came after the snapshot: replay the topic again, and keep records longer (topics.retention_ms)',
      )
    }
  }
}
