import type { Thresholds } from '../thresholds.ts'
import type { Outcome } from '../types.ts'
import type { CostMatrix } from './costs.ts'
import { type CurvePoint, cheapest, costCurve, curvePoint, type Ledger } from './thresholds.ts'

/** Thresholds for each of several ledgers. */
export interface Shared {
  /** By ledger. */
  readonly points: readonly CurvePoint[]
  readonly cost: number
  readonly alerts: number
  /** What one alert more would save, major units: the same for all ledgers. 0 where there are enough. */
  readonly alertPrice: number
  /** No thresholds that keep to the alerts cost less than this. */
  readonly leastCost: number
}

/**
 * Cheap thresholds for several ledgers that share a number of alerts.
 *
 * Alerts go where they save most: at the optimum no ledger could give one up for less than another would gain by it. So
 * there is one price of an alert, the Lagrange multiplier of the shared limit, and at that price each ledger can be
 * solved alone and exactly. For any price the solution is the best of all that use no more alerts than it does (Everett,
 * Generalized Lagrange multiplier method, Operations Research 11(3), 1963, theorem 1); the price at which the limit is
 * just kept is found by secants on the convex hull of alerts and cost. Between corners of that hull some alerts may be
 * left (Everett's gaps): they are given out ledger by ledger, each solved exactly within what the others leave, as long
 * as that helps. The Lagrangian at the last price bounds from below what any thresholds cost: `leastCost`.
 *
 * @param mostAlerts over all ledgers; Infinity where there is no limit.
 * @param start thresholds that keep to it when all ledgers have them; the result is no dearer.
 */
export function shareAlerts(
  ledgers: readonly Ledger[],
  costs: CostMatrix,
  alertOn: readonly Outcome[],
  mostAlerts: number,
  start: Thresholds,
): Shared {
  const at = (price: number): Total =>
    totalOf(
      ledgers.map((ledger) => {
        const curve = costCurve(ledger, costs, alertOn, Number.POSITIVE_INFINITY, start, price)
        const { thresholds } = cheapest(curve, start) as CurvePoint
        return curvePoint(ledger, costs, alertOn, thresholds)
      }),
    )
  let over = at(0)
  if (over.alerts <= mostAlerts) return { ...over, alertPrice: 0, leastCost: over.cost }
  const started = totalOf(ledgers.map((ledger) => curvePoint(ledger, costs, alertOn, start)))
  let within = started
  for (;;) {
    const alertPrice = Math.max(0, (within.cost - over.cost) / (over.alerts - within.alerts))
    const found = at(alertPrice)
    const least = found.cost + alertPrice * found.alerts
    const known = over.cost + alertPrice * over.alerts
    if (least >= known - 1e-9 * Math.abs(known)) {
      // A corner of the hull may use fewer alerts than the start and so cost more: from there is tried too.
      const [best] = [within, started]
        .map((from) => withTheRest(from, ledgers, costs, alertOn, mostAlerts, start))
        .sort((a, b) => a.cost - b.cost) as [Total, Total]
      return { ...best, alertPrice, leastCost: Math.min(best.cost, least - alertPrice * mostAlerts) }
    }
    if (found.alerts <= mostAlerts) within = found
    else over = found
  }
}

interface Total {
  readonly points: readonly CurvePoint[]
  readonly cost: number
  readonly alerts: number
}

function totalOf(points: readonly CurvePoint[]): Total {
  const sum = (of: (point: CurvePoint) => number) => points.reduce((total, point) => total + of(point), 0)
  return { points, cost: sum(({ cost }) => cost), alerts: sum(({ alerts }) => alerts) }
}

/** Each ledger in turn takes the alerts that the others leave, until none is better off. */
function withTheRest(
  from: Total,
  ledgers: readonly Ledger[],
  costs: CostMatrix,
  alertOn: readonly Outcome[],
  mostAlerts: number,
  start: Thresholds,
): Total {
  let best = from
  for (let improved = true; improved; ) {
    improved = false
    for (const [place, ledger] of ledgers.entries()) {
      const now = best.points[place] as CurvePoint
      const left = mostAlerts - (best.alerts - now.alerts)
      const point = cheapest(costCurve(ledger, costs, alertOn, left, start), start)
      if (point === null || point.cost >= now.cost - 1e-9 * Math.abs(now.cost)) continue
      best = totalOf(best.points.with(place, point))
      improved = true
    }
  }
  return best
}
