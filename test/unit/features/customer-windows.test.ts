import { expect, test } from 'vitest'
import { enrich } from '../../../src/core/enrich.ts'
import { validateTransaction } from '../../../src/core/validate.ts'
import { aTransaction } from '../../helpers/contracts.ts'
import {
  arrivals,
  at,
  day,
  hour,
  last,
  midnight,
  minute,
  second,
  seen,
  shipped,
  unknownEntities,
} from '../../helpers/feature-values.ts'

const noon = midnight + 12 * hour

test('a transaction does not see itself', () => {
  const { features } = seen(at(noon))[0] as { features: Record<string, number> }
  expect(features).toMatchObject({
    customer_count_24h: 0,
    customer_count_30d: 0,
    customer_total_count: 0,
    first_merchant: 1,
    merchant_count_1h: 0,
    device_customers: 0,
  })
})

test('records that come later in the log are not seen, whatever their event_time', () => {
  const alone = last(at(noon))
  const [first] = seen(at(noon, noon - second, noon, noon + second))
  expect(first?.features).toEqual(alone)
})

test('a window of up to 24h covers (t - W, t], exact to the millisecond', () => {
  expect(last(at(noon - 10 * minute, noon))['customer_count_10m']).toBe(0)
  expect(last(at(noon - 10 * minute + 1, noon))['customer_count_10m']).toBe(1)
  expect(last(at(noon - day, noon))['customer_count_24h']).toBe(0)
  expect(last(at(noon - day + 1, noon))['customer_count_24h']).toBe(1)
})

test('of equal event_times the one earlier in the log is seen by the later', () => {
  const [first, tied] = seen(at(noon, noon))
  expect(first?.features['customer_count_1m']).toBe(0)
  expect(tied?.features['customer_count_1m']).toBe(1)
  expect(tied?.late).toBe(false)
})

test('a window of up to 24h sees no more than the most_events latest', () => {
  const burst = Array.from({ length: 80 }, (_, i) => noon + i * second)
  expect(last(at(...burst))['customer_count_24h']).toBe(64)
})

test('keep_events are kept whatever their age, others until the latest event_time is 24h on', () => {
  const old = Array.from({ length: 12 }, (_, i) => noon + i)
  const isKept = (latest: number, i: number) =>
    seen([...at(...old, latest), { transaction_id: `tx-${i}` }]).at(-1)?.duplicateOf === i
  const threeDaysOn = old.map((_, i) => isKept(noon + 3 * day, i))
  expect(threeDaysOn).toEqual([false, false, false, ...Array<boolean>(9).fill(true)])
  expect(isKept(noon + day - 1, 0)).toBe(true)
  expect(isKept(noon + day, 0)).toBe(false)
  expect(isKept(noon + day, 1)).toBe(true)
})

test('a window beyond 24h covers whole tiles, the current one included', () => {
  expect(last(at(midnight, midnight + 7 * day - 1))['customer_count_7d']).toBe(1)
  expect(last(at(midnight, midnight + 7 * day))['customer_count_7d']).toBe(0)
  // Six days and a millisecond: as little as a 7d window covers.
  expect(last(at(midnight - 1, midnight + 6 * day))['customer_count_7d']).toBe(0)
})

test('the tiles of a 30d window are 5 days long, counted from 1970-01-01', () => {
  const tile = 5 * day
  const start = Math.floor(noon / tile) * tile
  expect(last(at(start, start + 6 * tile - 1))['customer_count_30d']).toBe(1)
  expect(last(at(start, start + 6 * tile))['customer_count_30d']).toBe(0)
})

test('a tile is kept while it is among the last of its window up to the newest ever seen', () => {
  // The event of ten days before is late, but within reach of the newest; the one of 60 days before is not.
  const late = last(at(noon, noon - 10 * day, noon - 60 * day, noon))
  expect(late).toMatchObject({ customer_count_30d: 2, customer_total_count: 3 })
  // Its own tile does not exist, so the second event of that time does not see the first.
  expect(last(at(noon, noon - 60 * day, noon - 60 * day))['customer_count_30d']).toBe(0)
})

