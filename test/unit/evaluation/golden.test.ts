import { describe, expect, it } from 'vitest'
import type { MetricName } from '../../../src/core/evaluation/metrics.ts'
import { createRanking, rank, rankMetrics } from '../../../src/core/evaluation/ranking.ts'
import { compared, metricOf } from '../../helpers/decision-tables.ts'
import { expected, fixtureTable } from '../../helpers/evaluation-fixture.ts'

const table = fixtureTable()
const comparison = compared(table, { cards: expected.cards, blocking: false, resamples: 0 })
const names = ['champion', 'challenger'] as const
const sides = { champion: 'champion', challenger: 'candidate' } as const

describe.each(names)('metrics of the %s', (name) => {
  const { plain, weighted } = expected[name]

  it.each(Object.entries(plain).filter(([, value]) => value !== null))(
    '%s is that of scikit-learn to 1e-9',
    (metric, value) => {
      const found = metricOf(comparison, metric as MetricName)[sides[name]].value as number
      expect(Math.abs(found - (value as number))).toBeLessThan(1e-9)
    },
  )

  it('ranks weighted payments as scikit-learn does', () => {
    const { score } = table.candidates.find((one) => one.name === name) as (typeof table.candidates)[number]
    const rows = Int32Array.from(table.eventTime.keys())
    const ranking = createRanking(rank(rows, score), score, table.customer, table.fraud)
    const { aucRoc, averagePrecision } = rankMetrics(
      ranking,
      Uint8Array.from({ length: 240 }, (_, who) => who % 4),
    )
    expect(Math.abs(aucRoc - (weighted['auc_roc'] as number))).toBeLessThan(1e-9)
    expect(Math.abs(averagePrecision - (weighted['average_precision'] as number))).toBeLessThan(1e-9)
  })
})

it('compares card precision with a value, and average precision with ties', () => {
  expect(expected.challenger.plain['card_precision']).toBeGreaterThan(0.1)
  expect(new Set(table.candidates[0]?.score).size).toBeLessThan(200)
})

describe('curves', () => {
  const { roc, precision_recall } = comparison.curves.champion
  const near = (a: number, b: number) => Math.abs(a - b) < 1e-9

  it('runs from none to all, through points of the ROC curve of scikit-learn', () => {
    const all = expected.champion.roc
    const isThere = (x: number, y: number) =>
      all.recall.some((recall, i) => near(recall, y) && near(all.false_positive_rate[i] as number, x))
    expect(roc.recall.length).toBeGreaterThan(20)
    expect([
      roc.recall[0],
      roc.false_positive_rate[0],
      roc.recall.at(-1),
      roc.false_positive_rate.at(-1),
    ]).toEqual([0, 0, 1, 1])
    roc.recall.forEach((y, i) => {
      expect(isThere(roc.false_positive_rate[i] as number, y)).toBe(true)
    })
  })

  it('keeps points of the precision-recall curve of scikit-learn', () => {
    const all = expected.champion.precision_recall
    expect(precision_recall.recall.length).toBeGreaterThan(20)
    precision_recall.recall.forEach((x, i) => {
      const y = precision_recall.precision[i] as number
      expect(all.recall.some((recall, j) => near(recall, x) && near(all.precision[j] as number, y))).toBe(
        true,
      )
    })
  })
})
