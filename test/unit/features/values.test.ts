import { describe, expect, test } from 'vitest'
import { enrich } from '../../../src/core/enrich.ts'
import { distanceKm } from '../../../src/core/features/geo.ts'
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
const amounts = (...all: number[]) => all.map((amount_minor) => ({ amount_minor, event_time: noon }))

test('over an empty window count and sum are 0, all else is missing', () => {
  expect(last(at(noon))).toMatchObject({
    customer_count_1h: 0,
    customer_sum_1h: 0,
    customer_merchants_1h: 0,
    customer_mean_24h: Number.NaN,
    customer_max_24h: Number.NaN,
    customer_max_30d: Number.NaN,
    customer_min_1h: Number.NaN,
    customer_std_30d: Number.NaN,
    customer_ratio_7d: Number.NaN,
    customer_zscore_30d: Number.NaN,
    merchant_count_24h: 0,
    merchant_mean_7d: Number.NaN,
    merchant_ratio_7d: Number.NaN,
  })
})

test('a missing value has one bit pattern', () => {
  const chunk = arrivals([{ event_time: noon, device_id: null, mcc: null, latitude: null, longitude: null }])
  const { rows } = enrich(chunk, { customers: new Map(), entities: unknownEntities(chunk) }, shipped, minute)
  const bits = new Uint32Array(rows.buffer, rows.byteOffset, rows.length)
  const missing = [...rows.keys()].filter((i) => Number.isNaN(rows[i]))
  expect(missing.length).toBeGreaterThan(15)
  expect(new Set(missing.map((i) => bits[i]))).toEqual(new Set([0x7fc00000]))
})

test('standard deviation is of the population; it and the z-score need two events', () => {
  expect(last(amounts(1000, 5000))).toMatchObject({
    customer_std_30d: Number.NaN,
    customer_zscore_30d: Number.NaN,
  })
  const two = last(amounts(1000, 3000, 5000))
  expect(two['customer_std_30d']).toBe(10)
  expect(two['customer_zscore_30d']).toBe(3)
})

test('a deviation under 1.00 counts as 1.00 in a z-score', () => {
  const features = last(amounts(1000, 1000, 1700))
  expect(features['customer_std_30d']).toBe(0)
  expect(features['customer_zscore_30d']).toBe(7)
})

test('a ratio is to the mean, and missing when nothing was paid', () => {
  expect(last(amounts(1000, 3000, 5000))['customer_ratio_7d']).toBe(2.5)
  expect(last(amounts(0, 0, 5000))['customer_ratio_7d']).toBeNaN()
})

test('sums are of whole hundredths, exact up to 2^53 of them', () => {
  const tenth = Array.from({ length: 10 }, () => 10)
  expect(last(amounts(...tenth, 0))['customer_sum_24h']).toBe(1)
  expect(last(amounts(2 ** 53 - 2, 0))['customer_sum_24h']).toBe(Math.fround((2 ** 53 - 2) / 100))
})

test('amounts are converted at the fixed rate and rounded to hundredths, halves up', () => {
  const amount = (currency: string, amount_minor: number) =>
    last([{ currency, amount_minor, event_time: noon }])['amount']
  expect(amount('EUR', 1299)).toBe(Math.fround(12.99))
  expect(amount('USD', 1000)).toBe(Math.fround(9.2))
  expect(amount('JPY', 1000)).toBe(Math.fround(6.2))
  expect(amount('KWD', 1000)).toBe(3)
  expect(amount('HUF', 200)).toBe(Math.fround(0.01))
  expect(amount('HUF', 199)).toBe(0)
})

test('distinct counts values, not events, and passes over those that have none', () => {
  const features = last([
    { event_time: noon, merchant_id: 'm-1', country: 'DE' },
    { event_time: noon, merchant_id: 'm-1', country: null },
    { event_time: noon, merchant_id: 'm-2', country: 'FR' },
    { event_time: noon },
  ])
  expect(features).toMatchObject({ customer_merchants_1h: 2, customer_countries_24h: 2 })
})

test('distinct beyond a day counts remembered values by the second they were seen last', () => {
  const after = (ms: number) => last(at(noon, noon + 30 * day + ms))['customer_merchants_30d']
  expect([after(-second), after(-1), after(0)]).toEqual([1, 1, 0])
  // A late event counts what was seen after it, too.
  const late = last([{ event_time: noon, merchant_id: 'm-2' }, { event_time: noon - hour }])
  expect(late['customer_merchants_30d']).toBe(1)
})

