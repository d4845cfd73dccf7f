import { type EnrichedArrival, refusedAmount } from '../core/enrich.ts'
import type { CompiledFeatures } from '../core/features/compile.ts'
import { History, type PlacedLabel } from '../core/history.ts'
import { PackedStates } from '../core/packed-states.ts'
import type { Arrival } from '../core/parties.ts'
import { missingBy } from '../core/policy.ts'
import type { Decision, Label } from '../core/types.ts'
import type { Difference, Verdict } from './verdict.ts'

/** A payment that the log tells again, and what its features say now. */
export interface Recomputed {
  readonly arrival: EnrichedArrival
  /** float32, all columns. */
  readonly row: Float32Array
}

type Told = { readonly arrival: Arrival } | { readonly label: Label }

/**
 * The states under one feature file, from the log. Customers are kept by partition, as the live lanes keep them: where
 * payments have no key, one customer may lie in several.
 */
export class Recomputation {
  readonly #start: History
  /** The partition in which a customer was seen first; most are never seen in another. */
  readonly #homes = new Map<string, number>()
  readonly #astray = new Map<number, PackedStates>()
  readonly #histories = new Map<CompiledFeatures, Map<number, History>>()

  /** @param start states of the past, which go on from here. */
  constructor(base: CompiledFeatures, start: History = new History(base)) {
    this.#start = start
  }

  /**
   * Goes on in history.
   *
   * @param featuresOf those of the file, or with a package's lookups after them; null to leave a payment out.
   * @returns one for each; null for labels, what is left out, and payments that the feature file has no rate for.
   */
  enrich(
    told: readonly Told[],
    featuresOf: (arrival: Arrival, place: number) => CompiledFeatures | null,
  ): (Recomputed | null)[] {
    const result: (Recomputed | null)[] = told.map(() => null)
    let history = this.#start
    let width = 0
    let places: number[] = []
    let arrivals: Arrival[] = []
    let labels: PlacedLabel[] = []
    const flush = () => {
      const { arrivals: enriched, rows } = history.enrich(arrivals, labels)
      places.forEach((place, i) => {
        result[place] = {
          arrival: enriched[i] as EnrichedArrival,
          row: rows.subarray(i * width, (i + 1) * width),
        }
      })
      places = []
      arrivals = []
      labels = []
    }
    for (const [place, one] of told.entries()) {
      if ('label' in one) {
        labels.push({ before: arrivals.length, label: one.label })
        continue
      }
      const { arrival } = one
      const features = featuresOf(arrival, place)
      if (features === null) continue
      if (refusedAmount(arrival.transaction, this.#start.features) !== null) continue
      const next = this.#historyOf(features, arrival)
      if (next !== history) flush()
      history = next
      width = features.names.length
      places.push(place)
      arrivals.push(arrival)
    }
    flush()
    return result
  }

  #historyOf(features: CompiledFeatures, { partition, transaction: { customer_id } }: Arrival): History {
    const home = this.#homes.get(customer_id)
    if (home === undefined) this.#homes.set(customer_id, partition)
    const from = home === undefined || home === partition ? -1 : partition
    let byPartition = this.#histories.get(features)
    if (byPartition === undefined) {
      byPartition = new Map([[-1, new History(features, this.#start)]])
      this.#histories.set(features, byPartition)
    }
    let history = byPartition.get(from)
    if (history === undefined) {
      const customers = this.#astray.get(from) ?? new PackedStates()
      this.#astray.set(from, customers)
      history = new History(features, { ...this.#start, customers })
      byPartition.set(from, history)
    }
    return history
  }
}

/**
 * What of a decision the log tells otherwise. Null for one that was made without states, or without a score: only whether
 * it is a duplicate is known of that.
 */
export function compareRecomputed(
  decision: Decision,
  { arrival, row }: Recomputed,
  features: CompiledFeatures,
  topic: string,
): Difference[] | null {
  const { partition, duplicateOf, late } = arrival
  if (decision.status === 'degraded') {
    if (missingBy(decision.reasons) === 'states' || duplicateOf < 0) return null
    const { decision_id, status } = decision
    return [{ decision_id, field: 'status', recorded: status, recomputed: 'duplicate' }]
  }
  const wanted = {
    status: duplicateOf >= 0 ? 'duplicate' : 'scored',
    duplicate_of: duplicateOf >= 0 ? `${topic}-${partition}-${duplicateOf}` : null,
    late,
  }
  const { decision_id } = decision
  const differences: Difference[] = []
  for (const field of ['status', 'duplicate_of', 'late'] as const) {
    if (decision[field] === wanted[field]) continue
    differences.push({ decision_id, field, recorded: decision[field], recomputed: wanted[field] })
  }
  if (!hasVector(decision, features) || duplicateOf >= 0) return differences
  const bits = bitsOf(row)
  for (const { at } of features.columns) {
    if (decision.features.readUInt32LE(at * 4) === bits[at]) continue
    const recorded = shown(decision.features.readFloatLE(at * 4))
    const field = `features.${features.names[at]}`
    differences.push({ decision_id, field, recorded, recomputed: shown(row[at] as number) })
  }
  return differences
}

/** Counts what the columns of merchant, terminal and device have otherwise. @returns whether any has. */
export function compareEntities(
  decision: Decision,
  { arrival, row }: Recomputed,
  features: CompiledFeatures,
  verdict: Verdict,
): boolean {
  if (!hasVector(decision, features) || arrival.duplicateOf >= 0) return false
  const { entity } = verdict.result.recomputed
  if (entity === null) return false
  const bits = bitsOf(row)
  let differs = false
  for (const columns of features.entityColumns) {
    for (const { at } of columns) {
      entity.values++
      if (decision.features.readUInt32LE(at * 4) === bits[at]) continue
      differs = true
      verdict.entityValue(
        entity,
        features.names[at] as string,
        decision.features.readFloatLE(at * 4),
        row[at] as number,
      )
    }
  }
  if (differs) entity.decisions++
  return differs
}

const hasVector = ({ features }: Decision, { names }: CompiledFeatures): boolean =>
  features.length === names.length * 4

const bitsOf = (row: Float32Array): Uint32Array => new Uint32Array(row.buffer, row.byteOffset, row.length)

/** JSON has no NaN. */
const shown = (value: number): number | 'missing' => (Number.isNaN(value) ? 'missing' : value)
