import { readFileSync } from 'node:fs'
import { loadPolicy } from '../config/definitions.ts'
import { withThresholds } from '../config/policy-text.ts'
import { WeirError } from '../core/errors.ts'
import type { CostMatrix, Thresholds } from '../core/evaluation/costs.ts'
import type { CandidateColumns, DecisionTable } from '../core/evaluation/decision-table.ts'
import { judgedDays, type OperatingPoint, operatingPoint } from '../core/evaluation/operating-point.ts'
import { cheapest, costCurve, ledgerOf } from '../core/evaluation/thresholds.ts'
import { type Truth, truthAt } from '../core/evaluation/truth.ts'
import type { CompiledFeatures } from '../core/features/compile.ts'
import type { PolicyFile } from '../core/policy.ts'
import { writeWhole } from '../files/write-whole.ts'
import { readDecisionTable } from '../replay/decisions-table.ts'
import { readSummary } from '../replay/summary.ts'
import { cutOffOf, named } from './compare.ts'

export interface ThresholdRequest {
  /** Whose risk scores. */
  readonly candidate: string
  /** Its thresholds are those of now. */
  readonly policy: Pick<PolicyFile, 'thresholds' | 'alert_on'>
  readonly costs: CostMatrix
  /** Mean over days; Infinity where there is no limit. */
  readonly alertsPerDay: number
  /** Epoch milliseconds; null: those of the replay. */
  readonly labelsUntil: number | null
  readonly maturityDays: number
}

/** What `weir threshold --json` prints. Amounts in major units of the reference currency. */
export interface ThresholdProposal {
  readonly candidate: string
  readonly judged_until: string
  readonly payments: number
  readonly frauds: number
  readonly days: number
  readonly costs: CostMatrix
  readonly alert_on: PolicyFile['alert_on']
  /** null: no limit. */
  readonly alerts_per_day: number | null
  readonly now: OperatingPoint
  readonly proposed: OperatingPoint
  /** Without the limit: what each cut-off of review comes to with the best of the others, ascending. */
  readonly curve: readonly {
    readonly thresholds: Thresholds
    readonly cost_per_day: number
    readonly alerts_per_day: number
  }[]
}

/**
 * The cheapest thresholds for a replay, on payments that are old enough to be judged.
 *
 * @param folder what `weir replay --out` wrote.
 * @throws WeirError WEIR_CLI_INPUT where there is no finished replay or no payment is old enough, WEIR_CLI_USAGE where
 * the candidate is not in it or no thresholds keep to the alerts.
 */
export async function proposeThresholds(
  folder: string,
  request: ThresholdRequest,
): Promise<ThresholdProposal> {
  const summary = readSummary(folder)
  const names = summary.candidates.map(({ name }) => name)
  const name = named(request.candidate, names, folder)
  const labelsUntil = cutOffOf(summary, request.labelsUntil, folder)
  const table = await readDecisionTable(folder, summary.parts)
  const candidate = table.candidates.find((one) => one.name === name) as CandidateColumns
  return proposalOf(table, candidate, truthAt(table, labelsUntil, request.maturityDays), request)
}

function proposalOf(
  table: DecisionTable,
  candidate: CandidateColumns,
  truth: Truth,
  { policy, costs, alertsPerDay }: ThresholdRequest,
): ThresholdProposal {
  const { thresholds: present, alert_on: alertOn } = policy
  const days = judgedDays(table, truth)
  if (days === 0) {
    throw new WeirError('WEIR_CLI_INPUT', 'no payment is old enough to be judged', {
      cure: 'replay more history, or take a smaller --maturity-days or a later --labels-until',
    })
  }
  const ledger = ledgerOf(table, candidate, truth, costs, alertOn)
  const curve = (most: number) => costCurve(ledger, costs, alertOn, most, present)
  // A budget of 0.1 a day over 30 days is 3 alerts, which binary fractions must not turn into 2.
  const best = cheapest(curve(Math.floor(alertsPerDay * days + 1e-6)), present)
  if (best === null) throw tooFewAlerts(alertsPerDay, ledger.unscored.alerts / days)
  const pointAt = (thresholds: Thresholds) =>
    operatingPoint(table, candidate, truth, thresholds, costs, alertOn)
  return {
    candidate: candidate.name,
    judged_until: new Date(truth.judgedUntil).toISOString(),
    payments: truth.judged.filter((judged) => judged === 1).length,
    frauds: truth.fraud.filter((fraud, row) => fraud === 1 && truth.judged[row] === 1).length,
    days,
    costs,
    alert_on: alertOn,
    alerts_per_day: Number.isFinite(alertsPerDay) ? alertsPerDay : null,
    now: pointAt(present),
    proposed: pointAt(best.thresholds),
    curve: curve(Number.POSITIVE_INFINITY).map(({ thresholds, cost, alerts }) => ({
      thresholds,
      cost_per_day: cost / days,
      alerts_per_day: alerts / days,
    })),
  }
}

const tooFewAlerts = (allowed: number, unscored: number): WeirError =>
  new WeirError(
    'WEIR_CLI_USAGE',
    `no thresholds keep to ${allowed} alerts a day: ${unscored.toFixed(2)} a day come without a score, and alert_on may name approve`,
    { cure: 'allow more by --alerts-per-day, or take outcomes out of alert_on in the policy' },
  )

/**
 * Writes the policy file `from` with other thresholds to `to`, whole or not at all; it is loaded before it gets its name.
 *
 * @throws WeirError WEIR_POLICY_INVALID, WEIR_CLI_INPUT.
 */
export function writePolicy(
  to: string,
  from: string,
  thresholds: Thresholds,
  features: CompiledFeatures,
): void {
  const text = withThresholds(readFileSync(from, 'utf8'), thresholds)
  writeWhole(to, text, (staged) => void loadPolicy(staged, features))
}
