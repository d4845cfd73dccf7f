import { dayMs } from '../core/days.ts'
import type { Settings } from './options.ts'

/** What changes with time, declared: see docs/generator.md. */
export interface Drift {
  /** Prices against the first day: + 0.08 % a day. */
  priceLevel(time: number): number
  /** Online share against the first day: + 0.4 % a day, at most + 60 %. */
  onlineLevel(time: number): number
  /** Whether the later mix of fraud types is at work. */
  fraudHasShifted(time: number): boolean
}

export function createDrift(settings: Settings): Drift {
  const day = (time: number) => (settings.drift ? (time - settings.startTime) / dayMs : 0)
  return {
    priceLevel: (time) => 1 + 0.0008 * day(time),
    onlineLevel: (time) => Math.min(1.6, 1 + 0.004 * day(time)),
    fraudHasShifted: (time) => settings.drift && day(time) >= settings.fraudShiftDay,
  }
}
