import type { CutOffs, Segment, Thresholds } from '../thresholds.ts'
import type { Outcome } from '../types.ts'
import type { CostMatrix } from './costs.ts'
import type { CandidateColumns, DecisionTable } from './decision-table.ts'
import type { Judged } from './operating-point.ts'
import { cutSegments, type SegmentedBy, type SegmentPart } from './segment-cut.ts'
import { shareAlerts } from './shared-alerts.ts'
import { type CurvePoint, curvePoint, ledgerOf } from './thresholds.ts'

/** A segment with the thresholds that are proposed for it. */
export type ProposedSegment = SegmentPart & Segment

/** Thresholds by segment for the same costs and alerts. Amounts in major units, over all payments. */
export interface SegmentProposal {
  readonly cutOffs: CutOffs
  readonly segments: readonly ProposedSegment[]
  /** Too few frauds, or honest payments, are known of these: they are among the rest. */
  readonly refused: readonly SegmentPart[]
  /** What is in no segment; kept: too few are known of it, too, and it has the thresholds proposed for all. */
  readonly rest: { readonly judged: number; readonly frauds: number; readonly kept: boolean }
  /** What one alert more would save; 0 where there are enough. */
  readonly alertPrice: number
  readonly cost: number
  /** No thresholds of these segments that keep to the alerts cost less. */
  readonly leastCost: number
}

export interface SegmentRequest {
  readonly by: SegmentedBy
  /** A segment of which fewer frauds, or fewer honest payments, are known is refused. */
  readonly leastFrauds: number
  readonly costs: CostMatrix
  readonly alertOn: readonly Outcome[]
  /** Over all judged payments; Infinity where there is no limit. */
  readonly mostAlerts: number
  /** What is proposed for all; it keeps to the alerts. */
  readonly forAll: Thresholds
}

/** null where no segment is left. */
export function proposeSegments(
  table: DecisionTable,
  candidate: CandidateColumns,
  truth: Judged,
  { by, leastFrauds, costs, alertOn, mostAlerts, forAll }: SegmentRequest,
): SegmentProposal | { readonly segments: readonly []; readonly refused: readonly SegmentPart[] } {
  const { parts, codes } = cutSegments(table, truth, by, leastFrauds)
  const known = ({ judged, frauds }: Pick<SegmentPart, 'judged' | 'frauds'>) =>
    frauds >= leastFrauds && judged - frauds >= leastFrauds
  const [taken, refused] = [parts.filter(known), parts.filter((part) => part.judged > 0 && !known(part))]
  if (taken.length === 0) return { segments: [], refused }
  const places = new Int32Array(parts.length).fill(-1)
  for (const [place, part] of taken.entries()) places[parts.indexOf(part)] = place
  const placeOf = (row: number) => places[codes[row] as number] ?? -1
  const ledgerAt = (place: number) => {
    const judged = truth.judged.map((mark, row) => (mark === 1 && placeOf(row) === place ? 1 : 0))
    return ledgerOf(table, candidate, { ...truth, judged }, costs, alertOn)
  }
  const rest = restOf(truth, placeOf)
  const kept = !known(rest)
  const restLedger = ledgerAt(-1)
  const keptPoint = kept ? curvePoint(restLedger, costs, alertOn, forAll) : { cost: 0, alerts: 0 }
  const ledgers = [...taken.keys()].map(ledgerAt).concat(kept ? [] : [restLedger])
  const shared = shareAlerts(ledgers, costs, alertOn, mostAlerts - keptPoint.alerts, forAll)
  const thresholdsAt = (place: number) => (shared.points[place] as CurvePoint).thresholds
  const segments = taken.map((part, place) => ({ ...part, thresholds: thresholdsAt(place) }))
  return {
    cutOffs: {
      thresholds: kept ? forAll : thresholdsAt(taken.length),
      segments: segments.map(({ name, when, thresholds }) => ({ name, when, thresholds })),
    },
    segments,
    refused,
    rest: { ...rest, kept },
    alertPrice: shared.alertPrice,
    cost: shared.cost + keptPoint.cost,
    leastCost: shared.leastCost + keptPoint.cost,
  }
}

function restOf({ judged, fraud }: Judged, placeOf: (row: number) => number) {
  const counts = { judged: 0, frauds: 0 }
  for (let row = 0; row < judged.length; row++) {
    if (judged[row] === 0 || placeOf(row) >= 0) continue
    counts.judged++
    counts.frauds += fraud[row] as number
  }
  return counts
}
