import { describe, expect, test } from 'vitest'
import { sha256 } from '../../../src/config/definitions.ts'
import { compileFeatures } from '../../../src/core/features/compile.ts'
import type { FeatureDefinition, FeatureFile } from '../../../src/core/features/definition.ts'
import { shipped } from '../../helpers/feature-values.ts'

const base = shipped.file
const [first, ...rest] = base.features as [FeatureDefinition, ...FeatureDefinition[]]
const hashes = (changes: Partial<FeatureFile>) => {
  const { hash, layoutHash } = compileFeatures({ ...base, ...changes }, sha256)
  return { hash, layoutHash }
}
const without = (gone: (feature: FeatureDefinition) => boolean) => ({
  features: base.features.filter((feature) => !gone(feature)),
})

const before = { hash: shipped.hash, layoutHash: shipped.layoutHash }

test('hashes are hexadecimal, 16 and 8 digits, and the same for the same file', () => {
  expect(before.hash).toMatch(/^[0-9a-f]{16}$/)
  expect(before.layoutHash).toMatch(/^[0-9a-f]{8}$/)
  expect(hashes({})).toEqual(before)
})

describe('both hashes change with all that a packed state means', () => {
  const { customer, entities } = base
  test.each<[string, Partial<FeatureFile>]>([
    ['keep_events', { customer: { ...customer, keep_events: 11 } }],
    ['most_events', { customer: { ...customer, most_events: 63 } }],
    ['tiles of the customer', { customer: { ...customer, tiles: { '7d': '1d', '30d': '3d' } } }],
    ['what is remembered', { customer: { ...customer, remember: { ...customer.remember, mcc: 13 } } }],
    ['tiles of entities', { entities: { ...entities, tiles: { ...entities.tiles, '1h': '5m' } } }],
    ['most_customers', { entities: { ...entities, most_customers: 9 } }],
    ['reference currency', { reference_currency: 'USD' }],
    ['a rate', { rates: { ...base.rates, USD: 0.93 } }],
    ['whether anything is kept of a kind', without(({ entity }) => entity === 'device')],
    [
      'how long fraud labels are kept',
      without((feature) => 'window' in feature && feature.window === '30d' && feature.entity !== 'customer'),
    ],
  ])('%s', (_, changes) => {
    const after = hashes(changes)
    expect(after.hash).not.toBe(before.hash)
    expect(after.layoutHash).not.toBe(before.layoutHash)
  })
})

describe('the feature hash alone changes with what a column means but no state', () => {
  test.each<[string, Partial<FeatureFile>]>([
    ['a name', { features: [{ ...first, name: 'sum_of_money' }, ...rest] }],
    ['the order', { features: [...rest, first] }],
    ['a column less', { features: rest }],
    [
      'a filter',
      {
        features: base.features.map((one) =>
          'where' in one && one.where ? { ...one, where: { type: ['cash'] } } : one,
        ),
      },
    ],
  ])('%s', (_, changes) => {
    const after = hashes(changes)
    expect(after.hash).not.toBe(before.hash)
    expect(after.layoutHash).toBe(before.layoutHash)
  })
})

test('a description changes neither hash', () => {
  expect(hashes({ features: [{ ...first, description: 'In other words.' }, ...rest] })).toEqual(before)
})
