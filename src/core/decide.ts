import { amountIn, deltasAlone, type Enriched, type EnrichedArrival, enrich, type Past } from './enrich.ts'
import { type Explained, explainRows, weightiest } from './explain/explained.ts'
import type { CompiledFeatures } from './features/compile.ts'
import { narrate } from './narrative/narrate.ts'
import type { Arrival, Parties } from './parties.ts'
import {
  type CompiledPolicy,
  type DegradedRow,
  degradedReasons,
  degradedRow,
  languageOf,
  type Missing,
  mostReasons,
  reasonsOf,
  scoreCode,
  staleReason,
} from './policy.ts'
import type { Model, Scores } from './ports.ts'
import { scaOf } from './sca.ts'
import { isAskedWhy, type Sight, sightOf } from './sight.ts'
import type { Alert, Decision, DecisionStatus, EntityDelta, Outcome, Reason, Transaction } from './types.ts'
import {
  type Case,
  isFlagged,
  isForPeople,
  nameOfHit,
  outcomeOfLists,
  reasonsOfLists,
  type VerdictFacts,
} from './verdict.ts'

/** Transactions to be decided together: those of one customer in log order. The live stream's are of one partition. */
export interface Chunk {
  readonly topic: string
  readonly arrivals: readonly Arrival[]
}

/** All that decides: what every decision names. It never changes: a change makes a new one, for the next chunk. */
export interface ActiveSet extends Case {
  readonly features: CompiledFeatures
  readonly model: Model
  /** The control topic's offset that rules, lists and policy are of; null where none is followed. */
  readonly controlOffset: number | null
  /** An entity value that is further behind is missing, milliseconds of event time. */
  readonly entityAgeLimitMs: number
}

/** Where no control topic is followed and no rules file is given. */
export const uncontrolled = { rules: null, lists: null, controlOffset: null } as const

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
 * The model is the only asynchronous step: one call that scores the whole chunk, and where something is not approved
 * another one that says why.
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
  const { arrivals, rows, states, deltas } = enriched
  const { model, policy } = active
  let scores: Scores
  try {
    scores = await model.score(rows, arrivals.length)
  } catch (error) {
    return withoutScores(chunk, enriched, active, error as Error)
  }
  const bytes = Buffer.from(rows.buffer, rows.byteOffset, rows.byteLength)
  const width = active.features.names.length * 4
  const decisions = new Array<Decision>(arrivals.length)
  // Nearly all are answered on the spot: what is known of them need not outlive that.
  const asked: { readonly place: number; readonly sight: Sight }[] = []
  for (let place = 0; place < arrivals.length; place++) {
    const arrival = arrivals[place] as EnrichedArrival
    if (arrival.duplicateOf >= 0) {
      decisions[place] = duplicate(chunk, arrival, active)
      continue
    }
    const features = bytes.subarray(place * width, (place + 1) * width)
    const sight = sightOf(arrival, features, scores, place, active)
    if (isAskedWhy(sight.verdict, policy)) asked.push({ place, sight })
    else decisions[place] = scored(chunk, arrival, sight, null, active).decision
  }
  let reasons: ReadonlyMap<number, Explained>
  try {
    const places = asked.map(({ place }) => place)
    reasons = await explainRows(model, rows, arrivals.length, places)
  } catch (error) {
    // Reasons depend on it, and decisions must come out the same when they are made again.
    return withoutScores(chunk, enriched, active, error as Error)
  }
  const alerts: Alert[] = []
  for (const { place, sight } of asked) {
    const arrival = arrivals[place] as EnrichedArrival
    const { decision, alert } = scored(chunk, arrival, sight, reasons.get(place) ?? null, active)
    decisions[place] = decision
    if (alert !== null) alerts.push(told(alert, active))
  }
  return { decisions, alerts, states, deltas, modelFailure: null }
}

