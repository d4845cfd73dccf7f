/** Days of UTC. */

export const dayMs = 86_400_000

/** Days since 1970. @param time epoch milliseconds. */
export const dayOf = (time: number): number => Math.floor(time / dayMs)

/** 2026-01-05. @param day since 1970. */
export const isoDay = (day: number): string => new Date(day * dayMs).toISOString().slice(0, 10)

/** The earliest and the latest time; the ends of nothing are infinite. */
export function spanOf(times: Float64Array): readonly [first: number, last: number] {
  let [first, last] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  for (const time of times) {
    if (time < first) first = time
    if (time > last) last = time
  }
  return [first, last]
}

/** Days from the first time to the last, both included; 0 where there is none. */
export function daysOf(times: Float64Array): number {
  const [first, last] = spanOf(times)
  return first > last ? 0 : dayOf(last) - dayOf(first) + 1
}
