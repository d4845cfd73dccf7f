import { expect, test } from 'vitest'
import { sha256 } from '../../../src/config/definitions.ts'
import { compileFeatures } from '../../../src/core/features/compile.ts'
import { type FeatureDefinition, maturedAggregates } from '../../../src/core/features/definition.ts'
import type { Label } from '../../../src/core/types.ts'
import { aLabel } from '../../helpers/contracts.ts'
import { past } from '../../helpers/entity-values.ts'
import { at, day, hour, last, midnight, minute, shipped } from '../../helpers/feature-values.ts'

/** Windows of a day and of ten, payments mature after two, all in tiles of an hour. */
const features = compileFeatures(
  {
    ...shipped.file,
    entities: { ...shipped.file.entities, tiles: { '24h': '1h', '10d': '1h' } },
    features: maturedAggregates.flatMap((aggregate): FeatureDefinition[] =>
      ['24h', '10d'].map((window) => ({
        name: `${aggregate}_${window}`,
        entity: 'merchant',
        aggregate,
        window,
        delay: '2d',
        description: 'For tests.',
      })),
    ),
  },
  sha256,
)

let labels = 0

/** Fraud of a payment at a time, known an hour later. */
const fraud = (effective_time: number, changes: Partial<Label> = {}): Label =>
  aLabel({
    transaction_id: `tx-${labels++}`,
    effective_time,
    observed_time: effective_time + hour,
    ...changes,
  })

/** What is known at a time of payments made at other times, and of which labels. */
const known = (time: number, payments: readonly number[], reports: readonly Label[] = []) =>
  last(at(time), features, past(at(...payments), reports, features))

test('matured windows cover whole tiles that had ended by event_time - delay', () => {
  const paid = midnight + 30 * minute
  const count = (time: number) => known(time, [paid], [fraud(paid)])['matured_fraud_count_24h']
  expect(count(midnight + hour + 2 * day - 1)).toBe(0)
  expect(count(midnight + hour + 2 * day)).toBe(1)
  expect(count(midnight + hour + 3 * day - 1)).toBe(1)
  expect(count(midnight + hour + 3 * day)).toBe(0)
})

test('a report counts by when the payment was made, once it is folded', () => {
  const time = midnight + 5 * day
  const late = fraud(midnight, { observed_time: midnight + 4 * day })
  expect(known(time, [midnight], [late])).toMatchObject({
    matured_fraud_count_10d: 1,
    time_since_fraud_10d: 5 * 86_400,
  })
  expect(known(time, [midnight])['matured_fraud_count_10d']).toBe(0)
})

test('a report taken back is as if it had never been', () => {
  const time = midnight + 5 * day
  const report = fraud(midnight)
  const back = { ...report, fraud: false, observed_time: midnight + 4 * day }
  expect(known(time, [midnight], [report, back])).toEqual(known(time, [midnight]))
})

test('the matured rate is of the payments of the same tiles', () => {
  const time = midnight + 5 * day
  const payments = [midnight, midnight + hour, midnight + 2 * hour, midnight + 4 * day]
  expect(known(time, payments, [fraud(midnight)])['matured_fraud_rate_10d']).toBe(Math.fround(1 / 3))
  expect(known(time, payments)).toMatchObject({ matured_count_10d: 3, matured_fraud_rate_10d: 0 })
  expect(known(time, [midnight + 4 * day])['matured_fraud_rate_10d']).toBeNaN()
})

test('frauds reported early are seen, and payments that have not matured are not taken for good', () => {
  const time = midnight + 5 * day
  const [first, second, third] = [midnight, time - day, time - 2 * hour] as const
  expect(known(time, [first, second, third], [fraud(first), fraud(second)])).toMatchObject({
    matured_fraud_count_10d: 1,
    time_since_fraud_10d: 86_400,
    time_since_good_10d: Number.NaN,
    fraud_run_10d: 2,
    fraud_run_age_10d: 5 * 86_400,
  })
})

test('a run of frauds ends with a tile that has a good payment', () => {
  const time = midnight + 5 * day
  const [a, b, c] = [midnight, midnight + hour, midnight + 3 * hour] as const
  expect(known(time, [a, b, c], [fraud(a), fraud(c)])).toMatchObject({
    fraud_run_10d: 1,
    fraud_run_age_10d: (time - c) / 1000,
    time_since_good_10d: (time - b) / 1000,
  })
  expect(known(time, [a, c, c + minute], [fraud(a), fraud(c)])).toMatchObject({
    fraud_run_10d: 0,
    time_since_fraud_10d: (time - c) / 1000,
    time_since_good_10d: (time - c) / 1000,
  })
})

test('without fraud there is no time since it, and no run', () => {
  expect(known(midnight + 5 * day, [midnight + minute])).toMatchObject({
    matured_fraud_count_10d: 0,
    time_since_fraud_10d: Number.NaN,
    time_since_good_10d: 5 * 86_400,
    fraud_run_10d: 0,
    fraud_run_age_10d: Number.NaN,
  })
})

test('a feature file without matured windows keeps what it kept before', () => {
  expect(shipped.entity).not.toHaveProperty('paymentFrauds')
  expect(shipped.hash).toBe('c5b5b5c9074543b5')
  const delta = (layout: typeof features) =>
    past(at(midnight), [fraud(midnight)], layout).get('merchant:m-1')?.packed?.length
  expect(delta(features)).not.toBe(delta(shipped))
  const tiers = [{ tileMs: hour, tiles: 12 * 24 + 1 }]
  expect(features.entity).toMatchObject({ tiers, paymentFrauds: tiers[0] })
})
