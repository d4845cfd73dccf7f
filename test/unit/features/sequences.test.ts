import { join } from 'node:path'
import { expect, test } from 'vitest'
import { loadFeatures } from '../../../src/config/definitions.ts'
import { at, last, midnight, minute, second, shipped } from '../../helpers/feature-values.ts'

const sequences = loadFeatures(join(import.meta.dirname, '../../../features-sequences.yaml'))

test('a file that extends another has its features, then the sequence, oldest step first', () => {
  const width = shipped.names.length
  expect(sequences.names.slice(0, width)).toEqual(shipped.names)
  const cells = sequences.names.slice(width)
  expect(cells).toHaveLength(100)
  expect([cells[0], cells[1], cells[10], cells[99]]).toEqual([
    'seq_9_log_amount',
    'seq_9_log_gap',
    'seq_8_log_amount',
    'seq_0_same_mcc',
  ])
  expect(sequences.layoutHash).toBe(shipped.layoutHash)
  expect(sequences.hash).not.toBe(shipped.hash)
})

test('a sequence ends with the transaction, and has nothing where nothing was kept', () => {
  const amounts = [1, 2, 3].map((n) => ({ amount_minor: Math.round(100 * Math.expm1(n)) }))
  const features = last(amounts, sequences)
  expect(features['seq_0_log_amount']).toBeCloseTo(3, 2)
  expect(features['seq_1_log_amount']).toBeCloseTo(2, 2)
  expect(features['seq_2_log_amount']).toBeCloseTo(1, 2)
  for (const name of sequences.names.filter((cell) => cell.startsWith('seq_3'))) {
    expect(features[name]).toBeNaN()
  }
})

test('the gap to the payment before is never negative, and missing for the oldest kept', () => {
  const features = last(at(midnight, midnight + minute, midnight + second, midnight + minute), sequences)
  expect(features['seq_3_log_gap']).toBeNaN()
  expect(features['seq_2_log_gap']).toBeCloseTo(Math.log(61), 5)
  expect(features['seq_1_log_gap']).toBe(0)
  expect(features['seq_0_log_gap']).toBeCloseTo(Math.log(60), 5)
})

test('same channels compare with the transaction, and are missing when it has no value', () => {
  const before = [
    { merchant_id: 'm-1', country: 'DE', device_id: 'd-1' },
    { merchant_id: 'm-2', country: 'FR', device_id: null },
  ]
  const features = last([...before, { merchant_id: 'm-1', country: 'FR', device_id: null }], sequences)
  expect([2, 1, 0].map((back) => features[`seq_${back}_same_merchant`])).toEqual([1, 0, 1])
  expect([2, 1, 0].map((back) => features[`seq_${back}_same_country`])).toEqual([0, 1, 1])
  expect([2, 1, 0].map((back) => features[`seq_${back}_same_device`])).toEqual([NaN, NaN, NaN])
})
