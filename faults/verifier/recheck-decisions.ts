import { type ActiveSet, decideDegraded } from '../../src/core/decide.ts'
import { currencyFactor, type EnrichedArrival, enrich } from '../../src/core/enrich.ts'
import { type Explained, weightiest } from '../../src/core/explain/explained.ts'
import type { CompiledFeatures } from '../../src/core/features/compile.ts'
import { narrate } from '../../src/core/narrative/narrate.ts'
import type { Arrival } from '../../src/core/parties.ts'
import { languageOf, reasonsOf } from '../../src/core/policy.ts'
import type { LogRecord } from '../../src/core/ports.ts'
import {
  type Alert,
  type Decision,
  entityKinds,
  type Reason,
  type Transaction,
} from '../../src/core/types.ts'
import { verdictOf } from '../../src/core/verdict.ts'
import { checkRecords } from '../../src/stream/decoded.ts'
import { type ActiveAt, activeAt } from './active-at.ts'
import { type AnswerBefore, Before } from './before.ts'
import type { DeadLetters } from './dead-letters.ts'
import type { Evidence } from './evidence.ts'
import type { Findings } from './findings.ts'
import type { Installation } from './installation.ts'
import { plainAvro } from './plain-avro.ts'
import { explainAgain } from './recheck-reasons.ts'

const avro = {
  transaction: plainAvro<Transaction>('transaction.avsc'),
  decision: plainAvro<Decision>('decision.avsc'),
  alert: plainAvro<Alert>('alert.avsc'),
}

/** Unlike any that the live chunks have: states and decisions must not depend on where a chunk ends. */
const chunkSize = 777

/** What the transactions of one partition must have left behind. */
export interface Recomputed {
  /** Packed customer states by customer_id. */
  readonly customers: Map<string, Buffer>
  /** Transactions that count for merchants, terminals and devices, with the partition that they were decided in. */
  readonly counted: Arrival[]
  /** Transactions that the installation before this one answered. */
  history: number
  readonly figures: { decisions: number; alerts: number; duplicates: number; degraded: number }
}

interface Answer<T> {
  readonly value: T
  readonly record: LogRecord
}

/**
 * Goes through one partition of transactions from the first record, with states from empty, and compares what was
 * answered. Values of merchants, terminals and devices cross partitions and so depend on the moment: these columns
 * are taken as recorded. So is `degraded`, which says that a decision was made without states or without a score.
 */
export async function recheckDecisions(
  { records }: Evidence,
  installation: Installation,
  partition: number,
  letters: DeadLetters,
  findings: Findings,
  before = new Before(null),
): Promise<Recomputed> {
  const { topics, codec, active, trees } = installation
  const activeFor = activeAt(installation, records.control[0], findings)
  const topic = topics.transactions
  const answers = {
    decisions: readAnswers(records.decisions[partition], avro.decision.read, 'decision_id', findings),
    alerts: readAnswers(records.alerts[partition], avro.alert.read, 'alert_id', findings),
  }
  checkOrder(records.decisions[partition] ?? [], answers.decisions, findings)
  const figures = {
    decisions: sizeOf(answers.decisions),
    alerts: sizeOf(answers.alerts),
    duplicates: 0,
    degraded: 0,
  }
  const recomputed: Recomputed = { customers: new Map(), counted: [], history: 0, figures }
  const inputs = records.transactions[partition] ?? []
  for (let at = 0; at < inputs.length; at += chunkSize) {
    const chunk = inputs.slice(at, at + chunkSize)
    const checked = await checkRecords(codec, chunk)
    const arrivals: Arrival[] = []
    const history = new Map<number, AnswerBefore>()
    checked.forEach((one, i) => {
      const input = chunk[i] as LogRecord
      const id = `${topic}-${partition}-${input.offset}`
      const decided = answers.decisions.get(id)?.length ?? 0
      const total = decided + letters.count(topic, partition, input.offset)
      const answered = before.answerTo(input)
      if (answered !== null) {
        recomputed.history++
        history.set(input.offset, answered)
      }
      const all = total + (answered?.count ?? 0)
      if (all === 0) findings.add('lost', `${id} has neither a decision nor a dead letter`)
      if (all > 1) findings.add('doubled', `${id} was answered ${all} times`)
      letters.checkSkip(topic, partition, input, answered !== null, findings)
      if (answered === null) letters.check(topic, partition, input, one.ok ? null : one.rejection, findings)
      if (one.ok)
        arrivals.push({
          partition,
          offset: input.offset,
          transaction: avro.transaction.read(input.value),
        })
      else if (decided > 0)
        findings.add('changed', `${id} was decided, but must be refused: ${one.rejection.code}`)
    })
    await recheckChunk(
      { topic, partition, arrivals, answers, active, activeFor, trees, history },
      recomputed,
      findings,
    )
  }
  for (const kind of ['decisions', 'alerts'] as const) {
    for (const id of answers[kind].keys())
      findings.add('doubled', `${kind} have ${id}, which nothing asks for`)
  }
  return recomputed
}

