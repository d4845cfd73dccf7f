import { beforeEach, expect, test } from 'vitest'
import { Comparison } from '../../../bench/comparison.ts'
import type { Reference } from '../../../bench/reference.ts'
import { loadFeatures } from '../../../src/config/definitions.ts'

const features = loadFeatures('features.yaml')
const row = () => new Float32Array(features.names.length).fill(1)
const bytes = (values: Float32Array) => Buffer.from(values.buffer)
const changed = (name: string, value: number) => {
  const values = row()
  values[features.names.indexOf(name)] = value
  return bytes(values)
}

const reference: Reference = {
  features,
  alertOn: ['review', 'decline'],
  seen: new Map([['t1', { features: bytes(row()), score: 0.25 }]]),
}
const answer = { transaction_id: 't1', event_time: 0, score: 0.25, outcome: 'approve' } as const

let comparison: Comparison
beforeEach(() => {
  comparison = new Comparison('peer.1', reference)
})

test('the same decision differs in nothing, and the last bits of a value do not count', () => {
  comparison.add({ ...answer, features: bytes(row()) })
  comparison.add({ ...answer, features: changed('geo_distance', 1 + 2 ** -23), score: 0.250_001 })
  expect(comparison.compared).toEqual({ decisions: 2, unscored: 0, scores: 0, cells: 20, differing: 0 })
})

test('a value of the customer must not differ, one missing least of all', () => {
  const name = 'customer_count_24h'
  for (const value of [1.001, Number.NaN]) {
    const features = changed(name, value)
    expect(() => comparison.add({ ...answer, features })).toThrow(`peer.1 has ${name} `)
  }
})

test('values of merchants are counted, and scores that differ with them', () => {
  comparison.add({ ...answer, features: changed('merchant_count_1h', 2) })
  comparison.add({ ...answer, features: changed('device_customers', Number.NaN), score: 0.26 })
  expect(comparison.compared).toEqual({ decisions: 2, unscored: 0, scores: 1, cells: 20, differing: 2 })
})

test('another score for the same features ends the bench', () => {
  const other = { ...answer, features: bytes(row()), score: 0.251 }
  expect(() => comparison.add(other)).toThrow('peer.1 has 0.251 for t1, weir 0.25 for the same features')
})

test('payments on which the policy alerts are known', () => {
  comparison.add({ ...answer, features: bytes(row()), outcome: 'decline' })
  expect([...comparison.alerted]).toEqual(['t1'])
})

test("weir's decisions without the model are counted, a peer's are not let through", () => {
  const unscored = { ...answer, features: Buffer.alloc(0), score: null, outcome: 'review' } as const
  const weir = new Comparison('weir.1', reference)
  weir.add(unscored)
  expect(weir.compared).toMatchObject({ decisions: 1, unscored: 1, scores: 0, cells: 0 })
  expect([...weir.alerted]).toEqual(['t1'])
  expect(() => comparison.add(unscored)).toThrow('without a score')
  expect(() => comparison.add({ ...answer, features: Buffer.alloc(0) })).toThrow('without features')
})
