import { describe, expect, it } from 'vitest'
import { metricNames, metrics } from '../../../src/core/evaluation/metrics.ts'
import { cutByField, cutByPeriod, split } from '../../../src/core/evaluation/slices.ts'
import { truthAt } from '../../../src/core/evaluation/truth.ts'
import { aDecisionTable, compared, metricOf, tableStart } from '../../helpers/decision-tables.ts'

const dayMs = 86_400_000
const at = (days: number) => tableStart + days * dayMs

describe('the cut-off', () => {
  const table = aDecisionTable({ rows: 400 })

  it('knows no label that came later', () => {
    const { labelled, fraud } = truthAt(table, at(5), 0)
    for (const row of table.eventTime.keys()) {
      const known = (table.labelKnownTime[row] as number) <= at(5)
      expect([labelled[row], fraud[row]]).toEqual([Number(known), known ? table.fraud[row] : 0])
    }
  })

  it('knows what was held then, where later labels changed it', () => {
    const row = table.fraud.indexOf(1)
    const known = table.labelKnownTime[row] as number
    const labelBefore = new Map([
      [
        row,
        [
          { knownTime: known - 20, fraud: true },
          { knownTime: known - 10, fraud: false },
        ],
      ],
    ])
    const changed = { ...table, labelBefore }
    const heldAt = (time: number) => {
      const { labelled, fraud } = truthAt(changed, time, 0)
      return [labelled[row], fraud[row]]
    }
    expect([known - 21, known - 20, known - 10, known].map(heldAt)).toEqual([
      [0, 0],
      [1, 1],
      [1, 0],
      [1, 1],
    ])
  })

  it('judges what was old enough by then, and counts decisions of all', () => {
    const { data, metrics: rows } = compared(table, { labelsUntil: at(9), maturityDays: 4 })
    const old = [...table.eventTime].filter((time) => time <= at(5)).length
    expect(data.judged.payments).toBe(old)
    expect(data.too_young.payments).toBe(400 - old)
    expect(data.judged_until).toBe(new Date(at(5)).toISOString())
    const alerts = table.candidates[0]?.outcome.filter((outcome) => outcome >= 2).length as number
    expect(metricOf({ metrics: rows }, 'alert_rate').champion.value).toBe(alerts / 400)
  })

  it('is the last thing that happened where nothing is said', () => {
    const known = [...table.labelKnownTime].filter((time) => !Number.isNaN(time))
    expect(truthAt(table, null, 0).labelsUntil).toBe(Math.max(...table.eventTime, ...known))
  })
})

describe('what cannot be said', () => {
  const needLabels = metricNames.filter((name) => metrics[name].needsLabels)

  it.each([
    ['no label', aDecisionTable({ fraudShare: 0, honestLabelled: 0 }), {}],
    ['nothing old enough', aDecisionTable(), { maturityDays: 400 }],
  ])('is null with %s, and decisions are counted', (_, table, options) => {
    const comparison = compared(table, options)
    for (const name of needLabels) {
      expect(metricOf(comparison, name).champion).toEqual({ value: null, interval: null, bounds: null })
    }
    expect(metricOf(comparison, 'alert_rate').champion.value).toBeGreaterThan(0)
    expect(metricOf(comparison, 'alerts_per_day').champion.interval).not.toBeNull()
  })

  it('is null for what needs both classes, where all is honest', () => {
    const comparison = compared(aDecisionTable({ fraudShare: 0, honestLabelled: 1 }))
    for (const name of ['auc_roc', 'average_precision', 'recall', 'value_detection_rate'] as const) {
      expect(metricOf(comparison, name).candidate.value).toBeNull()
    }
    expect(metricOf(comparison, 'accuracy').candidate.value).toBeGreaterThan(0.5)
    expect(comparison.curves.champion.roc.recall).toEqual([])
    expect(comparison.curves.champion.histogram.honest.reduce((a, b) => a + b)).toBe(1_000)
    expect(JSON.stringify(comparison)).not.toContain('NaN')
  })
})

describe('cuts', () => {
  it('are by ISO weeks from Monday, with the days that each covers', () => {
    const table = {
      ...aDecisionTable({ rows: 4 }),
      eventTime: Float64Array.from([at(-1), at(0), at(6.9), at(15)]),
    }
    const { parts, codes } = cutByPeriod(table, 'week')
    expect(parts.map(({ value, days }) => [value, days])).toEqual([
      ['2025-12-29', 1],
      ['2026-01-05', 7],
      ['2026-01-19', 2],
    ])
    expect([...codes]).toEqual([0, 1, 1, 2])
  })

  it('sum up the rarest of many values, and keep the order of rows', () => {
    const codes = Int32Array.from({ length: 200 }, (_, row) => Math.floor(Math.sqrt(row)))
    const table = aDecisionTable({ rows: 200 })
    const mcc = { values: Array.from({ length: 15 }, (_, i) => `m${i}`), codes }
    const cut = cutByField({ ...table, segments: { ...table.segments, mcc } }, 'mcc', truthAt(table, null, 0))
    expect(cut.parts).toHaveLength(12)
    expect(cut.parts[0]).toMatchObject({ value: 'm13', values: 1 })
    expect(cut.parts.at(-1)).toMatchObject({ value: null, values: 4 })
    const rows = split(Int32Array.from(codes.keys()), cut)
    expect(rows.map(({ length }) => length)).toEqual([27, 25, 23, 21, 19, 17, 15, 13, 11, 9, 7, 13])
    for (const part of rows) expect([...part]).toEqual([...part].toSorted((a, b) => a - b))
  })
})
