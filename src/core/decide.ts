import { amountIn, deltasAlone, type Enriched, type EnrichedArrival, enrich, type Past } from './enrich.ts'
import type { CompiledFeatures } from './features/compile.ts'
import type { Arrival, Parties } from './parties.ts'
import { type CompiledPolicy, degradedReason, degradedRow, outcomeOf, reasonsOf } from './policy.ts'
import type { Model } from './ports.ts'
import type { Alert, Decision, EntityDelta, Outcome, Reason, Transaction } from './types.ts'

/** Transactions to be decided together: those of one customer in log order. The live stream's are of one partition. */
export interface Chunk {
  readonly topic: string
  readonly arrivals: readonly Arrival[]
}

/** All that decides: what every decision names. Rules and lists will stand here, beside the policy. */
export interface ActiveSet {
  readonly features: CompiledFeatures
  readonly model: Model
  readonly policy: CompiledPolicy
  /** An entity value that is further behind is missing, milliseconds of event time. */
  readonly entityAgeLimitMs: number
}

export interface Decided {
  /** One for every arrival, in order. */
  readonly decisions: readonly Decision[]
  readonly alerts: readonly Alert[]
  /** The customers' states after the chunk. */
  readonly states: Enriched['states']
  /** What the chunk adds to merchants, terminals and devices. */
  readonly deltas: readonly EntityDelta[]
  /** Why the model gave no scores and the chunk was decided degraded; null when it did. */
  readonly modelFailure: Error | null
}

/**
 * The heart: transactions to decisions. The live stream, replay, export and the tests all call it. It knows no
 * clock, no randomness and no I/O: the same chunk, past and active set give the same bytes.
 *
 * Scoring is the only asynchronous step: one call of the model for the whole chunk.
 *
 * @param parties those of the chunk, where they are known already.
 */
export async function decide(
  chunk: Chunk,
  past: Past,
  active: ActiveSet,
  parties?: Parties,
): Promise<Decided> {
  return judge(chunk, enrich(chunk.arrivals, past, active.features, active.entityAgeLimitMs, parties), active)
}

/**
 * The second half of `decide`: scores what is enriched and turns scores into outcomes. For replay, where several
 * active sets that differ in model or policy judge the same enriched chunk.
 */
export async function judge(chunk: Chunk, enriched: Enriched, active: ActiveSet): Promise<Decided> {
  const { scores, failure } = await score(enriched, active)
  const decisions: Decision[] = []
  const alerts: Alert[] = []
  const width = active.features.names.length
  const bytes = Buffer.from(enriched.rows.buffer)
  enriched.arrivals.forEach((arrival, i) => {
    const verdict =
      arrival.duplicateOf >= 0
        ? duplicate(chunk, arrival, active)
        : scores === null
          ? degraded(chunk, arrival, active)
          : scored(
              chunk,
              arrival,
              bytes.subarray(i * width * 4, (i + 1) * width * 4),
              scores[i] as number,
              active,
            )
    decisions.push(verdict.decision)
    if (verdict.alert !== null) alerts.push(verdict.alert)
  })
  return { decisions, alerts, states: enriched.states, deltas: enriched.deltas, modelFailure: failure }
}

/**
 * Decisions when the customers' states cannot be had in time: by the policy's degraded table, which knows amount and
 * channel only. No customer's state changes: the log brings them up to date later. Duplicates are not recognised.
 */
export function decideDegraded(
  chunk: Chunk,
  active: ActiveSet,
): Pick<Decided, 'decisions' | 'alerts' | 'deltas'> {
  const verdicts = chunk.arrivals.map((arrival) => degraded(chunk, arrival, active))
  return {
    decisions: verdicts.map(({ decision }) => decision),
    alerts: verdicts.flatMap(({ alert }) => alert ?? []),
    deltas: deltasAlone(chunk.arrivals, active.features),
  }
}

interface Verdict {
  readonly decision: Decision
  readonly alert: Alert | null
}

async function score(
  { rows, arrivals }: Enriched,
  { model }: ActiveSet,
): Promise<{ scores: Float64Array | null; failure: Error | null }> {
  try {
    return { scores: (await model.score(rows, arrivals.length)).probabilities, failure: null }
  } catch (error) {
    return { scores: null, failure: error as Error }
  }
}

