import { expect, test } from 'vitest'
import { enrich } from '../../../src/core/enrich.ts'
import { type LookupColumn, type Lookups, withLookups, wordsOf } from '../../../src/core/features/lookups.ts'
import type { Transaction } from '../../../src/core/types.ts'
import { arrivals, minute, shipped, unknownEntities } from '../../helpers/feature-values.ts'

const table = (
  key: Lookups['tables'][string]['key'],
  rows: Record<string, readonly number[]>,
  unseen: readonly number[] | null = null,
) => ({
  key,
  keys: Object.keys(rows),
  values: Float32Array.from(Object.values(rows).flat()),
  dimensions: 2,
  default: unseen,
})

const tables = {
  merchants: table('merchant_id', { 'm-1': [1, 0], 'm-2': [3, 4], 'm-3': [0, 0] }, [9, 8]),
  customers: table('customer_id', { 'c-1': [0.5, 2] }),
  terminals: table('terminal_id', { 't-1': [6, 7] }),
  categories: table('mcc', { '5411': [2, 2], '0742': [-1, 5] }),
  words: table('word', { rent: [1, 1], june: [3, -1] }),
}

/** The lookup columns of the last transaction. */
function looked(column: object, changes: readonly Partial<Transaction>[]): number {
  const columns = [{ name: 'looked', description: 'For tests.', ...column } as LookupColumn]
  const features = withLookups(shipped, { tables, columns })
  const chunk = arrivals(changes)
  const { rows } = enrich(chunk, { customers: new Map(), entities: unknownEntities(chunk) }, features, minute)
  expect(features.names.at(-1)).toBe('looked')
  expect(features.hash).toBe(shipped.hash)
  return rows.at(-1) as number
}

test.each<[string, object, Partial<Transaction>, number]>([
  ['a merchant', { table: 'merchants', component: 1 }, { merchant_id: 'm-2' }, 4],
  ['a merchant never seen', { table: 'merchants', component: 1 }, { merchant_id: 'm-9' }, 8],
  ['a customer', { table: 'customers', component: 1 }, { customer_id: 'c-1' }, 2],
  [
    'a customer never seen, without a default',
    { table: 'customers', component: 0 },
    { customer_id: 'c-2' },
    NaN,
  ],
  ['a terminal', { table: 'terminals', component: 0 }, { terminal_id: 't-1' }, 6],
  ['no terminal', { table: 'terminals', component: 0 }, { terminal_id: null }, NaN],
  ['a category that begins with 0', { table: 'categories', component: 1 }, { mcc: '0742' }, 5],
  ['no category', { table: 'categories', component: 1 }, { mcc: null }, NaN],
  [
    'words: the mean of those that are known',
    { table: 'words', component: 0 },
    { description: 'Rent, JUNE 2026' },
    2,
  ],
  ['no known word', { table: 'words', component: 0 }, { description: 'Miete' }, NaN],
  ['no description', { table: 'words', component: 0 }, { description: null }, NaN],
  ['factors of customer and merchant', { dot: ['customers', 'merchants'] }, { merchant_id: 'm-2' }, 9.5],
  ['factors of a customer never seen', { dot: ['customers', 'merchants'] }, { customer_id: 'c-2' }, NaN],
])('%s', (_, column, transaction, expected) => {
  expect(looked(column, [transaction])).toBe(expected)
})

test('how alike a merchant is to the mean of those of the latest payments, none of them the transaction itself', () => {
  const at = (...merchants: string[]) => merchants.map((merchant_id) => ({ merchant_id }))
  const cosine = { cosine_to_recent: 'merchants', last: 2 }
  expect(looked(cosine, at('m-1'))).toBeNaN()
  expect(looked(cosine, at('m-1', 'm-2'))).toBeCloseTo(3 / 5, 6)
  // The mean of m-1 and m-2 is (2, 2); unknown merchants do not count among them.
  expect(looked(cosine, at('m-1', 'm-2', 'm-1'))).toBeCloseTo(Math.SQRT1_2, 6)
  expect(looked(cosine, at('m-9', 'm-1', 'm-9', 'm-2'))).toBeCloseTo(3 / 5, 6)
  expect(looked(cosine, at('m-2', 'm-2', 'm-3', 'm-1'))).toBeCloseTo(3 / 5, 6)
  expect(looked(cosine, at('m-1', 'm-3'))).toBeNaN()
})

test('components of one description are those of that description', () => {
  const columns = [0, 1].map((component) => ({
    name: `w${component}`,
    description: '',
    table: 'words',
    component,
  }))
  const features = withLookups(shipped, { tables, columns })
  const chunk = arrivals(['rent', 'june', null, 'rent'].map((description) => ({ description })))
  const { rows } = enrich(chunk, { customers: new Map(), entities: unknownEntities(chunk) }, features, minute)
  const width = features.names.length
  const pairs = chunk.map((_, row) => [...rows.subarray((row + 1) * width - 2, (row + 1) * width)])
  expect(pairs).toEqual([
    [1, 1],
    [3, -1],
    [NaN, NaN],
    [1, 1],
  ])
})

test('words are runs of letters and digits in lower case', () => {
  expect(wordsOf("Zoë's RENT—flat 12b")).toEqual(['zoë', 's', 'rent', 'flat', '12b'])
  expect(wordsOf('…')).toEqual([])
})
