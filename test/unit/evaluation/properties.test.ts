import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cardPrecision, createCardDays } from '../../../src/core/evaluation/card-precision.ts'
import { metricsAlone } from '../../../src/core/evaluation/compare.ts'
import type { CandidateColumns } from '../../../src/core/evaluation/decision-table.ts'
import { metricNames } from '../../../src/core/evaluation/metrics.ts'
import { createRanking, rank, rankMetrics } from '../../../src/core/evaluation/ranking.ts'
import { drawCustomers, once, percentileInterval } from '../../../src/core/evaluation/resamples.ts'
import { cutByPeriod } from '../../../src/core/evaluation/slices.ts'
import { aDecisionTable, compared, metricOf } from '../../helpers/decision-tables.ts'

/** Payments of few customers with few scores, so that there are ties of every kind. */
const rankings = fc
  .array(fc.record({ score: fc.integer({ min: 0, max: 6 }), fraud: fc.boolean(), customer: fc.nat(4) }), {
    minLength: 2,
    maxLength: 40,
  })
  .map((payments) => ({
    score: Float64Array.from(payments, ({ score }) => score / 6),
    fraud: Uint8Array.from(payments, ({ fraud }) => Number(fraud)),
    customer: Int32Array.from(payments, ({ customer }) => customer),
    rows: Int32Array.from(payments.keys()),
  }))
const weights = fc.uint8Array({ minLength: 5, maxLength: 5, max: 3 })

describe('ranking', () => {
  it('has the complement as its AUC when the scores are negated', () => {
    fc.assert(
      fc.property(rankings, weights, ({ score, fraud, customer, rows }, weight) => {
        const aucOf = (scores: Float64Array) =>
          rankMetrics(createRanking(rank(rows, scores), scores, customer, fraud), weight).aucRoc
        const [auc, negated] = [aucOf(score), aucOf(score.map((one) => -one))]
        if (Number.isNaN(auc)) expect(negated).toBeNaN()
        else expect(auc + negated).toBeCloseTo(1, 12)
      }),
    )
  })

  it('counts a customer with weight n as n customers with the same payments', () => {
    fc.assert(
      fc.property(rankings, weights, ({ score, fraud, customer, rows }, weight) => {
        const weighted = rankMetrics(createRanking(rank(rows, score), score, customer, fraud), weight)
        const copies = [...rows].flatMap(
          (row) => Array(weight[customer[row] as number]).fill(row) as number[],
        )
        const pick = (of: Float64Array | Uint8Array) => copies.map((row) => of[row] as number)
        const copied = Float64Array.from(pick(score))
        const all = Int32Array.from(copies.keys())
        const plain = rankMetrics(
          createRanking(
            rank(all, copied),
            copied,
            new Int32Array(copies.length),
            Uint8Array.from(pick(fraud)),
          ),
          once(1),
        )
        expect(weighted.scored).toBe(plain.scored)
        if (Number.isNaN(plain.aucRoc)) expect(weighted.aucRoc).toBeNaN()
        else {
          expect(weighted.aucRoc).toBeCloseTo(plain.aucRoc, 12)
          expect(weighted.averagePrecision).toBeCloseTo(plain.averagePrecision, 12)
        }
      }),
    )
  })

  it('leaves out what has no score', () => {
    const score = Float64Array.from([0.2, Number.NaN, 0.9, 0.2])
    expect([...rank(Int32Array.from([0, 1, 2, 3]), score)]).toEqual([2, 0, 3])
  })
})

describe('card precision', () => {
  it('leaves a customer out once found, and is back to a clean slate for the next resample', () => {
    const day = 86_400_000
    const table = {
      ...aDecisionTable({ rows: 4 }),
      customer: Int32Array.from([0, 1, 0, 1]),
      eventTime: Float64Array.from([0, 1, day, day + 1]),
    }
    const fraud = Uint8Array.from([1, 0, 1, 1])
    const ranked = Int32Array.from([0, 2, 1, 3])
    const days = createCardDays(ranked, { table, byDay: cutByPeriod(table, 'day'), customers: 2 }, fraud)
    const found = new Uint8Array(2)
    // First day: customer 0 is found. Second day: only customer 1 is left, and is found.
    expect(cardPrecision(days, 1, once(2), found)).toBe(1)
    expect([...found]).toEqual([0, 0])
    expect(cardPrecision(days, 2, once(2), found)).toBe(0.5)
    // Customer 0 drawn twice fills both places of the first day.
    expect(cardPrecision(days, 2, Uint8Array.from([2, 0]), found)).toBe(0.5)
  })
})

describe('resamples', () => {
  it('draw as many customers as there are, the same by seed', () => {
    const drawn = drawCustomers(50, 30, 7)
    expect(drawn.map((one) => one.reduce((sum, weight) => sum + weight, 0))).toEqual(Array(30).fill(50))
    expect(drawCustomers(50, 30, 7)).toEqual(drawn)
    expect(drawCustomers(50, 30, 8)).not.toEqual(drawn)
  })

  it('give the percentiles that NumPy gives', () => {
    // numpy.percentile(range(1, 11), [2.5, 97.5]); values without one are left out.
    const values = Float64Array.from([3, 1, 2, 10, 9, 8, 4, 5, 6, 7, Number.NaN])
    const [low, high] = percentileInterval(values) ?? []
    expect(low).toBeCloseTo(1.225, 12)
    expect(high).toBeCloseTo(9.775, 12)
    expect(percentileInterval(Float64Array.from([1, Number.NaN, Number.NaN]))).toBeNull()
  })

  it('cover the truth about as often as they say', () => {
    // The mean recall of this world, from 60 tables, lies in the interval of most of them.
    const tables = Array.from({ length: 60 }, (_, seed) =>
      compared(aDecisionTable({ seed: seed + 1, rows: 500, customers: 120 }), {
        resamples: 60,
        by: [],
        period: 'week',
      }),
    )
    const recalls = tables.map((comparison) => metricOf(comparison, 'recall').champion)
    const truth = recalls.reduce((sum, { value }) => sum + (value as number), 0) / 60
    const covered = recalls.filter(
      ({ interval }) => interval !== null && interval[0] <= truth && truth <= interval[1],
    )
    expect(covered.length).toBeGreaterThanOrEqual(52)
    expect(covered.length).toBeLessThan(60)
  })
})

