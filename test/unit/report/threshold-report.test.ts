import { expect, test } from 'vitest'
import type { ThresholdProposal } from '../../../src/apps/threshold.ts'
import { defaultCosts } from '../../../src/config/costs.ts'
import { dataOf } from '../../../src/core/evaluation/data.ts'
import type { CandidateColumns } from '../../../src/core/evaluation/decision-table.ts'
import { type OperatingPoint, operatingPoint } from '../../../src/core/evaluation/operating-point.ts'
import { type CurvePoint, cheapest, costCurve, ledgerOf } from '../../../src/core/evaluation/thresholds.ts'
import { truthAt } from '../../../src/core/evaluation/truth.ts'
import { fixed } from '../../../src/report/format.ts'
import { renderThresholdReport } from '../../../src/report/threshold-report.ts'
import { aDecisionTable } from '../../helpers/decision-tables.ts'
import { markupOf } from '../../helpers/markup.ts'

const present = { challenge: 450, review: 520, decline: 650 }

function proposal(): ThresholdProposal {
  const table = aDecisionTable()
  const [candidate] = table.candidates as [CandidateColumns]
  const truth = truthAt(table, null, 0)
  const alertOn = ['review', 'decline'] as const
  const ledger = ledgerOf(table, candidate, truth, defaultCosts, alertOn)
  const curve = costCurve(ledger, defaultCosts, alertOn, Number.POSITIVE_INFINITY, present)
  const { thresholds } = cheapest(curve, present) as CurvePoint
  const at = (one: typeof present): OperatingPoint =>
    operatingPoint(table, candidate, truth, { thresholds: one }, defaultCosts, alertOn)
  return {
    candidate: 'champion <b>',
    source: 'payments.csv',
    policy: '1.0.0#abcdef01',
    champion: 'champion <b>',
    data: dataOf(table, truth, new Int32Array(), { maturityDays: 0, currency: 'EUR' }),
    unscored: 0,
    settled: 0,
    days: 10,
    costs: defaultCosts,
    alert_on: alertOn,
    alerts_per_day: null,
    now: at(present),
    proposed: at(thresholds),
    segmented: null,
    curve: curve.map(({ thresholds, cost, alerts }) => ({
      thresholds,
      cost_per_day: cost / 10,
      alerts_per_day: alerts / 10,
    })),
  }
}

test('segments have a table of their own', () => {
  const made = proposal()
  const own = { challenge: 111, review: 222, decline: 333 }
  const segment = {
    name: 'channel_pos',
    when: { channel: ['pos'] },
    judged: 400,
    frauds: 40,
    thresholds: own,
  }
  const page = renderThresholdReport(
    {
      ...made,
      segmented: {
        by: 'channel',
        least_frauds: 30,
        segments: [segment],
        refused: [],
        rest: { judged: 50, frauds: 3, kept: true },
        proposed: { ...made.proposed, segments: [segment], cost_per_day: made.proposed.cost_per_day - 7.25 },
        alert_price: 1.5,
        least_cost_per_day: 0,
      },
    },
    [],
  )
  expect(markupOf(page).mistakes).toEqual([])
  expect(page).toContain('<h2>By channel</h2>')
  expect(page).toContain('7.25 EUR less than the proposal for all')
  expect(page).toMatch(
    /channel_pos<\/th>\s*<td>111<\/td>\s*<td>222<\/td>\s*<td>333<\/td>\s*<td>400<\/td>\s*<td>40<\/td>/,
  )
  expect(renderThresholdReport(made, [])).not.toContain('By channel')
})

test('a report of thresholds is well-formed, needs nothing from elsewhere, and has the figures', () => {
  const made = proposal()
  const page = renderThresholdReport(made, ['labels are <few>'])
  expect(markupOf(page).mistakes).toEqual([])
  expect(page).not.toMatch(/<script|https?:|NaN|undefined|Infinity/)
  expect(page.match(/<svg/g)).toHaveLength(2)
  expect(page).toContain('Thresholds for champion &lt;b&gt;')
  expect(page).toContain('<th scope="row">cost a day, EUR</th>')
  expect(page).toMatch(/would have cost [\d.,]+ EUR a day/)
  expect(page).toContain('labels are &lt;few&gt;')
  expect(page).toContain('payments.csv')
  for (const point of [made.now, made.proposed]) {
    expect(page).toContain(`<td>${point.thresholds.review}</td>`)
    expect(page).toContain(`<td>${fixed(point.cost_per_day, 2)}</td>`)
    expect(page).toContain(`<td>${point.worst_day.alerts}</td>`)
  }
  expect(renderThresholdReport(proposal(), ['labels are <few>'])).toBe(page)
})
