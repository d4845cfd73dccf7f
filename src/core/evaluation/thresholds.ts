import { outcomeAt, type Thresholds } from '../thresholds.ts'
import { type Outcome, outcomes } from '../types.ts'
import { type CostMatrix, costOf, costOfMany } from './costs.ts'
import type { CandidateColumns, DecisionTable } from './decision-table.ts'
import type { Judged } from './operating-point.ts'

/** Risk scores run from 0 to 999; a cut-off of 1,000 is beyond all of them: the outcome is never given. */
const cutOffs = 1_001

/** Payments by risk score, and those without one, whose outcome no threshold changes. */
export interface Ledger {
  readonly frauds: Float64Array
  readonly fraudAmount: Float64Array
  readonly honest: Float64Array
  readonly honestAmount: Float64Array
  readonly unscored: { readonly cost: number; readonly alerts: number }
}

/** The judged payments. */
export function ledgerOf(
  table: DecisionTable,
  candidate: CandidateColumns,
  truth: Judged,
  costs: CostMatrix,
  alertOn: readonly Outcome[],
): Ledger {
  const sums = () => new Float64Array(cutOffs - 1)
  const [frauds, fraudAmount, honest, honestAmount] = [sums(), sums(), sums(), sums()]
  const unscored = { cost: 0, alerts: 0 }
  for (let row = 0; row < table.rows; row++) {
    if (truth.judged[row] === 0) continue
    const score = candidate.riskScore[row] as number
    const fraud = truth.fraud[row] === 1
    const amount = table.amount[row] as number
    if (score < 0) {
      const outcome = outcomes[candidate.outcome[row] as number] as Outcome
      unscored.cost += costOf(costs, outcome, fraud, amount)
      if (alertOn.includes(outcome)) unscored.alerts++
      continue
    }
    const [number, amounts] = fraud ? [frauds, fraudAmount] : [honest, honestAmount]
    number[score] = (number[score] as number) + 1
    amounts[score] = (amounts[score] as number) + amount
  }
  return { frauds, fraudAmount, honest, honestAmount, unscored }
}

/** The cheapest thresholds of those that review from one cut-off on. */
export interface CurvePoint {
  readonly thresholds: Thresholds
  /** Of all payments of the ledger, major units. */
  readonly cost: number
  readonly alerts: number
}

/**
 * For each cut-off of review, ascending, the cheapest cut-offs of challenge and decline around it, where some keep to
 * the alerts allowed. The least of these is the least of all, exactly: of every challenge <= review <= decline that
 * decides payments differently one is looked at, but for those that cannot be cheaper than one that was. Cost and alerts
 * are a term for each cut-off, read from prefix sums.
 *
 * @param mostAlerts over all payments of the ledger; Infinity where there is no limit.
 * @param present of equally cheap thresholds the nearest to these are taken: no change that is worth nothing.
 * @param alertPrice what each alert costs on top, in major units: the costs of the points hold it.
 */
export function costCurve(
  ledger: Ledger,
  costs: CostMatrix,
  alertOn: readonly Outcome[],
  mostAlerts: number,
  present: Thresholds,
  alertPrice = 0,
): readonly CurvePoint[] {
  const alertsOf = (outcome: Outcome, frauds: number, honest: number) =>
    alertOn.includes(outcome) ? frauds + honest : 0
  const cost = terms(
    below(
      ledger,
      (...sums) =>
        (outcome) =>
          costOfMany(costs, outcome, ...sums) + alertPrice * alertsOf(outcome, sums[0], sums[2]),
    ),
  )
  const alert = terms(below(ledger, (frauds, _, honest) => (outcome) => alertsOf(outcome, frauds, honest)))
  const places = tellingCutOffs(ledger, present)
  const byCost = (of: Float64Array) => places.toSorted((a, b) => (of[a] as number) - (of[b] as number))
  const [challenges, declines] = [byCost(cost.challenge), byCost(cost.decline)]
  const leastAlerts = Math.min(...alert.challenge) + Math.min(...alert.decline)
  return places.flatMap((review) => {
    const above = declines.filter((decline) => decline >= review)
    const leastAbove = cost.decline[above[0] as number] as number
    const unscored = ledger.unscored.cost + alertPrice * ledger.unscored.alerts
    const baseCost = unscored + cost.end + (cost.review[review] as number)
    const baseAlerts = ledger.unscored.alerts + alert.end + (alert.review[review] as number)
    let best: CurvePoint | null = null
    if (baseAlerts + leastAlerts > mostAlerts) return []
    for (const challenge of challenges) {
      if (challenge > review) continue
      const partCost = baseCost + (cost.challenge[challenge] as number)
      const partAlerts = baseAlerts + (alert.challenge[challenge] as number)
      // Cheapest first: once one is too dear, so are all that follow.
      if (best !== null && partCost + leastAbove > best.cost) break
      for (const decline of above) {
        const total = partCost + (cost.decline[decline] as number)
        if (best !== null && total > best.cost) break
        const alerts = partAlerts + (alert.decline[decline] as number)
        if (alerts > mostAlerts) continue
        best = better(best, { thresholds: { challenge, review, decline }, cost: total, alerts }, present)
      }
    }
    return best === null ? [] : [best]
  })
}

