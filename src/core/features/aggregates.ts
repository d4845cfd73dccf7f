import { type CustomerState, maxColumn, remembered, squaresColumn, sumColumn } from './customer-state.ts'
import type { RememberedField } from './definition.ts'
import type { FeatureEvent } from './event.ts'
import type { Tiles } from './tiles.ts'

/**
 * The customer's earlier events in one window, reduced: read by every feature over that window.
 * Amounts are hundredths of the reference currency.
 */
export class Aggregate {
  count = 0
  sum = 0
  squares = 0
  max = 0
  min = 0
  /** Of robust scans only: the median, and the median distance from it. */
  median = 0
  medianDeviation = 0

  clear(): void {
    this.count = 0
    this.sum = 0
    this.squares = 0
    this.max = 0
    this.min = Number.POSITIVE_INFINITY
  }
}

/** Fills an Aggregate for one event from the state before it. */
export type Scan = (state: CustomerState, event: FeatureEvent, into: Aggregate) => void

/** Which of the kept events count, besides lying in the window. */
export interface EventFilter {
  /** Bit c set: events of channel c count; all bits when there is no filter. The same for types. */
  readonly channels: number
  readonly types: number
  readonly same: RememberedField | null
}

/** A window of up to a day: exact to the millisecond, over the kept events. Covers (time - windowMs, time]. */
export function eventScan(windowMs: number, filter: EventFilter): Scan {
  const { channels, types, same } = filter
  return (state, event, into) => {
    into.clear()
    const { size, time, amount, kind } = state.events
    const from = event.time - windowMs
    // As for most payments and short windows.
    if (state.lastTime <= from) return
    const value = same === null ? 0 : remembered(event, same)
    for (let i = size - 1, first = state.dayBefore(event); i >= first; i--) {
      const at = time[i] as number
      if (at <= from || at > event.time) continue
      const k = kind[i] as number
      if ((channels & (1 << (k >>> 8))) === 0 || (types & (1 << (k & 0xff))) === 0) continue
      if (same !== null && state.events.value(i, same) !== value) continue
      const a = amount[i] as number
      into.count++
      into.sum += a
      into.squares += a * a
      if (a > into.max) into.max = a
      if (a < into.min) into.min = a
    }
  }
}

/** A window longer than a day: whole tiles, the current one included. `min` is not kept. */
export function tileScan(tier: number, tiles: number): Scan {
  return (state, event, into) => {
    into.clear()
    const from = state.tiers[tier] as Tiles
    const sum = from.columns[sumColumn] as Float64Array
    const squares = from.columns[squaresColumn] as Float64Array
    const max = from.columns[maxColumn] as Float64Array
    for (let i = from.from(event.time, tiles), end = from.to(event.time); i < end; i++) {
      into.count += from.count[i] as number
      into.sum += sum[i] as number
      into.squares += squares[i] as number
      if ((max[i] as number) > into.max) into.max = max[i] as number
    }
  }
}

/** Distinct values of a field among the kept events of a window of up to a day. */
export function distinctInWindow(
  state: CustomerState,
  event: FeatureEvent,
  windowMs: number,
  field: RememberedField,
): number {
  const { size, time } = state.events
  const from = event.time - windowMs
  if (state.lastTime <= from) return 0
  let distinct = 0
  for (let i = size - 1, first = state.dayBefore(event); i >= first; i--) {
    if (!inWindow(time[i] as number, from, event.time)) continue
    const value = state.events.value(i, field)
    if (value === 0) continue
    let known = false
    for (let j = size - 1; j > i && !known; j--) {
      known = inWindow(time[j] as number, from, event.time) && state.events.value(j, field) === value
    }
    if (!known) distinct++
  }
  return distinct
}

const inWindow = (time: number, from: number, to: number): boolean => time > from && time <= to

/** Population standard deviation; 0 where rounding would make the variance negative. */
export function standardDeviation({ count, sum, squares }: Aggregate): number {
  const mean = sum / count
  return Math.sqrt(Math.max(0, squares / count - mean * mean))
}