interface ChunkToCheck {
  readonly topic: string
  readonly partition: number
  readonly arrivals: readonly Arrival[]
  readonly active: ActiveSet
  readonly activeFor: ActiveAt
  readonly trees: Installation['trees']
  /** By offset: what was answered before, and enters the states only. */
  readonly history: ReadonlyMap<number, AnswerBefore>
  /** What was answered; what has been compared is taken away. */
  readonly answers: {
    readonly decisions: Map<string, Answer<Decision>[]>
    readonly alerts: Map<string, Answer<Alert>[]>
  }
}

async function recheckChunk(chunk: ChunkToCheck, recomputed: Recomputed, findings: Findings): Promise<void> {
  const { active, answers, topic, partition } = chunk
  const enriched = enrich(
    chunk.arrivals,
    { customers: recomputed.customers, entities: new Map() },
    active.features,
    0,
  )
  for (const [customer, packed] of enriched.states) recomputed.customers.set(customer, packed)
  const vectors = withRecordedEntities(chunk, enriched.arrivals, enriched.rows)
  const { probabilities: scores, parts } = await active.model.score(vectors, enriched.arrivals.length)
  const width = active.features.names.length
  // What was approved against all reason differs in more than reasons.
  const which = [...scores.keys()].filter((row) => {
    const id = `${topic}-${partition}-${enriched.arrivals[row]?.offset}`
    const [first] = answers.decisions.get(id) ?? []
    return first?.value.status === 'scored' && (first.value.outcome !== 'approve' || answers.alerts.has(id))
  })
  const explained = await explainAgain(chunk, vectors, scores, which, findings)
  for (const [row, arrival] of enriched.arrivals.entries()) {
    const { offset, transaction, duplicateOf } = arrival
    const id = `${topic}-${partition}-${offset}`
    const answered = chunk.history.get(offset)
    if (answered !== undefined) {
      if (answered.status === 'degraded' || duplicateOf < 0)
        recomputed.counted.push({ partition: answered.partition, offset, transaction })
      continue
    }
    const recorded = answers.decisions.get(id) ?? []
    answers.decisions.delete(id)
    const [first] = recorded
    const lacks = first?.value.reasons.includes('DEGRADED_MODEL') ? 'model' : 'states'
    // Without states nobody can see that it is a duplicate; without a score everybody can.
    const degraded = first?.value.status === 'degraded' && (lacks === 'states' || duplicateOf < 0)
    if (degraded) recomputed.figures.degraded++
    else if (duplicateOf >= 0) recomputed.figures.duplicates++
    if (degraded || duplicateOf < 0) recomputed.counted.push({ partition, offset, transaction })
    const vector = vectors.subarray(row * width, (row + 1) * width)
    const active = chunk.activeFor(first?.value)
    const wanted = degraded
      ? degradedAnswer({ ...chunk, active }, arrival, lacks)
      : duplicateOf >= 0
        ? { decision: duplicate({ ...chunk, active }, arrival), alert: null }
        : scored(
            { ...chunk, active },
            arrival,
            vector,
            scores[row] as number,
            parts.map((of) => of[row] as number),
            explained.get(row) ?? null,
            first?.value,
          )
    compare(recorded, wanted.decision, avro.decision.write, `decision ${id}`, findings)
    const alerts = answers.alerts.get(id) ?? []
    answers.alerts.delete(id)
    const told = wanted.alert === null ? 0 : 1
    if (alerts.length < told) findings.add('lost', `${id} must have an alert and has none`)
    if (alerts.length > told)
      findings.add('doubled', `${id} must have ${told} alerts and has ${alerts.length}`)
    if (wanted.alert !== null) compare(alerts, wanted.alert, avro.alert.write, `alert ${id}`, findings)
  }
}