function scored(
  chunk: Chunk,
  arrival: EnrichedArrival,
  features: Buffer,
  score: number,
  active: ActiveSet,
): Verdict {
  const { model, policy } = active
  const riskScore = model.riskScore(score)
  const { transaction } = arrival
  const amount = amountIn(active.features, transaction)
  const outcome = outcomeOf(policy, riskScore, transaction, amount)
  const reasons = reasonsOf(policy, outcome, features, riskScore, arrival.stale)
  const decision: Decision = {
    ...commonFields(chunk, arrival, active),
    status: 'scored',
    outcome,
    score,
    risk_score: riskScore,
    reasons: reasons.map(({ code }) => code),
    duplicate_of: null,
    late: arrival.late,
    entity_age_ms: arrival.entityAgeMs,
    features,
  }
  const alert = policy.file.alert_on.includes(outcome)
    ? alertOf(decision, arrival.transaction, outcome, reasons)
    : null
  return { decision, alert }
}

/**
 * Whether a decision calls for an alert.
 *
 * @param transaction what was decided; a degraded decision depends on it.
 * @param policy the one that it was made with.
 * @returns null where that cannot be told without the transaction.
 */
export function callsForAlert(
  { status, outcome }: Pick<Decision, 'status' | 'outcome'>,
  transaction: Transaction | null,
  features: CompiledFeatures,
  policy: Pick<CompiledPolicy, 'file'>,
): boolean | null {
  if (outcome === null) return false
  if (status === 'degraded') return transaction && rowFor(transaction, features, policy).alert
  return policy.file.alert_on.includes(outcome)
}

function rowFor(transaction: Transaction, features: CompiledFeatures, policy: Pick<CompiledPolicy, 'file'>) {
  return degradedRow(policy, transaction, amountIn(features, transaction))
}

function degraded(chunk: Chunk, arrival: Arrival, active: ActiveSet): Verdict {
  const { transaction } = arrival
  const row = rowFor(transaction, active.features, active.policy)
  const decision: Decision = {
    ...commonFields(chunk, arrival, active),
    status: 'degraded',
    outcome: row.outcome,
    score: null,
    risk_score: null,
    reasons: [degradedReason.code],
    duplicate_of: null,
    late: false,
    entity_age_ms: null,
    features: noFeatures,
  }
  return { decision, alert: row.alert ? alertOf(decision, transaction, row.outcome, [degradedReason]) : null }
}

function duplicate(chunk: Chunk, arrival: EnrichedArrival, active: ActiveSet): Verdict {
  const decision: Decision = {
    ...commonFields(chunk, arrival, active),
    status: 'duplicate',
    outcome: null,
    score: null,
    risk_score: null,
    reasons: [],
    duplicate_of: decisionId(chunk, arrival, arrival.duplicateOf),
    late: arrival.late,
    entity_age_ms: null,
    features: noFeatures,
  }
  return { decision, alert: null }
}

const noFeatures = Buffer.alloc(0)

/** Unique, and it says where the transaction lies. */
const decisionId = ({ topic }: Chunk, { partition }: Arrival, offset: number): string =>
  `${topic}-${partition}-${offset}`

/** The offset in a decision_id of this partition; null where it is none. */
export function offsetIn(id: string, topic: string, partition: number): number | null {
  const start = `${topic}-${partition}-`
  const offset = id.startsWith(start) ? id.slice(start.length) : ''
  return /^(0|[1-9]\d{0,15})$/.test(offset) ? Number(offset) : null
}

function commonFields(chunk: Chunk, arrival: Arrival, { features, model, policy }: ActiveSet) {
  const { transaction } = arrival
  return {
    decision_id: decisionId(chunk, arrival, arrival.offset),
    transaction_id: transaction.transaction_id,
    customer_id: transaction.customer_id,
    event_time: transaction.event_time,
    feature_hash: features.hash,
    model: model.id,
    model_sha256: model.sha256,
    policy: policy.id,
  }
}

function alertOf(
  decision: Decision,
  transaction: Transaction,
  outcome: Outcome,
  reasons: readonly Reason[],
): Alert {
  return {
    alert_id: decision.decision_id,
    transaction_id: decision.transaction_id,
    customer_id: decision.customer_id,
    event_time: decision.event_time,
    outcome,
    status: decision.status,
    risk_score: decision.risk_score,
    amount_minor: transaction.amount_minor,
    currency: transaction.currency,
    type: transaction.type,
    channel: transaction.channel,
    merchant_id: transaction.merchant_id,
    merchant_name: transaction.merchant_name,
    mcc: transaction.mcc,
    country: transaction.country,
    terminal_id: transaction.terminal_id,
    device_id: transaction.device_id,
    reasons,
  }
}