test('a late event is flagged, and sees nothing later than itself in windows of up to 24h', () => {
  const result = seen(at(noon, noon + hour, noon + minute))
  expect(result.map(({ late }) => late)).toEqual([false, false, true])
  expect(result[2]?.features).toMatchObject({ customer_count_1h: 1, customer_count_24h: 1 })
})

test('a late event sees whole tiles up to its own', () => {
  const nextDay = midnight + day + hour
  expect(last(at(noon, noon + hour, nextDay, noon + minute))['customer_count_7d']).toBe(2)
})

test('a late event leaves the latest time alone: times since are never negative', () => {
  const result = seen(at(noon, noon - hour, noon + hour))
  expect(result[1]?.features).toMatchObject({ customer_time_since_last: 0, customer_age: 0 })
  expect(result[2]?.features).toMatchObject({ customer_time_since_last: 3600, customer_age: 3600 })
})

test('an event too far from its record is refused before it reaches a state', () => {
  const limits = { eventTimePastMs: day, eventTimeFutureMs: minute }
  const refused = (event_time: number) => {
    const checked = validateTransaction(aTransaction({ event_time }), noon, limits)
    return checked.ok ? null : checked.rejection.code
  }
  expect(refused(noon + minute)).toBeNull()
  expect(refused(noon + minute + 1)).toBe('WEIR_RECORD_EVENT_TIME')
  expect(refused(noon - day)).toBeNull()
  expect(refused(noon - day - 1)).toBe('WEIR_RECORD_EVENT_TIME')
})

test('a duplicate names the first, has no features and changes no state', () => {
  const once = arrivals(at(noon, noon + second))
  const twice = [
    ...once,
    { partition: 0, offset: 9, transaction: aTransaction({ transaction_id: 'tx-0', amount_minor: 5 }) },
  ]
  const run = (chunk: typeof once) =>
    enrich(chunk, { customers: new Map(), entities: unknownEntities(chunk) }, shipped, minute)
  const [plain, repeated] = [run(once), run(twice)]
  expect(repeated.arrivals[2]).toMatchObject({ duplicateOf: 0 })
  expect(repeated.states).toEqual(plain.states)
  expect(repeated.deltas).toEqual(plain.deltas)
  const row = (of: typeof plain, i: number) =>
    [...of.rows].slice(i * shipped.names.length).slice(0, shipped.names.length)
  expect([row(repeated, 0), row(repeated, 1)]).toEqual([row(plain, 0), row(plain, 1)])
  expect(row(repeated, 2)).toEqual(shipped.names.map(() => Number.NaN))
})

test('a transaction sent again after its first was forgotten counts as new', () => {
  const others = Array.from({ length: 64 }, (_, i) => noon + i)
  const result = seen([{ event_time: noon }, ...at(...others), { event_time: noon, transaction_id: 'tx-0' }])
  expect(result.at(-1)?.duplicateOf).toBe(-1)
})

test('customers are apart: the same transaction_id of another customer is no duplicate', () => {
  const result = seen([
    { event_time: noon },
    { event_time: noon, customer_id: 'c-2', transaction_id: 'tx-0' },
  ])
  expect(result[1]).toMatchObject({ duplicateOf: -1 })
  expect(result[1]?.features['customer_total_count']).toBe(0)
})

test('where and same count only the events that match', () => {
  const features = last([
    { event_time: noon, channel: 'pos', merchant_id: 'm-2' },
    { event_time: noon, channel: 'moto', amount_minor: 1000 },
    { event_time: noon, channel: 'transfer', amount_minor: 500, type: 'transfer' },
    { event_time: noon, channel: 'ecommerce', amount_minor: 250, type: 'refund' },
    { event_time: noon },
  ])
  expect(features).toMatchObject({
    customer_ecommerce_count_1h: 2,
    customer_ecommerce_sum_24h: 12.5,
    customer_transfer_sum_24h: 5,
    customer_refund_count_24h: 1,
    customer_same_merchant_count_24h: 3,
  })
})

test('nothing decays: an event counts in full until it leaves the window', () => {
  const sums = [1, 30, 59].map((minutes) => last(at(noon, noon + minutes * minute))['customer_sum_1h'])
  expect(sums).toEqual([12.99, 12.99, 12.99].map(Math.fround))
})
