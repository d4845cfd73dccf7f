import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { SchemaElement } from 'hyparquet'
import { createParquet, text, timestamp } from '../adapters/parquet-file.ts'
import { sha256 } from '../config/definitions.ts'
import type { Decision, Transaction } from '../core/types.ts'
import type { Case } from '../core/verdict.ts'
import type { Candidate } from './candidates.ts'
import type { Sink, Truth } from './decided-chunk.ts'
import { outcomesWithout } from './outcomes-without.ts'

/** Rows of one file: held in memory until it is written. */
const partRows = 50_000

/** Of the transaction, as schemas/transaction.avsc has them. */
const transactionTexts = [
  'transaction_id',
  'customer_id',
  'currency',
  'type',
  'channel',
  'country',
  'mcc',
] as const
const optionalTexts: ReadonlySet<string> = new Set(['country', 'mcc'])

/** Rows that are not in a file yet, by column. */
interface Pending {
  readonly texts: Record<string, (string | null)[]>
  readonly times: bigint[]
  readonly amounts: number[]
  readonly duplicates: boolean[]
  readonly frauds: boolean[]
  readonly fraudTypes: (string | null)[]
  readonly knownTimes: (bigint | null)[]
  readonly before: (string | null)[]
  /** By candidate. */
  readonly scores: number[][]
  readonly riskScores: number[][]
  readonly outcomes: (string | null)[][]
  /** By candidate; nothing of those without rules. */
  readonly rulesHit: string[][]
  readonly outcomesWithout: string[][]
}

/** One of the files. */
export interface Part {
  readonly file: string
  readonly rows: number
  readonly sha256: string
}

/** Takes decisions, and tells in which files they are. */
export interface DecisionsFolder extends Sink {
  /** Those that are written. */
  parts(): readonly Part[]
}

interface FolderState {
  readonly parts: readonly Part[]
  readonly pending: Pending
}

/** Name of the n-th file, from 0. */
const partName = (part: number): string => `decisions-${String(part).padStart(5, '0')}.parquet`

/** Column of what labels said before the last change: null for the most. */
export const labelsBefore = 'label_before'

/** Columns of one candidate. */
export const candidateColumns = (name: string) => ({
  score: `${name}.score`,
  riskScore: `${name}.risk_score`,
  outcome: `${name}.outcome`,
  rulesHit: `${name}.rules_hit`,
  outcomesWithout: `${name}.outcomes_without`,
})

/** Of a candidate, for its columns. */
export type Ruled = Pick<Candidate, 'name' | 'rules'> & { readonly active: Case }

/**
 * The decisions of a replay as Parquet files of 50,000 rows: every payment once, with what became known of it and what
 * each candidate said. A score that there is not is NaN, a risk score -1. For candidates with rules also the rules that
 * hit, and the outcome that the payment would have without each of them, both joined by commas.
 *
 * @param state of a folder that is gone on with; null for a new one.
 */
export function createDecisionsFolder(
  folder: string,
  candidates: readonly Ruled[],
  state: unknown,
): DecisionsFolder {
  const begun = (state as FolderState | null) ?? { parts: [], pending: noRows(candidates.length) }
  const parts = [...begun.parts]
  let { pending } = begun
  const schema = schemaOf(candidates)

  function flush(): void {
    const file = partName(parts.length)
    const path = join(folder, file)
    const parquet = createParquet(path, { schema, createdBy: 'weir replay' })
    parquet.write(columnsOf(pending, candidates))
    parquet.finish()
    parts.push({ file, rows: pending.times.length, sha256: sha256(readFileSync(path)) })
    pending = noRows(candidates.length)
  }

  return {
    write({ arrivals, amounts, truths, decisions }) {
      for (const [i, { transaction }] of arrivals.entries()) {
        addPayment(pending, transaction, amounts[i] as number, truths[i] ?? null)
        pending.duplicates.push(decisions.some((ofCandidate) => ofCandidate[i]?.status === 'duplicate'))
        for (const [c, ofCandidate] of decisions.entries()) {
          const decision = ofCandidate[i] as Decision
          addVerdict(pending, c, decision)
          addRules(pending, c, decision, transaction, amounts[i] as number, candidates[c] as Ruled)
        }
        if (pending.times.length === partRows) flush()
      }
    },
    state: (): FolderState => ({ parts, pending }),
    parts: () => parts,
    close() {
      if (pending.times.length > 0 || parts.length === 0) flush()
    },
  }
}

