import type { Aggregate, Scan } from './aggregates.ts'
import type { Column } from './columns.ts'
import { durationMs, type RobustFeature } from './definition.ts'

/** Fewer payments have no usual amount. */
const fewest = 3

/** Makes the median distance of a normal distribution its standard deviation. */
const perStandardDeviation = 1.4826

/** The median amount of the latest `last` kept payments, and the median distance from it: the upper one of two. */
export function robustScan(last: number): Scan {
  const sorted = new Float64Array(last)
  return ({ events: { size, amount } }, _, into) => {
    const count = Math.min(size, last)
    into.count = count
    if (count < fewest) return
    const values = sorted.subarray(0, count)
    for (let i = 0; i < count; i++) values[i] = amount[size - 1 - i] as number
    const median = upperMedian(values)
    for (let i = 0; i < count; i++) values[i] = Math.abs((values[i] as number) - median)
    into.median = median
    into.medianDeviation = upperMedian(values)
  }
}

const upperMedian = (values: Float64Array): number => values.sort()[values.length >>> 1] as number

/** Amounts in major units of the reference currency; missing when fewer than three payments are kept. */
export function robustColumn({ robust, last, window, times }: RobustFeature, slot: number): Column {
  const of = ({ aggregates }: { aggregates: readonly Aggregate[] }): Aggregate =>
    aggregates[slot] as Aggregate
  switch (robust) {
    case 'median':
      return (sight) => (of(sight).count < fewest ? Number.NaN : of(sight).median / 100)
    case 'ratio':
      return (sight) => {
        const { count, median } = of(sight)
        return count < fewest || median === 0 ? Number.NaN : sight.event.amount / median
      }
    case 'zscore':
      return (sight) => {
        const { count, median, medianDeviation } = of(sight)
        if (count < fewest) return Number.NaN
        return (sight.event.amount - median) / Math.max(100, perStandardDeviation * medianDeviation)
      }
    case 'large_count':
      return largeCount(last, durationMs(window as string), times as number, of)
  }
}

/** Of the latest `last` kept payments those in (time - windowMs, time] of at least `times` the median. */
function largeCount(
  last: number,
  windowMs: number,
  times: number,
  of: (sight: { aggregates: readonly Aggregate[] }) => Aggregate,
): Column {
  return (sight) => {
    const { count, median } = of(sight)
    if (count < fewest) return Number.NaN
    const { size, time, amount } = sight.customer.events
    const now = sight.event.time
    let large = 0
    for (let i = Math.max(0, size - last); i < size; i++) {
      const at = time[i] as number
      if (at > now - windowMs && at <= now && (amount[i] as number) >= times * median) large++
    }
    return large
  }
}
