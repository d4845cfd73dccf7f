import fc from 'fast-check'
import { expect, test } from 'vitest'
import { hash53 } from '../../src/core/hash.ts'
import { applyLabels } from '../../src/core/labels.ts'
import { viewAt } from '../../src/core/labels-view.ts'
import type { Label } from '../../src/core/types.ts'
import { aLabel } from '../helpers/contracts.ts'
import { hour, midnight, minute, shipped } from '../helpers/feature-values.ts'
import { naiveFraud, naiveWords, type Word } from '../helpers/naive-labels.ts'

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

test('the latest label of a source counts, within a chunk and across chunks', () => {
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

test('where sources disagree the order of docs/labels.md settles it, in the state as in the view', () => {
  const label = fc.record({
    fraud: fc.boolean(),
    source: fc.constantFrom('analyst', 'customer', 'chargeback', 'issuer', 'early_fraud_warning'),
    state: fc.constantFrom('reported', 'confirmed', 'reversed'),
    observed_time: fc.integer({ min: noon, max: noon + 5 }),
  })
  fc.assert(
    fc.property(fc.array(label, { maxLength: 12 }), fc.integer({ min: 1, max: 4 }), (labels, size) => {
      const chunks = Array.from({ length: Math.ceil(labels.length / size) }, (_, i) =>
        labels.slice(i * size, (i + 1) * size),
      )
      const frauds = changes(...chunks)
        .flat()
        .reduce((sum, change) => sum + change, 0)
      const words = labels.reduce<readonly Word[]>(naiveWords, [])
      expect([frauds, viewAt(labels.map(aLabel), noon + 5)?.fraud ?? false]).toEqual([
        Number(naiveFraud(words)),
        naiveFraud(words),
      ])
    }),
    { numRuns: 500 },
  )
})

test('a state that knew no sources is read: the next label of a transaction takes the place of what it held', () => {
  // Version 1, as 0.1 wrote it: two transactions, tx-1 held to be fraud, tx-2 good.
  const old = Buffer.alloc(8 + 2 * 8 + 2 * 4)
  old.writeUInt32LE(1, 0)
  old.writeUInt32LE(2, 4)
  old.writeDoubleLE(hash53('tx-1'), 8)
  old.writeDoubleLE(hash53('tx-2'), 16)
  old.writeUInt32LE(1, 24)
  const frauds = (...labels: Partial<Label>[]) =>
    applyLabels(labels.map(aLabel), new Map([['c-1', old]]), shipped).deltas.flatMap(({ kind, frauds }) =>
      kind === 'merchant' ? [frauds] : [],
    )
  expect(frauds({ fraud: true }, { fraud: true, transaction_id: 'tx-2' })).toEqual([1])
  expect(frauds({ fraud: false, source: 'customer' })).toEqual([-1])
  expect(frauds({ fraud: false, state: 'reversed', source: 'chargeback' })).toEqual([-1])
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
