import { readFileSync } from 'node:fs'
import { loadPolicy, sha256 } from '../config/definitions.ts'
import { withCutOffs } from '../config/policy-text.ts'
import { WeirError } from '../core/errors.ts'
import type { ComparedData } from '../core/evaluation/comparison.ts'
import type { CostMatrix } from '../core/evaluation/costs.ts'
import { blockedWithoutOutcome, dataOf, unscoredOf } from '../core/evaluation/data.ts'
import type { CandidateColumns, DecisionTable } from '../core/evaluation/decision-table.ts'
import {
  judgedDays,
  type OperatingPoint,
  operatingPoint,
  withoutSettled,
} from '../core/evaluation/operating-point.ts'
import type { SegmentedBy, SegmentPart } from '../core/evaluation/segment-cut.ts'
import {
  proposeSegments,
  type SegmentProposal,
  type SegmentRequest,
} from '../core/evaluation/segment-proposal.ts'
import { cheapest, costCurve, ledgerOf } from '../core/evaluation/thresholds.ts'
import { type Truth, truthAt } from '../core/evaluation/truth.ts'
import type { CompiledFeatures } from '../core/features/compile.ts'
import { type PolicyFile, policyId } from '../core/policy.ts'
import type { CutOffs, Thresholds } from '../core/thresholds.ts'
import { writeWhole } from '../files/write-whole.ts'
import { readDecisionTable } from '../replay/decisions-table.ts'
import { type CandidateSummary, readSummary } from '../replay/summary.ts'
import { cutOffOf, defaultChampion, named } from './compare.ts'

export interface ThresholdRequest {
  /** Whose risk scores; the thresholds and alerts of now are those that it was replayed with. */
  readonly candidate: string
  readonly costs: CostMatrix
  /** Mean over days; Infinity where there is no limit. */
  readonly alertsPerDay: number
  /** Epoch milliseconds; null: those of the replay. */
  readonly labelsUntil: number | null
  readonly maturityDays: number
  /** What segments are proposed by; null: one set of thresholds for all. */
  readonly by: SegmentedBy | null
  /** A segment of which fewer frauds, or fewer honest payments, are known gets no thresholds of its own. */
  readonly leastFrauds: number
}

/** What `weir threshold --json` prints. Amounts in major units of the reference currency. */
export interface ThresholdProposal {
  readonly candidate: string
  /** What was replayed, and the policy that decided, as version#hash. */
  readonly source: string
  readonly policy: string
  /** Who is taken to have decided when history was made. */
  readonly champion: string
  readonly data: ComparedData
  /** Judged payments without a score: they keep the outcome that they had. */
  readonly unscored: number
  /** Judged payments whose outcome a list or a rule made: they keep it, too. */
  readonly settled: number
  /** UTC days from the first judged payment to the last, both included. */
  readonly days: number
  readonly costs: CostMatrix
  readonly alert_on: PolicyFile['alert_on']
  /** null: no limit. */
  readonly alerts_per_day: number | null
  readonly now: OperatingPoint
  readonly proposed: OperatingPoint
  /** The same by segment; null where that was not asked for. */
  readonly segmented: SegmentedThresholds | null
  /** Without the limit: what each cut-off of review comes to with the best of the others, ascending. */
  readonly curve: readonly {
    readonly thresholds: Thresholds
    readonly cost_per_day: number
    readonly alerts_per_day: number
  }[]
}

/** Thresholds by segment that share the alerts, beside the proposal for all. */
export interface SegmentedThresholds
  extends Pick<SegmentProposal, 'segments' | 'refused' | 'rest'>,
    Pick<SegmentRequest, 'by'> {
  readonly least_frauds: number
  readonly proposed: OperatingPoint
  /** What one alert more would save, the same in every segment; 0 where there are enough. */
  readonly alert_price: number
  /** No thresholds of these segments that keep to the alerts cost less a day: the proposal may be so far from the best. */
  readonly least_cost_per_day: number
}

/**
 * The cheapest thresholds for a replay, on payments that are old enough to be judged.
 *
 * @param folder what `weir replay --out` wrote.
 * @throws WeirError WEIR_CLI_INPUT where there is no finished replay or no payment is old enough, WEIR_CLI_USAGE where
 * the candidate is not in it, no thresholds keep to the alerts or no segment has enough frauds.
 */
export async function proposeThresholds(
  folder: string,
  request: ThresholdRequest,
): Promise<ThresholdProposal> {
  const summary = readSummary(folder)
  const names = summary.candidates.map(({ name }) => name)
  const name = named(request.candidate, names, folder)
  const replayed = summary.candidates.find((one) => one.name === name) as CandidateSummary
  const labelsUntil = cutOffOf(summary, request.labelsUntil, folder)
  const table = await readDecisionTable(folder, summary.parts)
  const columnsOf = (name: string) => table.candidates.find((one) => one.name === name) as CandidateColumns
  const champion = defaultChampion(names)
  const truth = truthAt(table, labelsUntil, request.maturityDays)
  const known = { maturityDays: request.maturityDays, currency: summary.currency }
  return {
    source: summary.source,
    champion,
    data: dataOf(table, truth, blockedWithoutOutcome(columnsOf(champion), truth), known),
    ...proposalOf(table, columnsOf(replayed.name), truth, replayed, request),
  }
}

