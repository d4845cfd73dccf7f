import type { Decision } from '../src/core/types.ts'
import type { Evidence } from './verifier/evidence.ts'
import { plainAvro } from './verifier/plain-avro.ts'

const decisions = plainAvro<Decision>('decision.avsc')

/** A payment and its decision, both by the broker's clock, epoch milliseconds. */
export interface Wait {
  readonly partition: number
  readonly arrived: number
  /** When readers could see the decision: when its transaction was committed. */
  readonly decided: number
  readonly degraded: boolean
}

/** How long each decided payment waited. The scene must have `arrivalTimes`. */
export function waitsOf({ records }: Pick<Evidence, 'records'>): Wait[] {
  return records.decisions.flatMap((answers, partition) => {
    const arrivals = new Map(
      records.transactions[partition]?.map(({ offset, timestamp }) => [offset, timestamp]),
    )
    return answers.map(({ value, visibleAt = Number.NaN }) => {
      const { decision_id, status } = decisions.read(value)
      const offset = Number(decision_id.slice(decision_id.lastIndexOf('-') + 1))
      const arrived = arrivals.get(offset) ?? Number.NaN
      return { partition, arrived, decided: visibleAt, degraded: status === 'degraded' }
    })
  })
}

/** What was measured of one fault. */
export interface Outage {
  readonly name: string
  /** When it began, when what was taken away was back, and until when its traces are its own: epoch milliseconds. */
  readonly from: number
  readonly back: number
  readonly until: number
}

/** The figures of an outage: names end in their unit, and begin with its own. */
export function figuresOf(
  { name, from, back, until }: Outage,
  waits: readonly Wait[],
): Record<string, number> {
  const met = waits.filter(({ arrived }) => arrived >= from && arrived < until)
  const ms = met.map(({ arrived, decided }) => decided - arrived).sort((a, b) => a - b)
  const degraded = met.filter((wait) => wait.degraded)
  const last = Math.max(back, ...degraded.map(({ decided }) => decided))
  return {
    [`${name}_degraded`]: degraded.length,
    [`${name}_p99_ms`]: ms[Math.floor(ms.length * 0.99)] ?? Number.NaN,
    [`${name}_max_ms`]: ms.at(-1) ?? Number.NaN,
    // A payment is scored on exact states only: after the last that was not, all partitions have them again.
    [`${name}_exact_after_s`]: (last - back) / 1_000,
  }
}