/** The recomputed rows, with the columns of merchant, terminal and device from what was recorded. */
function withRecordedEntities(
  { active, answers, topic, partition }: ChunkToCheck,
  arrivals: readonly EnrichedArrival[],
  rows: Float32Array,
): Float32Array {
  const { file, names } = active.features
  const merged = new Uint32Array(rows.buffer.slice(rows.byteOffset, rows.byteOffset + rows.byteLength))
  const kinds = new Set<string>(entityKinds)
  const shared = file.features.flatMap(({ entity }, column) => (kinds.has(entity) ? [column] : []))
  for (const [row, { duplicateOf, offset }] of arrivals.entries()) {
    const recorded = answers.decisions.get(`${topic}-${partition}-${offset}`)?.[0]?.value.features
    if (duplicateOf >= 0 || recorded?.length !== names.length * 4) continue
    for (const column of shared) merged[row * names.length + column] = recorded.readUInt32LE(column * 4)
  }
  return new Float32Array(merged.buffer)
}

function common({ topic, partition, active }: ChunkToCheck, { offset, transaction, late }: EnrichedArrival) {
  const { transaction_id, customer_id, event_time } = transaction
  return {
    decision_id: `${topic}-${partition}-${offset}`,
    transaction_id,
    customer_id,
    event_time,
    late,
    duplicate_of: null,
    feature_hash: active.features.hash,
    model: active.model.id,
    model_sha256: active.model.sha256,
    policy: active.policy.id,
    control_offset: active.controlOffset,
    rules: active.rules?.id ?? null,
    rules_hit: [],
    lists_hit: [],
    adjustment: 0,
    sca: null,
  }
}

function duplicate(chunk: ChunkToCheck, arrival: EnrichedArrival): Decision {
  const nothing = { outcome: null, score: null, risk_score: null, reasons: [], entity_age_ms: null }
  const duplicateOf = `${chunk.topic}-${chunk.partition}-${arrival.duplicateOf}`
  const features = Buffer.alloc(0)
  return { ...common(chunk, arrival), ...nothing, status: 'duplicate', duplicate_of: duplicateOf, features }
}

function degradedAnswer(
  chunk: ChunkToCheck,
  arrival: Arrival,
  lacks: 'states' | 'model',
): { decision: Decision; alert: Alert | null } {
  const { decisions, alerts } = decideDegraded({ ...chunk, arrivals: [arrival] }, chunk.active, lacks)
  return { decision: decisions[0] as Decision, alert: alerts[0] ?? null }
}

/** @param recorded gives what depends on the moment: how old the values of merchant, terminal and device were. */
function scored(
  chunk: ChunkToCheck,
  arrival: EnrichedArrival,
  vector: Float32Array,
  score: number,
  parts: readonly number[],
  explained: Explained | null,
  recorded: Decision | undefined,
): { decision: Decision; alert: Alert | null } {
  const { policy, model, entityAgeLimitMs } = chunk.active
  const risk_score = model.riskScore(score)
  const stale = recorded?.reasons.includes('ENTITY_VALUES_STALE') ?? false
  const features = Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength)
  const { transaction, late } = arrival
  const amount = amountOf(chunk.active.features, transaction)
  const facts = { transaction, features, amount, late, score, riskScore: risk_score, parts }
  const { outcome, rules, lists, adjustment, reasons: told, sca } = verdictOf(facts, chunk.active)
  const contributions = explained?.contributions ?? null
  const modelled = reasonsOf(policy, outcome, features, risk_score, stale, contributions)
  const own = told.length === 0 ? modelled : modelled.filter(({ code }) => code !== 'SCORE')
  const reasons = [...own.slice(0, stale ? 1 : 0), ...told, ...own.slice(stale ? 1 : 0)].slice(0, 4)
  const age = recorded?.entity_age_ms ?? null
  const entity_age_ms = age === null ? null : Math.max(0, Math.min(age, entityAgeLimitMs))
  const decision: Decision = {
    ...common(chunk, arrival),
    status: 'scored',
    outcome,
    score,
    risk_score,
    reasons: reasons.map(({ code }) => code),
    entity_age_ms,
    features,
    rules_hit: rules.map(({ id }) => id),
    lists_hit: lists.map(({ list, type }) => `${list}:${type}`),
    adjustment,
    sca,
  }
  const isAlert = policy.file.alert_on.includes(outcome) || lists.some(({ list }) => list === 'watch')
  return {
    decision,
    alert: isAlert ? alertOf(chunk.active, decision, arrival.transaction, reasons, parts, explained) : null,
  }
}

