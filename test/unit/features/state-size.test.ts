import fc from 'fast-check'
import { expect, test } from 'vitest'
import { sha256 } from '../../../src/config/definitions.ts'
import { advance } from '../../../src/core/enrich.ts'
import { compileFeatures } from '../../../src/core/features/compile.ts'
import { type CustomerLayout, CustomerState, even } from '../../../src/core/features/customer-state.ts'
import type { EntityLayout } from '../../../src/core/features/entity-state.ts'
import { EntityState } from '../../../src/core/features/entity-state.ts'
import { everyAggregate } from '../../helpers/feature-files.ts'
import { shipped } from '../../helpers/feature-values.ts'
import { histories } from '../../helpers/histories.ts'

const sum = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0)

/** The most that a customer's packed state can take, bytes: all that the layout has room for. */
function customerAtMost({ mostEvents, tiers, remember }: CustomerLayout): number {
  const head = 4 * even(2 + tiers.length + remember.length)
  const tiles = sum(tiers.map((tier) => tier.tiles))
  return head + 48 + mostEvents * 48 + tiles * 32 + sum(remember.map(({ capacity }) => capacity)) * 8
}

/** The same of a merchant, terminal or device. */
function entityAtMost({ tiers, frauds, paymentFrauds, oddPayments, mostCustomers }: EntityLayout): number {
  const optional = [paymentFrauds, oddPayments].filter((tier) => tier !== undefined)
  const head = 4 * even(3 + tiers.length + optional.length)
  const counts = sum([frauds, ...optional].map((tier) => tier.tiles))
  return head + sum(tiers.map((tier) => tier.tiles)) * 16 + counts * 8 + mostCustomers * 8
}

/** Of one customer, each at another merchant, device, place and kind of business, `minutes` apart. */
function bytesAfter(minutes: number, counts: readonly number[]): number[] {
  const state = new CustomerState(shipped.customer)
  const place = { latitude: 52.5, longitude: 13.4 }
  const kinds = { channel: 1, type: 0, customer: 1 }
  const sizes: number[] = []
  for (let i = 1; i <= Math.max(...counts); i++) {
    const time = 1_700_000_000_000 + i * minutes * 60_000
    const names = { merchant: i, device: i, country: (i % 500) + 1, mcc: (i % 5_000) + 1 }
    state.add({ offset: i, time, amount: 100 + (i % 999), id: i, ...names, ...kinds }, place)
    if (counts.includes(i)) sizes.push(state.pack().length)
  }
  return sizes
}

test('a state has a size that no history makes larger', () => {
  expect(customerAtMost(shipped.customer)).toBe(3_952)
  const counts = [100, 1_000, 10_000, 100_000]
  // Ten minutes apart all that there is room for fills up, and then nothing grows.
  expect(bytesAfter(10, counts)).toEqual([3_632, 3_824, 3_952, 3_952])
  // Eight hours apart: ten payments, a month of tiles, full memories.
  expect(bytesAfter(480, counts)).toEqual([1_360, 1_360, 1_360, 1_360])
})

test('no customer has a larger state than the layout has room for', () => {
  for (const features of [shipped, compileFeatures(everyAggregate, sha256)]) {
    fc.assert(
      fc.property(histories(200), ({ arrivals }) => {
        const most = customerAtMost(features.customer)
        for (const [, state] of advance(arrivals, new Map(), features))
          expect(state.length).toBeLessThanOrEqual(most)
      }),
      { numRuns: 30 },
    )
  }
})

test('no merchant, terminal or device has a larger state than the layout has room for', () => {
  const change = fc.record({
    kind: fc.constantFrom('payment', 'fraud', 'paymentFraud', 'odd', 'customer'),
    time: fc.integer({ min: 1_700_000_000_000, max: 1_720_000_000_000 }),
  })
  for (const { entity } of [shipped, compileFeatures(everyAggregate, sha256)]) {
    const most = entityAtMost(entity)
    fc.assert(
      fc.property(fc.array(change, { maxLength: 2_000, size: 'max' }), (changes) => {
        const state = new EntityState(entity).open(null)
        for (const { kind, time } of changes) {
          if (kind === 'payment') state.add(time, 1, 100)
          else if (kind === 'fraud') state.addFrauds(time, 1)
          else if (kind === 'paymentFraud') state.addPaymentFrauds(time, 1)
          else if (kind === 'odd') state.addOddPayments(time, 1)
          else state.addCustomer(time)
        }
        expect(state.pack().length).toBeLessThanOrEqual(most)
      }),
      { numRuns: 20 },
    )
  }
  expect(entityAtMost(shipped.entity)).toBe(1_080)
})