/** The chunk's states count, its scores could not be had. */
function withoutScores(
  chunk: Chunk,
  { arrivals, states, deltas }: Enriched,
  active: ActiveSet,
  modelFailure: Error,
): Decided {
  const answers = arrivals.map((arrival) =>
    arrival.duplicateOf < 0
      ? degraded(chunk, arrival, active, 'model')
      : { decision: duplicate(chunk, arrival, active), alert: null },
  )
  return { ...collect(answers, active), states, deltas, modelFailure }
}

/**
 * Decisions when the customers' states cannot be had in time: by the policy's degraded table, which knows amount and
 * channel only. No customer's state changes: the log brings them up to date later. Duplicates are not recognised.
 *
 * @param missing another one for those who make a decision again that had states and no score.
 */
export function decideDegraded(
  chunk: Chunk,
  active: ActiveSet,
  missing: Missing = 'states',
): Pick<Decided, 'decisions' | 'alerts' | 'deltas'> {
  const answers = chunk.arrivals.map((arrival) => degraded(chunk, arrival, active, missing))
  return { ...collect(answers, active), deltas: deltasAlone(chunk.arrivals, active.features) }
}

const collect = (answers: readonly Answer[], active: ActiveSet): Pick<Decided, 'decisions' | 'alerts'> => ({
  decisions: answers.map(({ decision }) => decision),
  alerts: answers.flatMap(({ alert }) => (alert === null ? [] : told(alert, active))),
})

/** In words, once all else is known of it. */
const told = (alert: Alert, { policy }: ActiveSet): Alert => ({
  ...alert,
  narrative: narrate(alert, languageOf(policy.file)),
})

interface Answer {
  readonly decision: Decision
  readonly alert: Alert | null
}

/** @param explained null where nobody asks why, or the model does not say. */
function scored(
  chunk: Chunk,
  arrival: EnrichedArrival,
  { facts, verdict }: Sight,
  explained: Explained | null,
  active: ActiveSet,
): Answer {
  const { policy } = active
  const { transaction } = arrival
  const { features, score, riskScore } = facts
  const { outcome, rules, lists, adjustment, sca } = verdict
  const contributions = explained?.contributions ?? null
  const modelled = reasonsOf(policy, outcome, features, riskScore, arrival.stale, contributions)
  const reasons = verdict.reasons.length === 0 ? modelled : mergeReasons(verdict.reasons, modelled)
  const decision = draft(chunk, arrival, active, 'scored')
  decision.outcome = outcome
  decision.score = score
  decision.risk_score = riskScore
  if (reasons.length > 0) decision.reasons = reasons.map(({ code }) => code)
  decision.late = arrival.late
  decision.entity_age_ms = arrival.entityAgeMs
  decision.features = features
  if (rules.length > 0) decision.rules_hit = rules.map(({ id }) => id)
  if (lists.length > 0) decision.lists_hit = lists.map(nameOfHit)
  decision.adjustment = adjustment
  decision.sca = sca
  if (!callsForAlert(decision, transaction, active.features, policy)) return { decision, alert: null }
  return { decision, alert: scoredAlert(decision, transaction, facts, reasons, explained, active) }
}

function scoredAlert(
  decision: Decision,
  transaction: Transaction,
  { features, amount, score, parts }: VerdictFacts,
  reasons: readonly Reason[],
  explained: Explained | null,
  { model, features: { names } }: ActiveSet,
): Alert {
  const risks = parts.map((part) => model.riskScore(part))
  return {
    ...alertOf(decision, transaction, decision.outcome as Outcome, reasons),
    loss: score * amount,
    parts: model.parts.map((name, i) => ({ name, score: parts[i] as number })),
    disagreement: parts.length < 2 ? null : Math.max(...risks) - Math.min(...risks),
    base: explained?.base ?? null,
    contributions: explained === null ? none : weightiest(names, features, explained),
  }
}

/**
 * Whether a decision calls for an alert.
 *
 * @param transaction what was decided; a degraded decision depends on it.
 * @param policy the one that it was made with.
 * @returns null where that cannot be told without the transaction.
 */
