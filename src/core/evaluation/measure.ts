import { type CardDays, cardPrecision, createCardDays, type DaysOfCustomers } from './card-precision.ts'
import type { CandidateColumns, DecisionTable } from './decision-table.ts'
import type { MetricName } from './metrics.ts'
import { type Adder, accounts, type Quantity, total } from './quantities.ts'
import { createRanking, type Ranking, rankMetrics } from './ranking.ts'
import type { Weights } from './resamples.ts'

type Quantities<Name extends string> = Readonly<Record<Name, Quantity>>
type Totals<Q> = { readonly [Name in keyof Q]: number }

/** What is true of a part of the payments, whoever decides. */
export interface PartFacts {
  readonly quantities: Quantities<'payments' | 'judged' | 'frauds' | 'fraudValue' | 'defrauded'>
  readonly judged: Int32Array
  /** By row of the table, not of the part. */
  readonly fraud: Uint8Array
  /** UTC days that the part covers. */
  readonly days: number
}

/** What a candidate made of the part. */
export interface PartDecisions {
  readonly quantities: Quantities<
    | 'alerts'
    | 'flagged'
    | 'caught'
    | 'caughtValue'
    | 'goodDeclined'
    | 'goodChallenged'
    | 'defraudedFlagged'
    | 'honestFlagged'
    | 'squaredErrors'
  >
  readonly ranking: Ranking
  readonly cardDays: CardDays
}

/** What does not change from part to part. */
export interface Shared extends DaysOfCustomers {
  readonly table: DecisionTable
  readonly adder: Adder
}

/** Positions of outcomes in `outcomes` of core/types.ts. */
const [approve, decline] = [0, 3]

/** Whole hundredths add up exactly, in any order. */
const hundredthsOf = (amount: Float64Array) => (row: number) => Math.round((amount[row] as number) * 100)

/** @param judged those of all rows of the part that are old enough. */
export function factsOf(
  { table, adder }: Shared,
  all: Int32Array,
  judged: Int32Array,
  fraud: Uint8Array,
  days: number,
): PartFacts {
  const frauds = judged.filter((row) => fraud[row] === 1)
  const ofFraud = adder.count(frauds)
  const payments = adder.count(all)
  const quantities = {
    payments,
    judged: judged.length === all.length ? payments : adder.count(judged),
    frauds: ofFraud,
    fraudValue: adder.add(frauds, hundredthsOf(table.amount)),
    defrauded: accounts(ofFraud),
  }
  return { quantities, judged, fraud, days }
}

/**
 * @param alerts those of all rows of the part that a person sees.
 * @param ranked the judged rows that have a score, by descending score.
 */
export function decisionsOf(
  shared: Shared,
  { quantities, judged, fraud }: PartFacts,
  { outcome, score }: CandidateColumns,
  alerts: Int32Array,
  ranked: Int32Array,
): PartDecisions {
  const { table, adder } = shared
  const { customer, amount } = table
  const hundredths = hundredthsOf(amount)
  const flagged = judged.filter((row) => outcome[row] !== approve)
  const caught = flagged.filter((row) => fraud[row] === 1)
  const insulted = flagged.filter((row) => fraud[row] === 0)
  const ofFlagged = adder.count(flagged)
  const defrauded = new Set(quantities.defrauded.customers)
  return {
    quantities: {
      alerts: adder.count(alerts),
      flagged: ofFlagged,
      caught: adder.count(caught),
      caughtValue: adder.add(caught, hundredths),
      goodDeclined: adder.add(insulted, (row) => (outcome[row] === decline ? hundredths(row) : 0)),
      goodChallenged: adder.add(insulted, (row) => (outcome[row] === decline ? 0 : hundredths(row))),
      defraudedFlagged: accounts(ofFlagged, (who) => defrauded.has(who)),
      honestFlagged: accounts(ofFlagged, (who) => !defrauded.has(who)),
      squaredErrors: adder.add(ranked, (row) => ((score[row] as number) - (fraud[row] as number)) ** 2),
    },
    ranking: createRanking(ranked, score, customer, fraud),
    cardDays: createCardDays(ranked, shared, fraud),
  }
}

function totals<Q extends Quantities<string>>(quantities: Q, weights: Weights): Totals<Q> {
  const pairs = Object.entries(quantities).map(([name, quantity]) => [name, total(quantity, weights)])
  return Object.fromEntries(pairs) as Totals<Q>
}

export const totalFacts = ({ quantities, days }: PartFacts, weights: Weights) => ({
  ...totals(quantities, weights),
  days,
})

/**
 * Every metric of a resample; NaN where it cannot be said. Definitions: docs/evaluation.md.
 *
 * @param facts those of `totalFacts` with the same weights.
 * @param cards k of card precision@k.
 * @param found scratch: see `cardPrecision`.
 */
export function measure(
  facts: ReturnType<typeof totalFacts>,
  { quantities, ranking, cardDays }: PartDecisions,
  weights: Weights,
  cards: number,
  found: Uint8Array,
): Readonly<Record<MetricName, number>> {
  const { payments, judged, frauds, fraudValue, defrauded, days } = facts
  const of = totals(quantities, weights)
  const { averagePrecision, aucRoc, scored } = rankMetrics(ranking, weights)
  return {
    fraud_value_caught: of.caughtValue / 100,
    fraud_value_missed: (fraudValue - of.caughtValue) / 100,
    value_detection_rate: of.caughtValue / fraudValue,
    good_value_declined: of.goodDeclined / 100,
    good_value_challenged: of.goodChallenged / 100,
    insult_rate: (of.flagged - of.caught) / (judged - frauds),
    alert_rate: of.alerts / payments,
    alerts_per_day: of.alerts / days,
    account_detection_rate: of.defraudedFlagged / defrauded,
    account_false_positive_ratio: ratio(of.honestFlagged, of.defraudedFlagged),
    precision: of.caught / of.flagged,
    recall: of.caught / frauds,
    f1: (2 * of.caught) / (of.flagged + frauds),
    accuracy: (judged - of.flagged - frauds + 2 * of.caught) / judged,
    average_precision: averagePrecision,
    auc_roc: aucRoc,
    card_precision: cardPrecision(cardDays, cards, weights, found),
    brier: of.squaredErrors / scored,
  }
}

/** NaN, not infinite, where nothing was detected: a table has no use for infinity. */
const ratio = (part: number, whole: number): number => (whole === 0 ? Number.NaN : part / whole)
