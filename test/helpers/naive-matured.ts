import type { MaturedAggregate, RobustFeature } from '../../src/core/features/definition.ts'
import { milliseconds } from './naive-features.ts'

/** What is known of an entity's payments: times of those that were paid, and of those reported or taken back. */
interface Known {
  readonly now: number
  readonly tileMs: number
  readonly windowMs: number
  readonly delayMs: number
  readonly payments: readonly number[]
  readonly oddPayments: readonly number[]
  readonly reports: readonly { readonly time: number; readonly change: number }[]
}

export function naiveMatured(aggregate: MaturedAggregate, known: Known): number {
  const { now, tileMs, windowMs, delayMs, payments, oddPayments, reports } = known
  const tileOf = (time: number) => Math.floor(time / tileMs)
  const lastMatured = tileOf(now - delayMs) - 1
  const first = lastMatured - windowMs / tileMs + 1
  const isMaturedTime = (time: number) => tileOf(time) >= first && tileOf(time) <= lastMatured
  const maturedFrauds = Math.max(0, sum(reports.filter(({ time }) => isMaturedTime(time))))
  const matured = payments.filter(isMaturedTime)
  if (aggregate === 'matured_count') return matured.length
  if (aggregate === 'matured_fraud_count') return maturedFrauds
  if (aggregate === 'matured_fraud_rate') {
    return matured.length === 0 ? Number.NaN : maturedFrauds / matured.length
  }
  const tiles = [...new Set([...matured, ...reports.map(({ time }) => time)].map(tileOf))]
    .filter((tile) => tile >= first && tile <= tileOf(now))
    .map((tile) => {
      const frauds = Math.max(0, sum(reports.filter(({ time }) => tileOf(time) === tile)))
      const isGood = matured.filter((time) => tileOf(time) === tile).length > frauds
      return { tile, frauds, isGood }
    })
  const newest = (some: typeof tiles) => Math.max(...some.map(({ tile }) => tile))
  const good = newest(tiles.filter(({ isGood }) => isGood))
  const run = tiles.filter(({ tile, frauds }) => frauds > 0 && tile > good)
  const seconds = (tile: number) => (Number.isFinite(tile) ? (now - tile * tileMs) / 1000 : Number.NaN)
  switch (aggregate) {
    case 'time_since_fraud':
      return seconds(newest(tiles.filter(({ frauds }) => frauds > 0)))
    case 'time_since_good':
      return seconds(good)
    case 'fraud_run':
      return run.reduce((total, { frauds }) => total + frauds, 0)
    case 'fraud_run_usual': {
      const odd = (tile: number) => oddPayments.filter((time) => tileOf(time) === tile).length
      return run.reduce((total, { tile, frauds }) => total + Math.max(0, frauds - odd(tile)), 0)
    }
    case 'fraud_run_age':
      return seconds(Math.min(...run.map(({ tile }) => tile)))
  }
}

const sum = (reports: readonly { readonly change: number }[]): number =>
  reports.reduce((total, { change }) => total + change, 0)

interface Payment {
  readonly amount: number
  readonly time: number
}

/** @param kept the customer's kept payments, the newest last. */
export function naiveRobust(
  { robust, last, window, times }: RobustFeature,
  now: Payment,
  kept: readonly Payment[],
): number {
  const latest = kept.slice(-last)
  if (latest.length < 3) return Number.NaN
  const median = middle(latest.map(({ amount }) => amount))
  const deviation = middle(latest.map(({ amount }) => Math.abs(amount - median)))
  switch (robust) {
    case 'median':
      return median / 100
    case 'ratio':
      return median === 0 ? Number.NaN : now.amount / median
    case 'zscore':
      return (now.amount - median) / Math.max(100, 1.4826 * deviation)
    case 'large_count': {
      const from = now.time - milliseconds(window as string)
      const inWindow = latest.filter(({ time }) => time > from && time <= now.time)
      return inWindow.filter(({ amount }) => amount >= (times as number) * median).length
    }
  }
}

/** The upper one of two. */
const middle = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] as number
