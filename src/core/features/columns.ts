import { dayMs } from '../days.ts'
import type { Transaction } from '../types.ts'
import { type Aggregate, distinctInWindow, standardDeviation } from './aggregates.ts'
import { type CustomerState, remembered } from './customer-state.ts'
import {
  type CustomerFact,
  durationMs,
  type EntityAggregate,
  type RememberedField,
  type TransactionValue,
  type WindowAggregate,
} from './definition.ts'
import type { EntityState } from './entity-state.ts'
import { type FeatureEvent, isCardPresent } from './event.ts'
import { distanceKm } from './geo.ts'
import type { Tiles } from './tiles.ts'

/** All that a column of the payment or its customer may look at: the event and the past before it. */
export interface Sight {
  readonly transaction: Transaction
  readonly event: FeatureEvent
  readonly customer: CustomerState
  /** One per distinct window of the feature file. */
  readonly aggregates: readonly Aggregate[]
}

/** One feature of the payment or its customer: its value, or `missing`. */
export type Column = (sight: Sight) => number

/** One feature of a merchant, terminal or device, from its past before the event. */
export type EntityColumn = (entity: EntityState, event: FeatureEvent) => number

/** A column and its place in the row. */
export interface Placed<C> {
  readonly at: number
  readonly value: C
}

/** What a feature is when it cannot be known. */
const missing = Number.NaN

const hourMs = 3_600_000

/** Values of the transaction itself. Amounts in major units of the reference currency. */
export function transactionColumn(value: TransactionValue, referenceCurrency: string): Column {
  switch (value) {
    case 'amount':
      return ({ event }) => event.amount / 100
    case 'log_amount':
      return ({ event }) => Math.log1p(event.amount / 100)
    case 'round_amount':
      return ({ transaction }) => (transaction.amount_minor % 1000 === 0 ? 1 : 0)
    case 'hour':
      return ({ transaction }) => Math.floor(localTime(transaction) / hourMs) % 24
    case 'night':
      return ({ transaction }) => (Math.floor(localTime(transaction) / hourMs) % 24 < 6 ? 1 : 0)
    case 'weekend':
      // 1970-01-01 was a Thursday: day 2 of each week counted from there is a Saturday.
      return ({ transaction }) => ((Math.floor(localTime(transaction) / dayMs) + 5) % 7 < 2 ? 1 : 0)
    case 'mcc':
      return ({ event }) => event.mcc || missing
    case 'card_present':
      return ({ event }) => (isCardPresent(event.channel) ? 1 : 0)
    case 'foreign_currency':
      return ({ transaction }) => (transaction.currency === referenceCurrency ? 0 : 1)
  }
}

const localTime = (transaction: Transaction): number =>
  transaction.event_time + (transaction.utc_offset_minutes ?? 0) * 60_000

/** An aggregate of the window at `slot`. Amounts in major units of the reference currency. */
export function windowColumn(aggregate: Exclude<WindowAggregate, 'distinct'>, slot: number): Column {
  const of = (sight: Sight): Aggregate => sight.aggregates[slot] as Aggregate
  switch (aggregate) {
    case 'count':
      return (sight) => of(sight).count
    case 'sum':
      return (sight) => of(sight).sum / 100
    case 'mean':
      return (sight) => (of(sight).count === 0 ? missing : of(sight).sum / of(sight).count / 100)
    case 'max':
      return (sight) => (of(sight).count === 0 ? missing : of(sight).max / 100)
    case 'min':
      return (sight) => (of(sight).count === 0 ? missing : of(sight).min / 100)
    case 'std':
      return (sight) => (of(sight).count < 2 ? missing : standardDeviation(of(sight)) / 100)
    case 'ratio':
      return (sight) =>
        of(sight).sum === 0 ? missing : (sight.event.amount * of(sight).count) / of(sight).sum
    case 'zscore':
      return (sight) => zScore(sight.event.amount, of(sight))
  }
}

/** Standard deviations between the amount and the window's mean; a deviation under 1.00 counts as 1.00. */
function zScore(amount: number, aggregate: Aggregate): number {
  if (aggregate.count < 2) return missing
  return (amount - aggregate.sum / aggregate.count) / Math.max(100, standardDeviation(aggregate))
}