const amountOf = (features: CompiledFeatures, { amount_minor, currency }: Transaction): number =>
  (amount_minor * (currencyFactor(features, currency) as number)) / 100

function alertOf(
  { model, features, policy }: ActiveSet,
  decision: Decision,
  transaction: Transaction,
  reasons: readonly Reason[],
  parts: readonly number[],
  explained: Explained | null,
): Alert {
  const { decision_id: alert_id, outcome, score } = decision
  const risks = parts.map((part) => model.riskScore(part)).toSorted((a, b) => a - b)
  const amount = amountOf(features, transaction)
  const alert = {
    ...transaction,
    ...decision,
    alert_id,
    outcome: outcome as NonNullable<typeof outcome>,
    reasons,
    loss: (score as number) * amount,
    parts: model.parts.map((name, i) => ({ name, score: parts[i] as number })),
    disagreement: risks.length > 1 ? (risks.at(-1) as number) - (risks[0] as number) : null,
    base: explained?.base ?? null,
    contributions: explained === null ? [] : weightiest(features.names, decision.features, explained),
    narrative: '',
  }
  return { ...alert, narrative: narrate(alert, languageOf(policy.file)) }
}

/** Compares bytes; in words it names the fields. */
function compare<T extends object>(
  recorded: readonly Answer<T>[],
  wanted: T,
  write: (value: T) => Buffer,
  name: string,
  findings: Findings,
): void {
  const bytes = write(wanted)
  for (const { value, record } of recorded) {
    if (record.value?.equals(bytes)) continue
    const fields = (Object.keys(value) as (keyof T)[]).filter(
      (field) => JSON.stringify(value[field]) !== JSON.stringify(wanted[field]),
    )
    const [field] = fields
    const example =
      field === undefined
        ? ''
        : ` (${JSON.stringify(value[field])}, recomputed ${JSON.stringify(wanted[field])})`
    findings.add('changed', `${name}: ${fields.join(', ')}${example.slice(0, 300)}`)
  }
}

function readAnswers<T extends object>(
  records: readonly LogRecord[] = [],
  read: (value: Buffer | null) => T,
  id: keyof T,
  findings: Findings,
): Map<string, Answer<T>[]> {
  const answers = new Map<string, Answer<T>[]>()
  for (const record of records) {
    try {
      const value = read(record.value)
      const name = String(value[id])
      answers.set(name, [...(answers.get(name) ?? []), { value, record }])
    } catch (error) {
      findings.add(
        'changed',
        `the output at offset ${record.offset} cannot be read: ${(error as Error).message}`,
      )
    }
  }
  return answers
}

function checkOrder(
  records: readonly LogRecord[],
  answers: ReadonlyMap<string, readonly Answer<Decision>[]>,
  findings: Findings,
): void {
  const places = new Map(
    [...answers].flatMap(([id, all]) => all.map(({ record }) => [record.offset, id] as const)),
  )
  let last = -1
  for (const { offset } of records) {
    const id = places.get(offset)
    const place = Number(id?.slice(id.lastIndexOf('-') + 1))
    if (place < last) findings.add('changed', `decision ${id} comes after that of offset ${last}`)
    last = Math.max(last, place)
  }
}

const sizeOf = (answers: ReadonlyMap<string, readonly unknown[]>): number =>
  [...answers.values()].reduce((sum, all) => sum + all.length, 0)
