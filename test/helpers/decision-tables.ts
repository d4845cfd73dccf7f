import { compare } from '../../src/core/evaluation/compare.ts'
import type { Comparison, MetricRow } from '../../src/core/evaluation/comparison.ts'
import {
  type CandidateColumns,
  type DecisionTable,
  segmentFields,
  type TextColumn,
} from '../../src/core/evaluation/decision-table.ts'
import type { MetricName } from '../../src/core/evaluation/metrics.ts'
import { type CompareOptions, type Contender, compareDefaults } from '../../src/core/evaluation/options.ts'
import { Random } from '../../src/core/random.ts'

const hourMs = 3_600_000

/** 2026-01-05, a Monday. */
export const tableStart = Date.UTC(2026, 0, 5)

export interface TableOptions {
  readonly rows?: number
  readonly customers?: number
  readonly seed?: number
  readonly days?: number
  readonly fraudShare?: number
  /** Scores have so many values: fewer make more ties. */
  readonly levels?: number
  /** Share of honest payments that somebody labelled; frauds all are, after up to ten days. */
  readonly honestLabelled?: number
}

/** Decisions of two candidates, champion and challenger, that know something of what is fraud. */
export function aDecisionTable(options: TableOptions = {}): DecisionTable {
  const { rows = 1_000, customers = 120, seed = 1, days = 10, fraudShare = 0.05 } = options
  const { levels = 50, honestLabelled = 0.1 } = options
  const random = new Random(seed, 0)
  const eventTime = Float64Array.from(
    { length: rows },
    () => tableStart + random.below(days * 24 * hourMs),
  ).sort()
  const fraud = Uint8Array.from(eventTime, () => (random.chance(fraudShare) ? 1 : 0))
  const labelKnownTime = eventTime.map((time, row) =>
    fraud[row] === 1 || random.chance(honestLabelled) ? time + random.below(240 * hourMs) : Number.NaN,
  )
  const texts = (...values: string[]): TextColumn => ({
    values,
    codes: Int32Array.from(eventTime, () => random.below(values.length + 1) - 1),
  })
  const segments = Object.fromEntries(segmentFields.map((field) => [field, texts('a', 'b', 'c')]))
  return {
    rows,
    eventTime,
    amount: Float64Array.from(eventTime, () => random.below(50_000) / 100),
    customer: Int32Array.from(eventTime, () => random.below(customers)),
    fraud,
    labelKnownTime,
    labelBefore: new Map(),
    segments: segments as DecisionTable['segments'],
    candidates: [
      decided('champion', random, fraud, levels, 0.3),
      decided('challenger', random, fraud, levels, 0.5),
    ],
  }
}

/** @param skill how much of the score is the truth. */
function decided(
  name: string,
  random: Random,
  fraud: Uint8Array,
  levels: number,
  skill: number,
): CandidateColumns {
  const score = Float64Array.from(fraud, (is) => {
    const guess = is === 1 && random.chance(skill) ? 1 : random.unit()
    return Math.floor(guess * random.unit() * levels) / levels
  })
  const riskScore = Int16Array.from(score, (one) => Math.floor(one * 1000))
  return { name, score, riskScore, outcome: Uint8Array.from(riskScore, outcomeOf) }
}

const outcomeOf = (risk: number): number => (risk >= 900 ? 3 : risk >= 750 ? 2 : risk >= 600 ? 1 : 0)

/** Compares the two candidates of a table, with few resamples unless it says otherwise. */
export function compared(table: DecisionTable, options: Partial<CompareOptions> = {}): Comparison {
  const [champion, candidate] = table.candidates.map(
    (columns): Contender => ({ columns, alertOn: ['review', 'decline'] }),
  ) as [Contender, Contender]
  return compare(table, champion, candidate, {
    ...compareDefaults,
    currency: 'EUR',
    resamples: 20,
    ...options,
  })
}

/** A metric over all payments. */
export function metricOf({ metrics }: Pick<Comparison, 'metrics'>, name: MetricName): MetricRow {
  return metrics.find(({ metric }) => metric === name) as MetricRow
}
