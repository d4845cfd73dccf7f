import { expect, test } from 'vitest'
import { type ScaleModel, sharesOf, simulate, touched } from '../../../bench/scale-model.ts'

const model: ScaleModel = {
  rate: 20_000,
  partitions: 8,
  members: 4,
  customers: 5_000,
  skew: 0.5,
  batch: 500,
  eventUs: 50,
  transactionUs: 1_000,
  partitionUs: 50,
  redisMs: 1,
  commitMs: 10,
  tailMs: 5,
  seconds: 10,
  seed: 1,
  deathAt: null,
  sessionMs: 2_000,
  rebalanceMs: 500,
}

test('the same model gives the same run, another seed another', () => {
  expect(simulate(model)).toEqual(simulate(model))
  expect(simulate({ ...model, seed: 2 }).p99).not.toBe(simulate(model).p99)
})

test('the members work as much as payments, transactions and partitions cost', () => {
  const { busy, chunk, transactionsPerSecond, markersPerSecond, lagMs } = simulate(model)
  expect(chunk * transactionsPerSecond).toBeCloseTo(20_000, -3)
  const us = 20_000 * 50 + transactionsPerSecond * 1_000 + markersPerSecond * 50
  expect(busy * 4).toBeCloseTo(us / 1e6, 1)
  expect(lagMs).toBeLessThan(200)
})

test('a lone payment waits for Redis, its work and its commit, and for nothing else', () => {
  const quiet = { ...model, rate: 1, partitions: 1, members: 1, tailMs: 0, seconds: 1_000 }
  const { p50 } = simulate(quiet)
  expect(p50).toBeCloseTo(1 + (50 + 1_000 + touched(1, 1) * 50) / 1_000 + 10, 5)
})

test('what is more than the members can do piles up', () => {
  const { busiest, lagMs } = simulate({ ...model, members: 1, eventUs: 100 })
  expect(busiest).toBeGreaterThan(0.99)
  expect(lagMs).toBeGreaterThan(4_000)
})

test('partitions get what their customers make: all of it, and the more skewed the less even', () => {
  const even = sharesOf({ ...model, skew: 0 })
  const skewed = sharesOf({ ...model, skew: 1 })
  for (const shares of [even, skewed]) expect(shares.reduce((a, b) => a + b)).toBeCloseTo(1, 9)
  expect(Math.max(...even)).toBeLessThan(0.14)
  expect(Math.max(...skewed)).toBeGreaterThan(0.14)
})

test("a dead member's payments wait until others have its partitions, and are then answered", () => {
  const shares = sharesOf(model)
  const { backlog, caughtUpMs, lagMs } = simulate({ ...model, seconds: 20, deathAt: 5 })
  // Members take partitions in turn: the last has the fourth and the eighth.
  const orphaned = (shares[3] as number) + (shares[7] as number)
  // What arrived before the death and was not answered counts, too.
  expect(backlog / (20_000 * orphaned * 2.5)).toBeGreaterThan(0.97)
  expect(backlog / (20_000 * orphaned * 2.5)).toBeLessThan(1.06)
  expect(caughtUpMs).toBeGreaterThan(2_500)
  expect(caughtUpMs).toBeLessThan(10_000)
  expect(lagMs).toBeLessThan(200)
})

test('without room to catch up the backlog stays', () => {
  const { caughtUpMs } = simulate({ ...model, members: 2, eventUs: 90, seconds: 20, deathAt: 5 })
  expect(caughtUpMs).toBeNull()
})
