import { type ActiveSet, decideDegraded, judge, offsetIn } from '../core/decide.ts'
import type { EnrichedArrival } from '../core/enrich.ts'
import type { CompiledFeatures } from '../core/features/compile.ts'
import { type Arrival, entityIds } from '../core/parties.ts'
import { missingBy, staleReason } from '../core/policy.ts'
import { type Decision, entityKinds } from '../core/types.ts'
import type { Difference } from './verdict.ts'

/** A payment and the decision that was recorded for it. */
export interface Recorded {
  readonly arrival: Arrival
  readonly decision: Decision
}

/**
 * The decisions as they must be by the values that each of them stores: the vector gives the score, that the outcome and
 * the reasons. Whether it was late, a duplicate or degraded is taken as recorded; the log tells (recomputed.ts).
 *
 * @param active what all of them name.
 * @returns one for each, in order.
 */
export async function judgeRecorded(
  topic: string,
  recorded: readonly Recorded[],
  active: ActiveSet,
): Promise<readonly Decision[]> {
  const { features } = active
  const arrivals = recorded.map((one) => asRecorded(topic, one, features))
  const enriched = { arrivals, rows: vectorsOf(recorded, features), states: [], deltas: [] }
  const { decisions, modelFailure } = await judge({ topic, arrivals }, enriched, active)
  if (modelFailure !== null && recorded.length > 1) {
    // One vector that the model refuses must not make the others look degraded.
    const alone = recorded.map((one) => judgeRecorded(topic, [one], active))
    return (await Promise.all(alone)).flat()
  }
  return decisions.map((decision, i) => {
    const { decision: wanted, arrival } = recorded[i] as Recorded
    if (wanted.status !== 'degraded') return decision
    const missing = missingBy(wanted.reasons)
    return decideDegraded({ topic, arrivals: [arrival] }, active, missing).decisions[0] as Decision
  })
}

function asRecorded(
  topic: string,
  { arrival, decision }: Recorded,
  features: CompiledFeatures,
): EnrichedArrival {
  const usesEntities = presentKinds(arrival, features).length > 0
  return {
    ...arrival,
    duplicateOf: decision.status === 'duplicate' ? firstOf(topic, arrival, decision) : -1,
    late: decision.late,
    entityAgeMs: usesEntities ? decision.entity_age_ms : null,
    stale: isStale({ arrival, decision }, features),
  }
}

/** The offset that a duplicate names; the first of all, which it then differs from, where it names none before it. */
function firstOf(topic: string, { partition, offset }: Arrival, { duplicate_of }: Decision): number {
  const named = offsetIn(duplicate_of ?? '', topic, partition)
  return named !== null && named < offset ? named : 0
}

/** Positions in entityKinds of the entities that the payment names and some feature reads. */
function presentKinds({ transaction }: Arrival, { kinds }: CompiledFeatures): number[] {
  const ids = entityIds(transaction)
  return kinds.map((kind) => entityKinds.indexOf(kind)).filter((at) => ids[at] !== null)
}

/**
 * Whether a value of merchant, terminal or device was too old to be used. Nothing but the reason records it for one of
 * several; then all columns of that one must be missing.
 */
function isStale({ arrival, decision }: Recorded, features: CompiledFeatures): boolean {
  const present = presentKinds(arrival, features)
  if (present.length === 0) return false
  if (decision.entity_age_ms === null) return true
  if (!decision.reasons.includes(staleReason.code)) return false
  const vector = decision.features
  if (vector.length !== features.names.length * 4) return false
  return present.some((kind) =>
    features.entityColumns[kind]?.every(({ at }) => Number.isNaN(vector.readFloatLE(at * 4))),
  )
}

/** The recorded vectors, row-major; all is missing in a row whose vector has not as many columns. */
function vectorsOf(recorded: readonly Recorded[], { names }: CompiledFeatures): Float32Array {
  const rows = new Float32Array(recorded.length * names.length).fill(Number.NaN)
  const bytes = Buffer.from(rows.buffer)
  recorded.forEach(({ decision }, i) => {
    if (decision.features.length === names.length * 4) decision.features.copy(bytes, i * names.length * 4)
  })
  return rows
}

/** What others follow from comes first. */
const fields = [
  'decision_id',
  'transaction_id',
  'customer_id',
  'event_time',
  'feature_hash',
  'model',
  'model_sha256',
  'policy',
  'control_offset',
  'rules',
  'late',
  'duplicate_of',
  'entity_age_ms',
  'features',
  'score',
  'risk_score',
  'status',
  'rules_hit',
  'lists_hit',
  'adjustment',
  'outcome',
  'sca',
  'reasons',
] as const satisfies readonly (keyof Decision)[]

/** The fields in which a recorded decision is not what it must be, bit for bit. */
export function differencesOf(recorded: Decision, wanted: Decision): Difference[] {
  const { decision_id } = recorded
  return fields
    .filter((field) => !isSame(recorded[field], wanted[field]))
    .map((field) => ({
      decision_id,
      field,
      recorded: shown(recorded[field]),
      recomputed: shown(wanted[field]),
    }))
}

function isSame(a: Decision[keyof Decision], b: Decision[keyof Decision]): boolean {
  if (Object.is(a, b)) return true
  if (Buffer.isBuffer(a)) return Buffer.isBuffer(b) && a.equals(b)
  return Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((one, i) => one === b[i])
}

/** Of vectors the length: a difference in one column is told by the log. */
const shown = (value: unknown): unknown => (Buffer.isBuffer(value) ? `${value.length / 4} columns` : value)