export function callsForAlert(
  { status, outcome, lists_hit }: Pick<Decision, 'status' | 'outcome' | 'lists_hit'>,
  transaction: Transaction | null,
  features: CompiledFeatures,
  policy: Pick<CompiledPolicy, 'file'>,
): boolean | null {
  if (outcome === null) return false
  if (status === 'degraded' && lists_hit.length === 0) {
    return transaction && rowFor(transaction, features, policy).alert
  }
  return isForPeople(outcome, lists_hit, policy.file)
}

const rowFor = (
  transaction: Transaction,
  features: CompiledFeatures,
  policy: Pick<CompiledPolicy, 'file'>,
): DegradedRow => degradedRow(policy, transaction, amountIn(features, transaction))

/** Lists hold without states, too; rules, which look at features, do not. */
function degraded(chunk: Chunk, arrival: Arrival, active: ActiveSet, missing: Missing): Answer {
  const { transaction } = arrival
  const lists = active.lists?.hits(transaction) ?? []
  const outcome = outcomeOfLists(lists) ?? rowFor(transaction, active.features, active.policy).outcome
  const reasons = [...reasonsOfLists(lists).slice(0, mostReasons - 1), degradedReasons[missing]]
  const decision = draft(chunk, arrival, active, 'degraded')
  decision.outcome = outcome
  decision.reasons = reasons.map(({ code }) => code)
  if (lists.length > 0) decision.lists_hit = lists.map(nameOfHit)
  if (active.policy.sca !== null) {
    const flagged = isFlagged(lists, none)
    const facts = { outcome, transaction, riskScore: null, features: noFeatures, flagged, late: false }
    decision.sca = scaOf(active.policy.sca, facts)
  }
  const isDue = callsForAlert(decision, transaction, active.features, active.policy)
  return { decision, alert: isDue ? alertOf(decision, transaction, outcome, reasons) : null }
}

function duplicate(chunk: Chunk, arrival: EnrichedArrival, active: ActiveSet): Decision {
  const decision = draft(chunk, arrival, active, 'duplicate')
  decision.duplicate_of = decisionId(chunk, arrival, arrival.duplicateOf)
  decision.late = arrival.late
  return decision
}

/** What lists and rules say stands before what the model sees, and after that values were too old. */
function mergeReasons(first: readonly Reason[], modelled: readonly Reason[]): readonly Reason[] {
  const isStale = modelled[0] === staleReason
  const rest = modelled.slice(isStale ? 1 : 0).filter(({ code }) => code !== scoreCode)
  return [...(isStale ? [staleReason] : []), ...first, ...rest].slice(0, mostReasons)
}

const none: readonly never[] = []
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

/**
 * A decision with nothing in it yet but what was decided, and by what. It has all fields from the start, to be filled
 * in: putting it together of parts took twice as long.
 */
function draft(
  chunk: Chunk,
  arrival: Arrival,
  { features, model, policy, rules, controlOffset }: ActiveSet,
  status: DecisionStatus,
): { -readonly [Field in keyof Decision]: Decision[Field] } {
  const { transaction_id, customer_id, event_time } = arrival.transaction
  return {
    decision_id: decisionId(chunk, arrival, arrival.offset),
    transaction_id,
    customer_id,
    event_time,
    status,
    outcome: null,
    score: null,
    risk_score: null,
    reasons: none,
    duplicate_of: null,
    late: false,
    entity_age_ms: null,
    feature_hash: features.hash,
    features: noFeatures,
    model: model.id,
    model_sha256: model.sha256,
    policy: policy.id,
    control_offset: controlOffset,
    rules: rules === null ? null : rules.id,
    rules_hit: none,
    lists_hit: none,
    adjustment: 0,
    sca: null,
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
    score: decision.score,
    rules_hit: decision.rules_hit,
    lists_hit: decision.lists_hit,
    sca: decision.sca,
    loss: null,
    parts: none,
    disagreement: null,
    base: null,
    contributions: none,
    narrative: '',
  }
}
