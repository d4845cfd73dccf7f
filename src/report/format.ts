import type { Range } from '../core/evaluation/comparison.ts'
import type { MetricDefinition } from '../core/evaluation/metrics.ts'
import { fixed as plain } from '../core/numbers.ts'

type Unit = MetricDefinition['unit']

/** Where nothing can be said. */
export const nothing = '–'

/** Digits after the point, thousands grouped, a true minus. */
export const fixed = (value: number, digits: number): string => plain(value, digits).replace('-', '−')

export const count = (value: number): string => fixed(value, 0)

/**
 * Cents matter for what a person can count, not for what a company loses.
 *
 * @param currency null where it is said beside.
 */
export const money = (value: number, currency: string | null): string =>
  fixed(value, Math.abs(value) < 1_000 ? 2 : 0) + (currency === null ? '' : ` ${currency}`)

/** For the caption of a table with amounts. */
export const amountsIn = (currency: string): string => `, amounts in ${currency}`

export const percent = (share: number): string => `${fixed(share * 100, 2)} %`

/** 2026-01-05T10:00:00.000Z as 2026-01-05 10:00 UTC. */
export const moment = (iso: string): string => `${iso.slice(0, 10)} ${iso.slice(11, 16)} UTC`

/** A metric's value. */
export function quantity(value: number | null, unit: Unit, currency: string | null = null): string {
  if (value === null) return nothing
  if (unit === 'money') return money(value, currency)
  if (unit === 'share') return percent(value)
  return fixed(value, unit === 'number' ? 4 : 2)
}

/** A difference of two values, with its sign; of shares in percentage points. */
export function change(value: number | null, unit: Unit, currency: string | null = null): string {
  if (value === null) return nothing
  const size = Math.abs(value)
  const text = unit === 'share' ? `${fixed(size * 100, 2)} pp` : quantity(size, unit, currency)
  if (!/[1-9]/.test(text)) return text
  return (value < 0 ? '−' : '+') + text
}

export const range = (
  [low, high]: Range,
  unit: Unit,
  format: (value: number | null, unit: Unit) => string,
): string => `${format(low, unit)} to ${format(high, unit)}`
