import type { Evidence } from './verifier/evidence.ts'

/**
 * Seconds in which the partition that waited longest got no decision, from its first decision to its last. Of a feed
 * that reaches every partition all the time this is how long nobody worked on it, and at most the feed's own pause more.
 *
 * @param from, to only what overlaps this time, epoch milliseconds.
 */
export function longestIdle(
  { records }: Pick<Evidence, 'records'>,
  { from, to } = { from: 0, to: Number.POSITIVE_INFINITY },
): number {
  let longestMs = 0
  for (const decisions of records.decisions) {
    for (let i = 1; i < decisions.length; i++) {
      const [before, after] = [decisions[i - 1]?.timestamp ?? 0, decisions[i]?.timestamp ?? 0]
      if (after > from && before < to) longestMs = Math.max(longestMs, after - before)
    }
  }
  return longestMs / 1000
}

/** For figures: a hundredth of a second tells enough. */
export const rounded = (seconds: number): number => Math.round(seconds * 100) / 100