describe('remembered values', () => {
  const devices = (...names: string[]) =>
    names.map((device_id, i) => ({ device_id, event_time: noon + i * second }))

  test('first_seen is 1 for a value not remembered, 0 for one that is, missing without a value', () => {
    expect(last(devices('d-1', 'd-2'))['first_device']).toBe(1)
    expect(last(devices('d-1', 'd-1'))['first_device']).toBe(0)
    expect(last([{ event_time: noon }, { event_time: noon, device_id: null }])['first_device']).toBeNaN()
  })

  test('when the memory is full the value not seen longest gives way, at equal times the first place', () => {
    const six = devices('a', 'b', 'c', 'd', 'e', 'f')
    const again = { device_id: 'a', event_time: noon + 10 * second }
    const next = { device_id: 'g', event_time: noon + 11 * second }
    const isNew = (device_id: string) =>
      last([...six, again, next, { device_id, event_time: noon + minute }])['first_device']
    expect(['a', 'b', 'c', 'f', 'g'].map(isNew)).toEqual([0, 1, 0, 0, 0])

    const tied = six.map(({ device_id }) => ({ device_id, event_time: noon }))
    const first = (device_id: string) =>
      last([...tied, { device_id: 'g', event_time: noon }, { device_id, event_time: noon }])['first_device']
    expect(['a', 'b', 'g'].map(first)).toEqual([1, 0, 0])
  })

  test('a merchant category of 0000 is none', () => {
    const features = last([{ event_time: noon, mcc: '0000' }])
    expect(features).toMatchObject({ mcc: Number.NaN, first_mcc: Number.NaN })
  })
})

describe('places', () => {
  const berlin = { latitude: 52.52, longitude: 13.405, event_time: noon }
  const paris = { latitude: 48.8566, longitude: 2.3522, event_time: noon + 2 * hour }
  const nowhere = { latitude: null, longitude: null, event_time: noon + hour }

  test('distance is the great circle by the haversine formula, from the last place in log order', () => {
    // Berlin to Paris and a quarter of the Earth's girth, published figures.
    expect(last([berlin, nowhere, paris])['geo_distance']).toBeCloseTo(877.5, 0)
    expect(distanceKm(0, 0, 0, 90)).toBeCloseTo(10_007.6, 0)
    expect(last([berlin, paris, { ...berlin, event_time: noon + 3 * hour }])['geo_distance']).toBeCloseTo(
      877.5,
      0,
    )
  })

  test('speed is over the time apart, at least a minute, whichever came first', () => {
    const km = last([berlin, paris])['geo_distance'] as number
    expect(last([berlin, paris])['geo_speed']).toBeCloseTo(km / 2, 2)
    expect(last([paris, berlin])['geo_speed']).toBeCloseTo(km / 2, 2)
    expect(last([berlin, { ...paris, event_time: noon + second }])['geo_speed']).toBeCloseTo(km * 60, 0)
  })

  test('without a place now or before, distance and speed are missing', () => {
    expect(last([nowhere, paris])).toMatchObject({ geo_distance: Number.NaN, geo_speed: Number.NaN })
    expect(last([berlin, nowhere])).toMatchObject({ geo_distance: Number.NaN, geo_speed: Number.NaN })
  })
})

test('hour, night and weekend are by the clock at the place of the payment', () => {
  const clock = (event_time: number, utc_offset_minutes: number | null) => {
    const { hour: h, night, weekend } = last([{ event_time, utc_offset_minutes }])
    return [h, night, weekend]
  }
  expect(clock(noon, null)).toEqual([12, 0, 0])
  expect(clock(noon, 60)).toEqual([13, 0, 0])
  expect(clock(midnight + 30 * minute, -60)).toEqual([23, 0, 0])
  expect(clock(midnight + 6 * hour - 1, 0)).toEqual([5, 1, 0])
  expect(clock(midnight + 6 * hour, 0)).toEqual([6, 0, 0])
  const friday = midnight + day
  expect(clock(friday + 23 * hour, 0)).toEqual([23, 0, 0])
  expect(clock(friday + 23 * hour, 60)).toEqual([0, 1, 1])
  expect(clock(friday + 3 * day, 0)).toEqual([0, 1, 0])
  expect(clock(friday + 3 * day, -1)).toEqual([23, 0, 1])
})

test('values of the transaction itself', () => {
  const [atm, shop] = seen([
    { event_time: noon, channel: 'atm', type: 'cash', amount_minor: 5000, currency: 'USD', mcc: '6011' },
    { event_time: noon, channel: 'moto', type: 'refund', amount_minor: 1299 },
  ])
  expect(atm?.features).toMatchObject({
    round_amount: 1,
    card_present: 1,
    foreign_currency: 1,
    is_atm: 1,
    is_ecommerce: 0,
    is_refund: 0,
    mcc: 6011,
    log_amount: Math.fround(Math.log(47)),
  })
  expect(shop?.features).toMatchObject({
    round_amount: 0,
    card_present: 0,
    foreign_currency: 0,
    is_ecommerce: 1,
    is_refund: 1,
    is_transfer: 0,
    is_recurring: 0,
  })
})