it('of no payment every metric is null', () => {
  const nothing = aDecisionTable({ rows: 0 })
  const [columns] = nothing.candidates as [CandidateColumns]
  const rows = metricsAlone(nothing, { columns, alertOn: [] })
  expect(rows.map(({ metric, champion }) => [metric, champion.value])).toEqual(
    metricNames.map((name) => [name, null]),
  )
})

describe('a comparison', () => {
  const some = fc.record({
    seed: fc.nat(1_000),
    rows: fc.integer({ min: 1, max: 300 }),
    customers: fc.integer({ min: 1, max: 40 }),
    days: fc.integer({ min: 1, max: 60 }),
  })

  it('is the same for the same seed, byte for byte', () => {
    const table = aDecisionTable()
    const again = JSON.stringify(compared(table, { seed: 5 }))
    expect(JSON.stringify(compared(table, { seed: 5 }))).toBe(again)
    expect(JSON.stringify(compared(table, { seed: 6 }))).not.toBe(again)
  })

  it('has a matrix that sums to the rows, and slices that sum to the whole', () => {
    fc.assert(
      fc.property(some, (options) => {
        const { matrix, data, segments, periods } = compared(aDecisionTable(options), { resamples: 0 })
        const sum = (parts: readonly { payments: number }[]) =>
          parts.reduce((total, { payments }) => total + payments, 0)
        expect(sum(matrix)).toBe(options.rows)
        expect(sum(periods.slices)).toBe(options.rows)
        for (const { field, slices } of segments) {
          expect(sum(slices)).toBe(field === 'fraud_type' ? data.frauds.payments : options.rows)
        }
      }),
      { numRuns: 30 },
    )
  })

  it('has bounds that contain the value, and no width where every label is known', () => {
    fc.assert(
      fc.property(some, (options) => {
        for (const honestLabelled of [0.1, 1]) {
          const { metrics, data } = compared(aDecisionTable({ ...options, honestLabelled }), {
            by: [],
            resamples: 0,
          })
          if (honestLabelled === 1) expect(data.blocked_without_outcome.payments).toBe(0)
          for (const { champion, candidate, difference } of metrics) {
            for (const { value, bounds } of [champion, candidate, difference]) {
              if (value === null || bounds === null) continue
              expect(bounds[0]).toBeLessThanOrEqual(value)
              expect(bounds[1]).toBeGreaterThanOrEqual(value)
              if (honestLabelled === 1) expect(bounds).toEqual([value, value])
            }
          }
        }
      }),
      { numRuns: 30 },
    )
  })

  it('has bounds of counts that no outcome of the blocked payments exceeds', () => {
    const counted = ['recall', 'precision', 'f1', 'accuracy', 'insult_rate', 'value_detection_rate'] as const
    const table = aDecisionTable({ rows: 600, customers: 60, seed: 3, levels: 1_000 })
    const { metrics, data } = compared(table, { by: [], resamples: 0 })
    expect(data.blocked_without_outcome.payments).toBeGreaterThan(1)
    const unknown = [...table.eventTime.keys()].filter(
      (row) => table.candidates[0]?.outcome[row] === 3 && Number.isNaN(table.labelKnownTime[row]),
    )
    fc.assert(
      fc.property(
        fc.array(fc.boolean(), { minLength: unknown.length, maxLength: unknown.length }),
        (frauds) => {
          const [fraud, labelKnownTime] = [table.fraud.slice(), table.labelKnownTime.slice()]
          unknown.forEach((row, i) => {
            fraud[row] = Number(frauds[i])
            labelKnownTime[row] = table.eventTime[row] as number
          })
          const told = compared({ ...table, fraud, labelKnownTime }, { by: [], resamples: 0 })
          for (const name of counted) {
            for (const side of ['champion', 'candidate'] as const) {
              const [low, high] = metricOf({ metrics }, name)[side].bounds ?? [0, 0]
              const value = metricOf(told, name)[side].value as number
              expect(value).toBeGreaterThanOrEqual(low - 1e-12)
              expect(value).toBeLessThanOrEqual(high + 1e-12)
            }
          }
        },
      ),
      { numRuns: 50 },
    )
  })

  it('is nothing against itself', () => {
    const table = aDecisionTable()
    const [champion] = table.candidates
    if (champion === undefined) throw new Error('no champion')
    const { metrics, changes } = compared({ ...table, candidates: [champion, champion] })
    for (const { difference } of metrics) {
      expect([difference.value, difference.interval, difference.bounds]).toEqual([0, [0, 0], [0, 0]])
    }
    expect(Object.values(changes).every(({ payments }) => payments === 0)).toBe(true)
    expect(metrics.map(({ metric }) => metric)).toEqual(metricNames)
  })
})
