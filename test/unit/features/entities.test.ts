import { describe, expect, test } from 'vitest'
import { sha256 } from '../../../src/config/definitions.ts'
import { deltasAlone, type EntityValue, enrich } from '../../../src/core/enrich.ts'
import { compileFeatures } from '../../../src/core/features/compile.ts'
import { byEntity, fold } from '../../../src/core/fold.ts'
import type { Label, Transaction } from '../../../src/core/types.ts'
import { aLabel } from '../../helpers/contracts.ts'
import { past } from '../../helpers/entity-values.ts'
import { everyAggregate } from '../../helpers/feature-files.ts'
import {
  arrivals,
  at,
  day,
  hour,
  last,
  midnight,
  minute,
  seen,
  shipped,
  unknownEntities,
} from '../../helpers/feature-values.ts'

const noon = midnight + 12 * hour

const now = (values: Map<string, EntityValue>, event_time: number, features = shipped) =>
  last(at(event_time), features, values)

test('entity windows are of whole tiles, the current one included', () => {
  const count = (time: number) => now(past(at(noon)), time)
  expect(count(noon + hour - 1)['merchant_count_1h']).toBe(1)
  expect(count(noon + hour)['merchant_count_1h']).toBe(0)
  expect(count(noon + day - 1)['merchant_count_24h']).toBe(1)
  expect(count(noon + day)['merchant_count_24h']).toBe(0)
  // Later within the same tile of 10 minutes counts, later tiles do not.
  expect(now(past(at(noon + minute)), noon)['merchant_count_1h']).toBe(1)
  expect(now(past(at(noon + 10 * minute)), noon)['merchant_count_1h']).toBe(0)
})

test('entity amounts: mean and ratio over everybody', () => {
  const values = past([
    { event_time: noon, amount_minor: 1000, customer_id: 'c-8' },
    { event_time: noon, amount_minor: 3000, customer_id: 'c-9' },
  ])
  const features = last([{ event_time: noon, amount_minor: 5000 }], shipped, values)
  expect(features).toMatchObject({ merchant_mean_7d: 20, merchant_ratio_7d: 2.5 })
})

test('updates of chunks may be folded in any order', () => {
  const updates = [
    { deltas: deltasAlone(arrivals(at(noon)), shipped) },
    { deltas: deltasAlone(arrivals(at(noon - 40 * day)), shipped) },
    { deltas: deltasAlone(arrivals([{ event_time: noon, customer_id: 'c-2' }]), shipped) },
  ]
  const states = (order: typeof updates) => new Map(fold(byEntity(order), new Map(), shipped))
  expect(states(updates.toReversed())).toEqual(states(updates))
})

test("a chunk's own earlier events are seen at once, those of other chunks when they are folded", () => {
  const [, second] = seen([{ event_time: noon }, { event_time: noon, customer_id: 'c-2' }])
  expect(second?.features).toMatchObject({ merchant_count_1h: 1, device_customers: 1 })
  expect(now(past([]), noon)['merchant_count_1h']).toBe(0)
  expect(now(past(at(noon - minute)), noon)['merchant_count_1h']).toBe(1)
})

test('distinct customers are exact up to most_customers and stay there', () => {
  const customers = (count: number) =>
    Array.from({ length: count * 2 }, (_, i) => ({ customer_id: `c-${i % count}`, event_time: noon }))
  const distinct = (count: number) => now(past(customers(count)), noon)['device_customers']
  expect([0, 1, 7, 8, 9, 30].map(distinct)).toEqual([0, 1, 7, 8, 8, 8])
})

test('a value that is too old is missing, flagged, and its age is not given; so is one that could not be had', () => {
  const values = past(at(noon))
  const stale = new Map([...values].map(([key, { packed }]) => [key, { packed, ageMs: minute + 1 }]))
  for (const unusable of [stale, new Map()]) {
    const [arrival] = seen(at(noon), shipped, unusable)
    expect(arrival).toMatchObject({ stale: true, entityAgeMs: null })
    expect(arrival?.features).toMatchObject({
      merchant_count_1h: Number.NaN,
      merchant_fraud_rate_7d: Number.NaN,
      device_customers: Number.NaN,
    })
  }
  const limit = new Map([...values].map(([key, { packed }]) => [key, { packed, ageMs: minute }]))
  expect(seen(at(noon), shipped, limit)[0]).toMatchObject({ stale: false, entityAgeMs: minute })
})

