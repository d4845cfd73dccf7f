import { describe, expect, it } from 'vitest'
import type { MetricName } from '../../../src/core/evaluation/metrics.ts'
import { outcomes } from '../../../src/core/types.ts'
import { compared, metricOf } from '../../helpers/decision-tables.ts'
import { expected, fixtureTable } from '../../helpers/evaluation-fixture.ts'

const table = fixtureTable(1_000)
const comparison = compared(table, { blocking: false })
const sides = { champion: 'champion', challenger: 'candidate' } as const

/** Rows as objects and cents as BigInt, one filter after the other: nothing in common with what is tested. */
const payments = Array.from(table.eventTime, (time, row) => ({
  day: Math.floor(time / 86_400_000),
  cents: BigInt((table.amount[row] as number).toFixed(2).replace('.', '')),
  customer: table.customer[row] as number,
  fraud: table.fraud[row] === 1,
  champion: outcomes[table.candidates[0]?.outcome[row] as number],
  challenger: outcomes[table.candidates[1]?.outcome[row] as number],
}))
type Payment = (typeof payments)[number]
const worth = (some: readonly Payment[]) => Number(some.reduce((sum, { cents }) => sum + cents, 0n)) / 100

describe.each(['champion', 'challenger'] as const)('of the %s, on 1,000 rows', (name) => {
  const found = (metric: MetricName) => metricOf(comparison, metric)[sides[name]].value
  const stopped = (payment: Payment) => payment[name] !== 'approve'
  const frauds = payments.filter(({ fraud }) => fraud)
  const honest = payments.filter(({ fraud }) => !fraud)

  it.each([
    'fraud_value_caught',
    'fraud_value_missed',
    'good_value_declined',
    'good_value_challenged',
  ] as const)('%s is what was added up in decimals', (metric) =>
    expect(found(metric)?.toFixed(2)).toBe(expected.money[`${name}.${metric}`]),
  )

  it('is what a plain implementation says, to the cent', () => {
    expect(found('fraud_value_caught')).toBe(worth(frauds.filter(stopped)))
    expect(found('fraud_value_missed')).toBe(worth(frauds.filter((one) => !stopped(one))))
    expect(found('good_value_declined')).toBe(worth(honest.filter((one) => one[name] === 'decline')))
    expect(found('good_value_challenged')).toBe(
      worth(honest.filter((one) => one[name] === 'challenge' || one[name] === 'review')),
    )
    expect(found('value_detection_rate')).toBeCloseTo(worth(frauds.filter(stopped)) / worth(frauds), 12)
  })

  it('counts alerts and accounts as a plain implementation does', () => {
    const alerts = payments.filter((one) => one[name] === 'review' || one[name] === 'decline')
    const days = (payments.at(-1)?.day ?? 0) - (payments[0]?.day ?? 0) + 1
    expect(found('alert_rate')).toBe(alerts.length / 1_000)
    expect(found('alerts_per_day')).toBe(alerts.length / days)
    const defrauded = new Set(frauds.map(({ customer }) => customer))
    const bothered = new Set(payments.filter(stopped).map(({ customer }) => customer))
    const detected = [...bothered].filter((customer) => defrauded.has(customer)).length
    expect(found('account_detection_rate')).toBe(detected / defrauded.size)
    expect(found('account_false_positive_ratio')).toBe((bothered.size - detected) / detected)
    expect(found('insult_rate')).toBe(honest.filter(stopped).length / honest.length)
  })
})

describe('what the change does', () => {
  it('is what was added up in decimals', () => {
    const { newly_caught, newly_missed, newly_hit, newly_released } = comparison.changes
    expect(newly_caught.value.toFixed(2)).toBe(expected.money['challenger.only_fraud'])
    expect(newly_missed.value.toFixed(2)).toBe(expected.money['champion.only_fraud'])
    expect(newly_hit.value.toFixed(2)).toBe(expected.money['challenger.only_good'])
    expect(newly_released.value.toFixed(2)).toBe(expected.money['champion.only_good'])
  })

  it('is what the cells of the matrix say', () => {
    for (const { champion, candidate, payments: count, value, frauds } of comparison.matrix) {
      const cell = payments.filter((one) => one.champion === champion && one.challenger === candidate)
      expect([count, value]).toEqual([cell.length, worth(cell)])
      const stolen = cell.filter(({ fraud }) => fraud)
      expect(frauds).toEqual({ payments: stolen.length, value: worth(stolen) })
    }
  })
})
