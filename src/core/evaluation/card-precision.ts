import type { DecisionTable } from './decision-table.ts'
import type { Weights } from './resamples.ts'
import { type Cut, split } from './slices.ts'

/** Each day's customers by the highest score of the day, made ready for many resamples. */
export interface CardDays {
  readonly customer: Int32Array
  /** 1 where the customer has a fraud on the day. */
  readonly fraud: Uint8Array
  /** Where each day ends in `customer`. */
  readonly ends: Int32Array
}

/** Of all payments: whose they are, and of which day. */
export interface DaysOfCustomers {
  readonly table: Pick<DecisionTable, 'customer'>
  /** By UTC days, in order of time. */
  readonly byDay: Cut
  /** How many there are. */
  readonly customers: number
}

/** @param ranked rows by descending score; of customers with equal scores the one who stands first comes first. */
export function createCardDays(
  ranked: Int32Array,
  { table: { customer }, byDay, customers: most }: DaysOfCustomers,
  fraud: Uint8Array,
): CardDays {
  const days = split(ranked, byDay).filter((rows) => rows.length > 0)
  const customers = new Int32Array(ranked.length)
  const frauds = new Uint8Array(ranked.length)
  const ends: number[] = []
  // One more than the customer's place; those of the days before are known by being lower.
  const placeAfter = new Int32Array(most)
  let length = 0
  for (const rows of days) {
    const begin = length
    for (const row of rows) {
      const who = customer[row] as number
      let place = (placeAfter[who] as number) - 1
      if (place < begin) {
        place = length++
        placeAfter[who] = length
        customers[place] = who
      }
      if (fraud[row] === 1) frauds[place] = 1
    }
    ends.push(length)
  }
  return {
    customer: customers.slice(0, length),
    fraud: frauds.slice(0, length),
    ends: Int32Array.from(ends),
  }
}

/**
 * Card precision@k: the share of defrauded customers among a day's k with the highest scores, as a mean over days; a
 * customer stands for a card, and one that was found is left out on later days. NaN without any day.
 *
 * Le Borgne, Siblini, Lebichot, Bontempi: Reproducible Machine Learning for Credit Card Fraud Detection, Practical
 * Handbook, 2022, chapter 4 (`card_precision_top_k`).
 *
 * @param found scratch: a zero for each customer; given back as it came.
 */
export function cardPrecision(days: CardDays, cards: number, weights: Weights, found: Uint8Array): number {
  const { customer, fraud, ends } = days
  const all: number[] = []
  let [hits, at] = [0, 0]
  for (const end of ends) {
    const ofDay: number[] = []
    for (let left = cards; at < end && left > 0; at++) {
      const who = customer[at] as number
      const weight = Math.min(left, weights[who] as number)
      if (weight === 0 || found[who] === 1) continue
      left -= weight
      if (fraud[at] === 0) continue
      hits += weight
      ofDay.push(who)
    }
    for (const who of ofDay) found[who] = 1
    all.push(...ofDay)
    at = end
  }
  for (const who of all) found[who] = 0
  return ends.length === 0 ? Number.NaN : hits / cards / ends.length
}
