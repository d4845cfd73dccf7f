import { join } from 'node:path'
import { loadFeatures } from '../../src/config/definitions.ts'
import { type EnrichedArrival, type EntityValue, enrich } from '../../src/core/enrich.ts'
import type { CompiledFeatures } from '../../src/core/features/compile.ts'
import { type Arrival, partiesOf } from '../../src/core/parties.ts'
import { entityKinds, type Transaction } from '../../src/core/types.ts'
import { aTransaction } from './contracts.ts'

export const second = 1000
export const minute = 60 * second
export const hour = 60 * minute
export const day = 24 * hour

/** A Thursday, midnight UTC: where day tiles begin. */
export const midnight = Date.UTC(2026, 0, 15)

export const shipped = loadFeatures(join(import.meta.dirname, '../../features.yaml'))

/** Transactions in log order, each with an id of its own unless it is given. */
export function arrivals(changes: readonly Partial<Transaction>[]): Arrival[] {
  return changes.map((change, offset) => ({
    partition: 3,
    offset,
    transaction: aTransaction({ transaction_id: `tx-${offset}`, ...change }),
  }))
}

/** A merchant, terminal and device of which nothing is known yet, for every one that is named. */
export function unknownEntities(chunk: readonly Arrival[]): Map<string, EntityValue> {
  const entities = partiesOf(chunk, entityKinds).entities.flat()
  return new Map(entities.map(({ key }) => [key, { packed: null, ageMs: 0 }]))
}

export interface Seen extends EnrichedArrival {
  /** By name of the feature. */
  readonly features: Readonly<Record<string, number>>
}

/** What the features of one chunk of new customers are. */
export function seen(
  changes: readonly Partial<Transaction>[],
  features: CompiledFeatures = shipped,
  entities?: ReadonlyMap<string, EntityValue>,
): Seen[] {
  const chunk = arrivals(changes)
  const past = { customers: new Map(), entities: entities ?? unknownEntities(chunk) }
  const enriched = enrich(chunk, past, features, minute)
  const width = features.names.length
  return enriched.arrivals.map((arrival, row) => ({
    ...arrival,
    features: Object.fromEntries(
      features.names.map((name, i) => [name, enriched.rows[row * width + i] as number]),
    ),
  }))
}

/** The features of the last transaction. */
export function last(
  changes: readonly Partial<Transaction>[],
  features: CompiledFeatures = shipped,
  entities?: ReadonlyMap<string, EntityValue>,
): Readonly<Record<string, number>> {
  return (seen(changes, features, entities).at(-1) as Seen).features
}

/** Payments at these times. */
export const at = (...times: number[]): Partial<Transaction>[] => times.map((event_time) => ({ event_time }))
