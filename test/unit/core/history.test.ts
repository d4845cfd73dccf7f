import { expect, test } from 'vitest'
import { loadFeatures } from '../../../src/config/definitions.ts'
import { History, type PlacedLabel } from '../../../src/core/history.ts'
import type { PackedStates } from '../../../src/core/packed-states.ts'
import type { Arrival } from '../../../src/core/parties.ts'
import { generate } from '../../../src/generator/generate.ts'

/** A history of so many payments, and twice as many, of the same 2,000 customers. */
const customers = 2_000
const [shorter, longer] = [20_000, 40_000].map((events) => {
  const history = new History(loadFeatures('features.yaml'))
  const [arrivals, labels]: [Arrival[], PlacedLabel[]] = [[], []]
  for (const item of generate({ seed: 1, events, customers })) {
    if (item.kind === 'label') labels.push({ before: arrivals.length, label: item.label })
    if (item.kind === 'transaction') {
      arrivals.push({ partition: 0, offset: arrivals.length, transaction: item.transaction })
    }
  }
  history.enrich(arrivals, labels)
  return history
}) as [History, History]

/** Memory of states, keys and free space with them. */
function bytesOf(states: PackedStates): number {
  const slabs = new Set([...states].map(([, { buffer }]) => buffer))
  return [...slabs].reduce((sum, { byteLength }) => sum + byteLength, 0)
}

test('memory grows with who takes part, not with how much they pay', () => {
  expect(longer.customers.size).toBeGreaterThan(0.99 * customers)
  expect(bytesOf(longer.customers) / customers).toBeLessThan(1_600)
  expect(bytesOf(longer.entities) / longer.entities.size).toBeLessThan(400)
  const grown = longer.customers.size + longer.entities.size - shorter.customers.size - shorter.entities.size
  const before = bytesOf(shorter.customers) + bytesOf(shorter.entities)
  expect(bytesOf(longer.customers) + bytesOf(longer.entities) - before).toBeLessThan(grown * 400 + 1_000_000)
})
