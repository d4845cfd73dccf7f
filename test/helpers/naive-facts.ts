import type { Transaction } from '../../src/core/types.ts'

/** Hour and weekday on the payer's clock. */
export function naiveLocalDay(
  eventTime: number,
  utcOffsetMinutes: number | null,
): { hour: number; day: string } {
  const local = new Date(eventTime + (utcOffsetMinutes ?? 0) * 60_000)
  return { hour: local.getUTCHours(), day: local.toUTCString().slice(0, 3) }
}

/** Haversine on a sphere of the mean Earth radius. */
export function naiveDistanceKm(from: Transaction, to: Transaction): number {
  if (from.latitude === null || from.longitude === null) return Number.NaN
  if (to.latitude === null || to.longitude === null) return Number.NaN
  const degree = Math.PI / 180
  const half = (angle: number) => Math.sin((angle * degree) / 2) * Math.sin((angle * degree) / 2)
  const h =
    half(to.latitude - from.latitude) +
    Math.cos(from.latitude * degree) * Math.cos(to.latitude * degree) * half(to.longitude - from.longitude)
  return 2 * 6371.0088 * Math.asin(Math.min(1, Math.sqrt(h)))
}
