import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { WeirError } from '../core/errors.ts'
import { metricsAlone } from '../core/evaluation/compare.ts'
import type { CandidateColumns, DecisionTable } from '../core/evaluation/decision-table.ts'
import type { MetricName } from '../core/evaluation/metrics.ts'
import type { Segment, Thresholds } from '../core/thresholds.ts'
import type { Candidate } from './candidates.ts'
import type { Totals } from './counts.ts'
import type { Part } from './decisions-folder.ts'
import type { PassTally } from './pass.ts'

/** What `replay.json` holds. No clock in it: the same replay gives the same bytes. */
export interface ReplaySummary {
  readonly source: string
  readonly payments: number
  readonly duplicates: number
  readonly labels: number
  readonly rejected: number
  /** ISO 8601; null without a payment. */
  readonly first_event_time: string | null
  readonly last_event_time: string | null
  /** ISO 8601; null: all that the source has. */
  readonly labels_until: string | null
  readonly frauds: number
  /** ISO 4217: the reference currency of the features, in which all money is. */
  readonly currency: string
  readonly candidates: readonly CandidateSummary[]
  /** The files of decisions. */
  readonly parts: readonly Part[]
}

export interface CandidateSummary {
  readonly name: string
  readonly model: string
  readonly model_sha256: string
  readonly feature_hash: string
  readonly policy: string
  readonly thresholds: Thresholds
  /** Absent where the policy has none. */
  readonly segments?: readonly Segment[]
  readonly alert_on: readonly string[]
  /** version#hash, and what each rule does; null: no rules. */
  readonly rules: RulesSummary | null
  /** Payments by outcome, or by status where there is none. */
  readonly outcomes: Readonly<Record<string, number>>
  /** As docs/evaluation.md defines them, of all payments; null where there are too many to hold in memory. */
  readonly metrics: Metrics | null
}

export interface RulesSummary {
  readonly id: string
  readonly rules: readonly {
    readonly id: string
    readonly outcome: string | null
    readonly adjust: number
    readonly priority: number
  }[]
}

export type Metrics = Readonly<Record<MetricName, number | null>>

/** What a summary is made of. */
export interface Replayed {
  readonly source: string
  /** Epoch milliseconds. */
  readonly labelsUntil: number
  readonly candidates: readonly Candidate[]
  readonly tally: PassTally
  readonly totals: Totals
  readonly parts: readonly Part[]
  /** By candidate. */
  readonly metrics: readonly Metrics[] | null
}

export function summaryOf({
  source,
  labelsUntil,
  candidates,
  tally: { payments, labels, rejected, firstTime, lastTime },
  totals: { duplicates, frauds, outcomes },
  parts,
  metrics,
}: Replayed): ReplaySummary {
  const iso = (time: number) => (Number.isFinite(time) ? new Date(time).toISOString() : null)
  return {
    source,
    payments,
    duplicates,
    labels,
    rejected,
    first_event_time: iso(firstTime),
    last_event_time: iso(lastTime),
    labels_until: iso(labelsUntil),
    frauds,
    currency: (candidates[0] as Candidate).active.features.file.reference_currency,
    candidates: candidates.map(({ name, active: { model, features, policy }, rules }, c) => ({
      name,
      model: model.id,
      model_sha256: model.sha256,
      feature_hash: features.hash,
      policy: policy.id,
      thresholds: policy.file.thresholds,
      ...(policy.file.segments === undefined ? {} : { segments: policy.file.segments }),
      alert_on: policy.file.alert_on,
      rules:
        rules === null
          ? null
          : { id: rules.id, rules: [...rules.byId.values()].map(({ reason: _, ...rule }) => rule) },
      outcomes: Object.fromEntries(Object.entries(outcomes[c] ?? {}).toSorted()),
      metrics: metrics?.[c] ?? null,
    })),
    parts,
  }
}

/** By candidate. */
export function metricsOf(table: DecisionTable, candidates: readonly Candidate[]): Metrics[] {
  return candidates.map(({ active }, c) => {
    const columns = table.candidates[c] as CandidateColumns
    const rows = metricsAlone(table, { columns, alertOn: active.policy.file.alert_on })
    return Object.fromEntries(rows.map(({ metric, champion }) => [metric, champion.value])) as Metrics
  })
}

/** @throws WeirError WEIR_CLI_INPUT when the folder holds no finished replay. */
export function readSummary(folder: string): ReplaySummary {
  const path = join(folder, 'replay.json')
  if (!existsSync(path)) {
    throw new WeirError('WEIR_CLI_INPUT', `${folder} holds no finished replay`, {
      cure: 'weir replay SOURCE --out FOLDER makes one; one that was stopped goes on with --resume',
    })
  }
  try {
    const summary = JSON.parse(readFileSync(path, 'utf8')) as Partial<ReplaySummary>
    if (!Array.isArray(summary.candidates) || !Array.isArray(summary.parts)) {
      throw new Error('it is of another release')
    }
    return summary as ReplaySummary
  } catch (cause) {
    throw new WeirError('WEIR_CLI_INPUT', `${path} cannot be read: ${(cause as Error).message}`, {
      cure: 'replay again',
      cause,
    })
  }
}
