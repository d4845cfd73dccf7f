import { expect, test } from 'vitest'
import { applyLabels } from '../../src/core/labels.ts'
import type { Label } from '../../src/core/types.ts'
import { aLabel } from '../helpers/contracts.ts'
import { hour, midnight, minute, shipped } from '../helpers/feature-values.ts'

const noon = midnight + 12 * hour

/** The changes of fraud counts at the merchant, chunk after chunk, states packed in between. */
function changes(...chunks: Partial<Label>[][]): number[][] {
  const states = new Map<string, Buffer>()
  return chunks.map((chunk) => {
    const applied = applyLabels(chunk.map(aLabel), states, shipped)
    for (const [key, state] of applied.states) states.set(key, state)
    return applied.deltas.flatMap(({ kind, frauds }) => (kind === 'merchant' ? [frauds] : []))
  })
}

test('a report adds one at each entity that the label names, at its time in tiles', () => {
  const label = aLabel({ observed_time: noon + 13 * minute, terminal_id: 't-1' })
  const { deltas } = applyLabels([label], new Map(), shipped)
  const nothing = { count: 0, sum: 0, payment_frauds: 0, odd_payments: 0, customers: [] }
  const delta = { ...nothing, time: noon + 10 * minute, frauds: 1 }
  expect(deltas).toEqual([
    { ...delta, kind: 'merchant', key: 'm-1' },
    { ...delta, kind: 'terminal', key: 't-1' },
    { ...delta, kind: 'device', key: 'd-1' },
  ])
})

test('the latest label of a transaction counts, within a chunk and across chunks', () => {
  const [fraud, good] = [{ fraud: true }, { fraud: false }]
  expect(changes([fraud, fraud], [fraud, good, good], [good, fraud])).toEqual([[1], [-1], [1]])
  expect(changes([good], [good, fraud])).toEqual([[], [1]])
})

test('transactions are apart, and so are customers', () => {
  const one = { fraud: true }
  expect(changes([one, { ...one, transaction_id: 'tx-2' }, { ...one, customer_id: 'c-2' }])).toEqual([
    [1, 1, 1],
  ])
})

test('of a customer the 64 transactions that were labelled last are remembered', () => {
  const others = (count: number) =>
    Array.from({ length: count }, (_, i) => ({ fraud: false, transaction_id: `other-${i}` }))
  const again = [{ fraud: true }]
  expect(changes(again, others(63), again)).toEqual([[1], [], []])
  expect(changes(again, others(64), again)).toEqual([[1], [], [1]])
  // A label said again makes its transaction the latest.
  expect(changes(again, others(63), again, others(63), again).at(-1)).toEqual([])
})
