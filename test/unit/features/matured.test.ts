import { expect, test } from 'vitest'
import { sha256 } from '../../../src/config/definitions.ts'
import { deltasAlone, enrich } from '../../../src/core/enrich.ts'
import { compileFeatures } from '../../../src/core/features/compile.ts'
import {
  type FeatureDefinition,
  type FeatureFile,
  maturedAggregates,
} from '../../../src/core/features/definition.ts'
import { byEntity, fold } from '../../../src/core/fold.ts'
import { applyLabels } from '../../../src/core/labels.ts'
import type { Label, Transaction } from '../../../src/core/types.ts'
import { aLabel } from '../../helpers/contracts.ts'
import { past } from '../../helpers/entity-values.ts'
import {
  arrivals,
  at,
  day,
  hour,
  last,
  midnight,
  minute,
  shipped,
  unknownEntities,
} from '../../helpers/feature-values.ts'

const amount: FeatureDefinition = {
  name: 'amount',
  entity: 'transaction',
  value: 'amount',
  description: 'For tests.',
}

/** Windows of a day and of ten, payments mature after two, all in tiles of an hour. From 100.00 on they are odd. */
const file: FeatureFile = {
  ...shipped.file,
  entities: {
    ...shipped.file.entities,
    tiles: { '24h': '1h', '10d': '1h' },
    odd: { feature: 'amount', at_least: 100 },
  },
  features: [
    ...maturedAggregates.flatMap((aggregate): FeatureDefinition[] =>
      ['24h', '10d'].map((window) => ({
        name: `${aggregate}_${window}`,
        entity: 'merchant',
        aggregate,
        window,
        delay: '2d',
        description: 'For tests.',
      })),
    ),
    amount,
  ],
}
const features = compileFeatures(file, sha256)

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

/** The frauds not odd of a run of payments, each an hour after the one before, which all turned out to be fraud. */
function usualOf(payments: readonly Partial<Transaction>[], alone = false): number | undefined {
  const chunk = arrivals(payments.map((payment, i) => ({ ...payment, event_time: midnight + i * hour })))
  const deltas = alone
    ? deltasAlone(chunk, features)
    : enrich(chunk, { customers: new Map(), entities: unknownEntities(chunk) }, features, minute).deltas
  const reports = chunk.map(({ transaction }) => fraud(transaction.event_time))
  const updates = [{ deltas }, { deltas: applyLabels(reports, new Map(), features).deltas }]
  const folded = fold(byEntity(updates), new Map(), features)
  const values = new Map(folded.map(([key, packed]) => [key, { packed, ageMs: 0 }]))
  const found = last(at(midnight + 5 * day), features, values)
  expect(found['fraud_run_10d']).toBe(payments.length)
  return found['fraud_run_usual_10d']
}

test('frauds of a run are usual unless their payments were odd, or could not be told', () => {
  const [usual, odd] = [{ amount_minor: 9_999 }, { amount_minor: 10_000 }]
  const euros = { currency: 'EUR' }
  const run = [usual, odd, odd, usual, usual].map((payment) => ({ ...payment, ...euros }))
  expect(usualOf(run)).toBe(3)
  expect(usualOf(run.slice(1, 3))).toBe(0)
  expect(usualOf(run, true)).toBe(0)
})

test('which payments are odd is part of what the states mean, and must be told where it is needed', () => {
  const layoutOf = (odd: FeatureFile['entities']['odd'], more: readonly FeatureDefinition[] = []) =>
    compileFeatures(
      { ...file, entities: { ...file.entities, odd }, features: [...more, ...file.features] },
      sha256,
    ).layoutHash
  expect(layoutOf({ feature: 'amount', at_least: 100 }, [{ ...amount, name: 'other' }])).toBe(
    features.layoutHash,
  )
  expect(layoutOf({ feature: 'amount', at_least: 101 })).not.toBe(features.layoutHash)
  expect(layoutOf({ feature: 'hour', at_least: 100 }, [{ ...amount, name: 'hour', value: 'hour' }])).not.toBe(
    features.layoutHash,
  )
  expect(() => layoutOf(undefined)).toThrow(
    'feature file: fraud_run_usual_24h leaves odd payments out, but entities.odd does not say which those are',
  )
  for (const feature of ['amuont', 'fraud_run_24h']) {
    expect(() => layoutOf({ feature, at_least: 1 })).toThrow(
      `feature file: entities.odd has ${feature}, which is no feature of a transaction or customer`,
    )
  }
})

test('a feature file without matured windows keeps what it kept before', () => {
  expect(shipped.entity).not.toHaveProperty('paymentFrauds')
  expect(shipped.entity).not.toHaveProperty('oddPayments')
  expect(shipped.hash).toBe('c5b5b5c9074543b5')
  const delta = (layout: typeof features) =>
    past(at(midnight), [fraud(midnight)], layout).get('merchant:m-1')?.packed?.length
  expect(delta(features)).not.toBe(delta(shipped))
  const tiers = [{ tileMs: hour, tiles: 12 * 24 + 1 }]
  expect(features.entity).toMatchObject({ tiers, paymentFrauds: tiers[0] })
})