/** Distinct values: among kept events up to a day, among remembered values beyond. */
export function distinctColumn(field: RememberedField, windowMs: number, memory: number): Column {
  if (windowMs <= dayMs) return ({ customer, event }) => distinctInWindow(customer, event, windowMs, field)
  return ({ customer, event }) => customer.seen[memory]?.countAfter(event.time - windowMs) ?? missing
}

export function firstSeenColumn(field: RememberedField, memory: number): Column {
  return ({ customer, event }) => {
    const value = remembered(event, field)
    return value === 0 ? missing : customer.seen[memory]?.has(value) ? 0 : 1
  }
}

/** Times in seconds, speed in km/h, distance in km. */
export function customerFactColumn(fact: CustomerFact): Column {
  switch (fact) {
    case 'time_since_last':
      return ({ customer, event }) =>
        customer.total === 0 ? missing : Math.max(0, event.time - customer.lastTime) / 1000
    case 'age':
      return ({ customer, event }) =>
        customer.total === 0 ? missing : Math.max(0, event.time - customer.firstTime) / 1000
    case 'total_count':
      return ({ customer }) => customer.total
    case 'geo_distance':
      return travelKm
    case 'geo_speed':
      // Under a minute counts as a minute: two terminals in one hall are no supersonic flight.
      return (sight) => {
        const km = travelKm(sight)
        if (Number.isNaN(km)) return missing
        const elapsedMs = Math.max(60_000, Math.abs(sight.event.time - sight.customer.geoTime))
        return km / (elapsedMs / hourMs)
      }
  }
}

function travelKm({ customer, transaction }: Sight): number {
  const { latitude, longitude } = transaction
  if (latitude === null || longitude === null || Number.isNaN(customer.geoTime)) return missing
  return distanceKm(customer.latitude, customer.longitude, latitude, longitude)
}

/** An aggregate over everybody at the entity. `tiles` of the tier's tiles end with the current one. */
export function entityWindowColumn(
  aggregate: Exclude<EntityAggregate, 'fraud_count' | 'fraud_rate'>,
  tier: number,
  tiles: number,
): EntityColumn {
  return ({ tiers }, event) => {
    const from = tiers[tier] as Tiles
    const amounts = from.columns[0] as Float64Array
    let count = 0
    let sum = 0
    for (let i = from.from(event.time, tiles), end = from.to(event.time); i < end; i++) {
      count += from.count[i] as number
      sum += amounts[i] as number
    }
    if (aggregate === 'count') return count
    if (aggregate === 'sum') return sum / 100
    if (aggregate === 'mean') return count === 0 ? missing : sum / count / 100
    return sum === 0 ? missing : (event.amount * count) / sum
  }
}

/** Pulls the rate of a rarely used entity towards 0: the rate of n payments counts as if there were 10 good more. */
const priorCount = 10

/**
 * Fraud labels observed in the last `days` whole UTC days that had ended by event time - `delay`, alone or per payment
 * of the same days. What became known later than event time - `delay` cannot be seen.
 */
export function entityFraudColumn(
  aggregate: 'fraud_count' | 'fraud_rate',
  dayTier: number,
  days: number,
  delay: string,
): EntityColumn {
  const lastDayMs = durationMs(delay) + dayMs
  return (entity, event) => {
    const known = event.time - lastDayMs
    // A report from before the window may be taken back within it.
    const frauds = Math.max(0, countIn(entity.frauds, known, days))
    if (aggregate === 'fraud_count') return frauds
    const payments = countIn(entity.tiers[dayTier], known, days)
    return frauds / (payments + priorCount)
  }
}

function countIn(tiles: Tiles | undefined, time: number, window: number): number {
  if (tiles === undefined) return 0
  let count = 0
  for (let i = tiles.from(time, window), end = tiles.to(time); i < end; i++) count += tiles.count[i] as number
  return count
}

export const distinctCustomersColumn: EntityColumn = ({ customers }) => customers.length

/** By value, whether the transaction's channel and type are among those named. */
export function isColumn(channelBits: number, typeBits: number): Column {
  return ({ event }) => (((channelBits >>> event.channel) & (typeBits >>> event.type) & 1) === 1 ? 1 : 0)
}