test('without a terminal or device their features are missing, which is no fault', () => {
  const [arrival] = seen([{ event_time: noon, terminal_id: null, device_id: null }])
  expect(arrival).toMatchObject({ stale: false, entityAgeMs: 0 })
  expect(arrival?.features).toMatchObject({
    terminal_count_24h: Number.NaN,
    terminal_fraud_rate_30d: Number.NaN,
    device_count_1h: Number.NaN,
    device_customers: Number.NaN,
  })
})

test('what a chunk adds does not depend on whether values could be read', () => {
  const chunk = arrivals([
    { event_time: noon },
    { event_time: noon + 11 * minute, customer_id: 'c-2' },
    { event_time: noon, terminal_id: 't-1' },
  ])
  const added = (entities: Map<string, EntityValue>) =>
    fold(byEntity([enrich(chunk, { customers: new Map(), entities }, shipped, minute)]), new Map(), shipped)
  expect(added(new Map())).toEqual(added(unknownEntities(chunk)))
  expect(fold(byEntity([{ deltas: deltasAlone(chunk, shipped) }]), new Map(), shipped)).toEqual(
    added(new Map()),
  )
})

describe('fraud labels', () => {
  const fraud = (observed_time: number, changes: Partial<Label> = {}) =>
    aLabel({ observed_time, effective_time: noon - 50 * day, ...changes })
  const rate = (labels: Label[], time: number, payments: Partial<Transaction>[] = []) =>
    now(past(payments, labels), time)['merchant_fraud_rate_7d']
  const one = Math.fround(1 / 10)

  test('count on the day of observed_time, never of effective_time or of the payment', () => {
    expect(rate([fraud(noon)], noon + 3 * day)).toBe(one)
    expect(rate([fraud(noon, { effective_time: noon - 3 * day })], noon)).toBe(0)
  })

  test('count in the last whole days that had ended by event_time - delay', () => {
    expect(rate([fraud(noon)], midnight + 2 * day - 1)).toBe(0)
    expect(rate([fraud(noon)], midnight + 2 * day)).toBe(one)
    expect(rate([fraud(noon)], midnight + 9 * day - 1)).toBe(one)
    expect(rate([fraud(noon)], midnight + 9 * day)).toBe(0)
  })

  test('per payment of the same days, as if there had been 10 good ones more', () => {
    const payments = at(noon, noon + hour, midnight - 1, midnight + day)
    expect(rate([fraud(noon)], midnight + 2 * day, payments)).toBe(Math.fround(1 / 13))
  })

  test('of a transaction, the latest in log order counts', () => {
    const time = noon + 5 * day
    const said = (...all: [days: number, fraud: boolean][]) =>
      rate(
        all.map(([days, isFraud]) => fraud(noon + days * day, { fraud: isFraud })),
        time,
      )
    expect(said([0, true], [1, true])).toBe(one)
    expect(said([0, true], [1, false])).toBe(0)
    expect(said([0, false])).toBe(0)
    expect(said([0, true], [1, false], [2, true])).toBe(one)
  })

  test('taken back within a window whose report lies before it: not below zero', () => {
    const labels = [fraud(noon - 10 * day), fraud(noon, { fraud: false })]
    expect(rate(labels, noon + 3 * day)).toBe(0)
  })

  test('are seen at the merchant, the terminal and the device that the label names', () => {
    const values = past([], [fraud(noon, { terminal_id: 't-1' })])
    const features = last([{ event_time: noon + 3 * day, terminal_id: 't-1' }], shipped, values)
    expect(features).toMatchObject({ merchant_fraud_rate_30d: one, terminal_fraud_rate_30d: one })
    const elsewhere = last([{ event_time: noon + 3 * day, merchant_id: 'm-2' }], shipped, values)
    expect(elsewhere['merchant_fraud_rate_30d']).not.toBe(one)
  })

  test('fraud_count is the number itself', () => {
    const features = compileFeatures(everyAggregate, sha256)
    const values = past(at(noon), [fraud(noon), fraud(noon, { transaction_id: 'tx-2' })], features)
    expect(now(values, midnight + 4 * day, features)['merchant_fraud_count_14d']).toBe(2)
  })
})