function proposalOf(
  table: DecisionTable,
  replayed: CandidateColumns,
  truth: Truth,
  { policy, thresholds: present, segments, alert_on }: CandidateSummary,
  { costs, alertsPerDay, by, leastFrauds }: ThresholdRequest,
): Omit<ThresholdProposal, 'source' | 'champion' | 'data'> {
  const alertOn = alert_on as PolicyFile['alert_on']
  const days = judgedDays(table, truth)
  if (days === 0) {
    throw new WeirError('WEIR_CLI_INPUT', 'no payment is old enough to be judged', {
      cure: 'replay more history, or take a smaller --maturity-days or a later --labels-until',
    })
  }
  const cutOffs = { thresholds: present, ...(segments === undefined ? {} : { segments }) }
  const candidate = withoutSettled(table, replayed, cutOffs)
  const ledger = ledgerOf(table, candidate, truth, costs, alertOn)
  const curve = (most: number) => costCurve(ledger, costs, alertOn, most, present)
  // A budget of 0.1 a day over 30 days is 3 alerts, which binary fractions must not turn into 2.
  const mostAlerts = Math.floor(alertsPerDay * days + 1e-6)
  const best = cheapest(curve(mostAlerts), present)
  if (best === null) throw tooFewAlerts(alertsPerDay, ledger.unscored.alerts / days)
  const pointAt = (cutOffs: CutOffs) => operatingPoint(table, candidate, truth, cutOffs, costs, alertOn)
  const forAll = best.thresholds
  const segmentsBy = (by: SegmentedBy): SegmentedThresholds => {
    const request = { by, leastFrauds, costs, alertOn, mostAlerts, forAll }
    const found = proposeSegments(table, candidate, truth, request)
    if (!('cutOffs' in found)) throw tooFewFrauds(by, leastFrauds, found.refused)
    return {
      by,
      least_frauds: leastFrauds,
      segments: found.segments,
      refused: found.refused,
      rest: found.rest,
      proposed: pointAt(found.cutOffs),
      alert_price: found.alertPrice,
      least_cost_per_day: found.leastCost / days,
    }
  }
  return {
    candidate: candidate.name,
    policy,
    unscored: unscoredOf(candidate, truth),
    settled: truth.judged.filter(
      (mark, row) => mark === 1 && candidate.riskScore[row] !== replayed.riskScore[row],
    ).length,
    days,
    costs,
    alert_on: alertOn,
    alerts_per_day: Number.isFinite(alertsPerDay) ? alertsPerDay : null,
    now: pointAt(cutOffs),
    proposed: pointAt({ thresholds: forAll }),
    segmented: by === null ? null : segmentsBy(by),
    curve: curve(Number.POSITIVE_INFINITY).map(({ thresholds, cost, alerts }) => ({
      thresholds,
      cost_per_day: cost / days,
      alerts_per_day: alerts / days,
    })),
  }
}

/** @param unscored alerts a day that come without a score; where there are none, every outcome is an alert. */
const tooFewAlerts = (allowed: number, unscored: number): WeirError =>
  new WeirError(
    'WEIR_CLI_USAGE',
    `no thresholds keep to ${allowed} alerts a day: ${unscored > 0 ? `${unscored.toFixed(2)} a day come without a score` : 'alert_on of the policy names every outcome'}`,
    { cure: 'allow more by --alerts-per-day, or replay with a policy whose alert_on names fewer outcomes' },
  )

const tooFewFrauds = (by: SegmentedBy, least: number, refused: readonly SegmentPart[]): WeirError => {
  const known = refused.map(({ name, judged, frauds }) => `${name} ${frauds} of ${judged}`).join(', ')
  return new WeirError(
    'WEIR_CLI_USAGE',
    `no segment by ${by} has ${least} known frauds and as many honest payments${known === '' ? '' : `: ${known}`}`,
    { cure: 'replay more history with labels, or take a smaller --least-frauds' },
  )
}

/**
 * Writes the policy file `from` with other cut-offs to `to`, whole or not at all; it is loaded before it gets its name.
 *
 * @param replayed what decided in the replay.
 * @returns a warning where `from` is not the policy that was replayed, but for its cut-offs; else null.
 * @throws WeirError WEIR_POLICY_INVALID, WEIR_CLI_INPUT.
 */
export function writePolicy(
  to: string,
  from: string,
  cutOffs: CutOffs,
  features: CompiledFeatures,
  replayed: Pick<CandidateSummary, 'name' | 'policy'> & CutOffs,
): string | null {
  const { file, id } = loadPolicy(from, features)
  const text = withCutOffs(readFileSync(from, 'utf8'), cutOffs)
  writeWhole(to, text, (staged) => void loadPolicy(staged, features))
  const { segments: _, ...others } = file
  const { thresholds, segments } = replayed
  const alike = { ...others, thresholds, ...(segments === undefined ? {} : { segments }) }
  return policyId(alike, sha256) === replayed.policy
    ? null
    : `${from} is policy ${id}, not the ${replayed.policy} that ${replayed.name} was replayed with, and differs in more than thresholds`
}