function noRows(candidates: number): Pending {
  const lists = <T>(): T[][] => Array.from({ length: candidates }, () => [])
  return {
    texts: Object.fromEntries(transactionTexts.map((name) => [name, []])),
    times: [],
    amounts: [],
    duplicates: [],
    frauds: [],
    fraudTypes: [],
    knownTimes: [],
    before: [],
    scores: lists(),
    riskScores: lists(),
    outcomes: lists(),
    rulesHit: lists(),
    outcomesWithout: lists(),
  }
}

function addPayment(to: Pending, transaction: Transaction, amount: number, truth: Truth | null): void {
  for (const name of transactionTexts) to.texts[name]?.push(transaction[name])
  to.times.push(BigInt(transaction.event_time))
  to.amounts.push(amount)
  to.frauds.push(truth?.fraud ?? false)
  to.fraudTypes.push(truth?.fraud === true ? truth.fraud_type : null)
  to.knownTimes.push(truth === null ? null : BigInt(truth.observed_time))
  to.before.push(truth === null || truth.before.length === 0 ? null : shownBefore(truth))
}

/** What was held before, as JSON: `[[1767225600000,true]]`. */
const shownBefore = ({ before }: Truth): string =>
  JSON.stringify(before.map(({ observed_time, fraud }) => [observed_time, fraud]))

function addVerdict(to: Pending, candidate: number, { score, risk_score, outcome }: Decision): void {
  to.scores[candidate]?.push(score ?? Number.NaN)
  to.riskScores[candidate]?.push(risk_score ?? -1)
  to.outcomes[candidate]?.push(outcome)
}

function addRules(
  to: Pending,
  candidate: number,
  decision: Decision,
  transaction: Transaction,
  amount: number,
  { rules, active }: Ruled,
): void {
  if (rules === null) return
  to.rulesHit[candidate]?.push(decision.rules_hit.join())
  to.outcomesWithout[candidate]?.push(outcomesWithout(decision, transaction, amount, rules, active).join())
}

function schemaOf(candidates: readonly Ruled[]): SchemaElement[] {
  const columns: SchemaElement[] = [
    ...transactionTexts.map((name) => text(name, optionalTexts.has(name) ? 'OPTIONAL' : 'REQUIRED')),
    timestamp('event_time', 'REQUIRED'),
    { name: 'amount', type: 'DOUBLE', repetition_type: 'REQUIRED' },
    { name: 'duplicate', type: 'BOOLEAN', repetition_type: 'REQUIRED' },
    { name: 'fraud', type: 'BOOLEAN', repetition_type: 'REQUIRED' },
    text('fraud_type', 'OPTIONAL'),
    timestamp('label_known_time', 'OPTIONAL'),
    text(labelsBefore, 'OPTIONAL'),
    ...candidates.flatMap(({ name, rules }): SchemaElement[] => {
      const { score, riskScore, outcome, rulesHit, outcomesWithout } = candidateColumns(name)
      return [
        { name: score, type: 'DOUBLE', repetition_type: 'REQUIRED' },
        { name: riskScore, type: 'INT32', repetition_type: 'REQUIRED' },
        text(outcome, 'OPTIONAL'),
        ...(rules === null ? [] : [text(rulesHit, 'REQUIRED'), text(outcomesWithout, 'REQUIRED')]),
      ]
    }),
  ]
  return [{ name: 'decisions', num_children: columns.length }, ...columns]
}

function columnsOf(rows: Pending, candidates: readonly Ruled[]) {
  return [
    ...transactionTexts.map((name) => ({ name: name as string, data: rows.texts[name] ?? [] })),
    { name: 'event_time', data: rows.times },
    { name: 'amount', data: Float64Array.from(rows.amounts) },
    { name: 'duplicate', data: rows.duplicates },
    { name: 'fraud', data: rows.frauds },
    { name: 'fraud_type', data: rows.fraudTypes },
    { name: 'label_known_time', data: rows.knownTimes },
    { name: labelsBefore, data: rows.before },
    ...candidates.flatMap(({ name, rules }, c) => {
      const { score, riskScore, outcome, rulesHit, outcomesWithout } = candidateColumns(name)
      return [
        { name: score, data: Float64Array.from(rows.scores[c] ?? []) },
        { name: riskScore, data: Int32Array.from(rows.riskScores[c] ?? []) },
        { name: outcome, data: rows.outcomes[c] ?? [] },
        ...(rules === null
          ? []
          : [
              { name: rulesHit, data: rows.rulesHit[c] ?? [] },
              { name: outcomesWithout, data: rows.outcomesWithout[c] ?? [] },
            ]),
      ]
    }),
  ]
}
