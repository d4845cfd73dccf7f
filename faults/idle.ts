import type { Config } from '../src/config/schema.ts'
import type { Breaches } from './fault.ts'
import type { Evidence } from './verifier/evidence.ts'

/** A time in which a partition got no decision. */
export interface Idle {
  readonly partition: number
  readonly seconds: number
  /** When it began, epoch milliseconds. */
  readonly since: number
}

/**
 * The longest time in which a partition got no decision, from its first to its last. Of a feed that reaches every
 * partition all the time this is how long nobody worked on it, and at most the feed's own pause more.
 *
 * @param from, to only what overlaps this time, epoch milliseconds.
 */
export function longestIdle(
  { records }: Pick<Evidence, 'records'>,
  { from, to } = { from: 0, to: Number.POSITIVE_INFINITY },
): Idle {
  let longest: Idle = { partition: 0, seconds: 0, since: 0 }
  for (const [partition, decisions] of records.decisions.entries()) {
    for (let i = 1; i < decisions.length; i++) {
      const [since, until] = [decisions[i - 1]?.timestamp ?? 0, decisions[i]?.timestamp ?? 0]
      const seconds = (until - since) / 1000
      if (until > from && since < to && seconds > longest.seconds) longest = { partition, seconds, since }
    }
  }
  return longest
}

/** What a partition may wait for its next owner beyond the time in which a death is noticed. */
const takeOverSeconds = 2

/** Notes a breach where a partition waited for longer. @returns the seconds of the one that waited longest. */
export function boundIdle(
  breaches: Breaches,
  evidence: Pick<Evidence, 'records'>,
  { kafka }: Pick<Config, 'kafka'>,
): number {
  const { partition, seconds, since } = longestIdle(evidence)
  const limit = kafka.session_timeout_ms / 1000 + takeOverSeconds
  breaches.must(
    seconds <= limit,
    `partition ${partition} was idle for ${seconds} s from ${new Date(since).toISOString()} on, longer than ${limit} s`,
  )
  return seconds
}

/** For figures: a hundredth of a second tells enough. */
export const rounded = (seconds: number): number => Math.round(seconds * 100) / 100