/**
 * Cut-offs next to scores that occur, and the present ones: between two scores that occur it does not matter where a
 * cut-off is, and the nearest to the present is there or at an end.
 */
function tellingCutOffs({ frauds, honest }: Ledger, present: Thresholds): number[] {
  const kept = new Set([0, cutOffs - 1, ...Object.values(present)])
  const occurs = (score: number) => (frauds[score] ?? 0) + (honest[score] ?? 0) > 0
  return Array.from({ length: cutOffs }, (_, place) => place).filter(
    (place) => kept.has(place) || occurs(place) || occurs(place - 1),
  )
}

/** What thresholds come to. */
export function curvePoint(
  ledger: Ledger,
  costs: CostMatrix,
  alertOn: readonly Outcome[],
  thresholds: Thresholds,
): CurvePoint {
  let { cost, alerts } = ledger.unscored
  for (let score = 0; score + 1 < cutOffs; score++) {
    const outcome = outcomeAt(thresholds, score)
    const sums = sumsAt(ledger, score)
    cost += costOfMany(costs, outcome, ...sums)
    if (alertOn.includes(outcome)) alerts += sums[0] + sums[2]
  }
  return { thresholds, cost, alerts }
}

/** The point of least cost, the nearest to `present` of equal ones; null for an empty curve. */
export const cheapest = (curve: readonly CurvePoint[], present: Thresholds): CurvePoint | null =>
  curve.reduce<CurvePoint | null>((best, point) => better(best, point, present), null)

function better(best: CurvePoint | null, point: CurvePoint, present: Thresholds): CurvePoint {
  if (best === null || point.cost < best.cost) return point
  const nearer = distance(point.thresholds, present) < distance(best.thresholds, present)
  return point.cost === best.cost && nearer ? point : best
}

const distance = (a: Thresholds, b: Thresholds): number =>
  Math.abs(a.challenge - b.challenge) + Math.abs(a.review - b.review) + Math.abs(a.decline - b.decline)

type Sums = readonly [frauds: number, fraudAmount: number, honest: number, honestAmount: number]

const sumsAt = ({ frauds, fraudAmount, honest, honestAmount }: Ledger, score: number): Sums => [
  frauds[score] as number,
  fraudAmount[score] as number,
  honest[score] as number,
  honestAmount[score] as number,
]

/** For each outcome, what all payments below a cut-off would come to if they got it: prefix sums over risk scores. */
function below(
  ledger: Ledger,
  value: (...sums: Sums) => (outcome: Outcome) => number,
): Readonly<Record<Outcome, Float64Array>> {
  const prefixes = outcomes.map((outcome) => {
    const prefix = new Float64Array(cutOffs)
    for (let score = 0; score + 1 < cutOffs; score++) {
      prefix[score + 1] = (prefix[score] as number) + value(...sumsAt(ledger, score))(outcome)
    }
    return [outcome, prefix] as const
  })
  return Object.fromEntries(prefixes) as Record<Outcome, Float64Array>
}

/** A sum over the four bands of scores as one term for each cut-off between them, and one for the end. */
function terms({ approve, challenge, review, decline }: Readonly<Record<Outcome, Float64Array>>) {
  const minus = (lower: Float64Array, upper: Float64Array) =>
    lower.map((sum, cutOff) => sum - (upper[cutOff] as number))
  return {
    challenge: minus(approve, challenge),
    review: minus(challenge, review),
    decline: minus(review, decline),
    end: decline[cutOffs - 1] as number,
  }
}
