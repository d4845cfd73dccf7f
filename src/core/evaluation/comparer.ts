import { daysOf } from '../days.ts'
import { outcomes } from '../types.ts'
import type { Curves, Estimate, MetricRow, Slice } from './comparison.ts'
import { curvesOf } from './curves.ts'
import type { CandidateColumns, DecisionTable } from './decision-table.ts'
import { decisionsOf, factsOf, measure, type PartDecisions, type Shared, totalFacts } from './measure.ts'
import { type MetricName, metricNames, metrics } from './metrics.ts'
import type { CompareOptions, Contender } from './options.ts'
import { Adder } from './quantities.ts'
import { rank } from './ranking.ts'
import { drawCustomers, once, percentileInterval, type Weights } from './resamples.ts'
import { allRows, type Cut, cutByPeriod, split } from './slices.ts'
import type { Truth } from './truth.ts'

type Measured = Readonly<Record<MetricName, number>>
type Both<T> = readonly [champion: T, candidate: T]

/** Rows of a part of the payments. */
interface PartRows {
  readonly all: Int32Array
  readonly judged: Int32Array
  readonly alerts: Both<Int32Array>
  readonly ranked: Both<Int32Array>
  readonly days: number
}

/** Measures both on any part of the payments; what all parts share is made once. */
export class Comparer {
  readonly #shared: Shared
  readonly #columns: Both<CandidateColumns>
  readonly #truth: Truth
  readonly #rows: Omit<PartRows, 'days'>
  /** Whether anybody labelled any of the judged. */
  readonly #labelled: boolean
  readonly #cards: number
  readonly #once: Weights
  readonly #resamples: readonly Weights[]
  readonly #found: Uint8Array

  constructor(
    table: DecisionTable,
    both: Both<Contender>,
    truth: Truth,
    { cards, resamples, seed }: Pick<CompareOptions, 'cards' | 'resamples' | 'seed'>,
  ) {
    const customers = table.customer.reduce((most, customer) => Math.max(most, customer), -1) + 1
    const all = allRows(table.rows)
    const judged = all.filter((row) => truth.judged[row] === 1)
    const alertsOf = ({ columns: { outcome }, alertOn }: Contender) => {
      const alerting = outcomes.map((name) => alertOn.includes(name))
      return all.filter((row) => alerting[outcome[row] as number] as boolean)
    }
    this.#shared = {
      table,
      adder: new Adder(table.customer, customers),
      byDay: cutByPeriod(table, 'day'),
      customers,
    }
    this.#columns = [both[0].columns, both[1].columns]
    this.#truth = truth
    this.#rows = {
      all,
      judged,
      alerts: [alertsOf(both[0]), alertsOf(both[1])],
      ranked: [rank(judged, both[0].columns.score), rank(judged, both[1].columns.score)],
    }
    this.#labelled = judged.some((row) => truth.labelled[row] === 1)
    this.#cards = cards
    this.#once = once(customers)
    this.#resamples = drawCustomers(customers, resamples, seed)
    this.#found = new Uint8Array(customers)
  }

  /** Over all payments. @param otherTruths what else could be true: makes the bounds. */
  whole(otherTruths: readonly Truth[]): MetricRow[] {
    const rows = { ...this.#rows, days: daysOf(this.#shared.table.eventTime) }
    const cases = otherTruths.flatMap((truth) => this.#measured(rows, truth, [this.#once]))
    return this.#compared(rows, metricNames, cases)
  }

  slices(cut: Cut, names: readonly MetricName[]): Slice[] {
    const { alerts, ranked } = this.#rows
    const [all, judged] = [split(this.#rows.all, cut), split(this.#rows.judged, cut)]
    const alertsOf = [split(alerts[0], cut), split(alerts[1], cut)] as const
    const rankedOf = [split(ranked[0], cut), split(ranked[1], cut)] as const
    const part = (of: readonly Int32Array[], at: number) => of[at] as Int32Array
    return cut.parts.map(({ value, values, days }, at) => {
      const rows: PartRows = {
        all: part(all, at),
        judged: part(judged, at),
        alerts: [part(alertsOf[0], at), part(alertsOf[1], at)],
        ranked: [part(rankedOf[0], at), part(rankedOf[1], at)],
        days,
      }
      return {
        value,
        values,
        payments: rows.all.length,
        judged: rows.judged.length,
        frauds: rows.judged.reduce((sum, row) => sum + (this.#truth.fraud[row] as number), 0),
        metrics: this.#compared(rows, names, null),
      }
    })
  }

  curves(who: 0 | 1): Curves {
    const { judged, ranked } = this.#rows
    return curvesOf(ranked[who], judged, this.#shared.table, this.#columns[who], this.#truth)
  }

  #compared(
    rows: PartRows,
    names: readonly MetricName[],
    cases: readonly Both<Measured>[] | null,
  ): MetricRow[] {
    const samples = this.#measured(rows, this.#truth, [this.#once, ...this.#resamples])
    const canJudge = rows.judged.length > 0 && this.#labelled
    return names.map((metric) => {
      const known = canJudge || !metrics[metric].needsLabels
      const estimate = (of: (pair: Both<Measured>) => number): Estimate =>
        known ? estimated(samples.map(of), cases?.map(of)) : unknownEstimate
      return {
        metric,
        champion: estimate(([champion]) => champion[metric]),
        candidate: estimate(([, candidate]) => candidate[metric]),
        difference: estimate(([champion, candidate]) => candidate[metric] - champion[metric]),
      }
    })
  }

  /** Both, on each resample. */
  #measured(rows: PartRows, { fraud }: Truth, resamples: readonly Weights[]): Both<Measured>[] {
    const { all, judged, alerts, ranked, days } = rows
    const facts = factsOf(this.#shared, all, judged, fraud, days)
    const decided = ([0, 1] as const).map((who) =>
      decisionsOf(this.#shared, facts, this.#columns[who], alerts[who], ranked[who]),
    ) as unknown as Both<PartDecisions>
    return resamples.map((weights) => {
      const totals = totalFacts(facts, weights)
      const of = (one: PartDecisions) => measure(totals, one, weights, this.#cards, this.#found)
      return [of(decided[0]), of(decided[1])]
    })
  }
}

const unknownEstimate: Estimate = { value: null, interval: null, bounds: null }

/** Of nothing. */
export const unknownRow = (metric: MetricName): MetricRow => ({
  metric,
  champion: unknownEstimate,
  candidate: unknownEstimate,
  difference: unknownEstimate,
})

/**
 * @param samples of the sample itself, then of the resamples.
 * @param cases under other truths; undefined: without bounds.
 */
function estimated(samples: readonly number[], cases: readonly number[] | undefined): Estimate {
  const value = samples[0] as number
  const known = [value, ...(cases ?? [])].filter((one) => !Number.isNaN(one))
  return {
    value: Number.isNaN(value) ? null : value,
    interval: percentileInterval(Float64Array.from(samples.slice(1))),
    bounds: cases === undefined || known.length === 0 ? null : [Math.min(...known), Math.max(...known)],
  }
}
