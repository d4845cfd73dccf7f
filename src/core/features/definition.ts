import { dayMs } from '../days.ts'
import type { EntityKind } from '../types.ts'

/**
 * A feature file in the words of src/core: what config/features-file.ts reads from YAML and what compile.ts turns
 * into a state layout and columns. The window contract, line by line, is docs/features.md.
 */
export interface FeatureFile {
  readonly version: number
  /** ISO 4217 code that amounts are converted to; its minor unit must be a hundredth. */
  readonly reference_currency: string
  /** Value of one major unit of each accepted currency in the reference currency. Fixed on purpose: see the contract. */
  readonly rates: Readonly<Record<string, number>>
  readonly customer: CustomerSettings
  readonly entities: EntitySettings
  /** In column order: the order of the model's input. */
  readonly features: readonly FeatureDefinition[]
}

export interface CustomerSettings {
  /** Events always kept, whatever their age: what sequence models and `geo_speed` look back on. */
  readonly keep_events: number
  /** Events kept at most, and so the most that a window of up to a day can see. */
  readonly most_events: number
  /** Windows longer than a day and the tile each is cut into. */
  readonly tiles: Readonly<Record<string, string>>
  /** How many different values of a field are remembered; the one not seen longest gives way. */
  readonly remember: Readonly<Partial<Record<RememberedField, number>>>
}

export interface EntitySettings {
  /** Every window of an entity and the tile it is cut into. */
  readonly tiles: Readonly<Record<string, string>>
  /** How many distinct customers are told apart. */
  readonly most_customers: number
  /** Needed by fraud_run_usual alone. */
  readonly odd?: OddSettings | undefined
}

/** A payment is odd for its customer when a feature of it is at least so much, or missing. */
export interface OddSettings {
  /** Name of a feature of the transaction or its customer. */
  readonly feature: string
  readonly at_least: number
}

export const rememberedFields = ['merchant_id', 'device_id', 'country', 'mcc'] as const
export type RememberedField = (typeof rememberedFields)[number]

export const transactionValues = [
  'amount',
  'log_amount',
  'round_amount',
  'hour',
  'night',
  'weekend',
  'mcc',
  'card_present',
  'foreign_currency',
] as const
export type TransactionValue = (typeof transactionValues)[number]

export const windowAggregates = [
  'count',
  'sum',
  'mean',
  'max',
  'min',
  'std',
  'distinct',
  'ratio',
  'zscore',
] as const
export type WindowAggregate = (typeof windowAggregates)[number]

export const customerFacts = ['time_since_last', 'age', 'total_count', 'geo_speed', 'geo_distance'] as const
export type CustomerFact = (typeof customerFacts)[number]

/** By the median of the customer's latest payments, which a few odd amounts do not move. */
export const robustAggregates = ['median', 'ratio', 'zscore', 'large_count'] as const
export type RobustAggregate = (typeof robustAggregates)[number]

/** What a step of a customer's sequence of payments can tell. */
export const sequenceChannels = [
  'log_amount',
  'log_gap',
  'hour',
  'card_present',
  'remote',
  'refund',
  'same_merchant',
  'same_device',
  'same_country',
  'same_mcc',
] as const
export type SequenceChannel = (typeof sequenceChannels)[number]

/** What is known of the payments at an entity that are old enough for their frauds to be known. */
export const maturedAggregates = [
  'matured_count',
  'matured_fraud_count',
  'matured_fraud_rate',
  'time_since_fraud',
  'time_since_good',
  'fraud_run',
  'fraud_run_usual',
  'fraud_run_age',
] as const
export type MaturedAggregate = (typeof maturedAggregates)[number]

export const isMatured = (aggregate: EntityAggregate): aggregate is MaturedAggregate =>
  (maturedAggregates as readonly string[]).includes(aggregate)

export const entityAggregates = [
  'count',
  'sum',
  'mean',
  'ratio',
  'fraud_count',
  'fraud_rate',
  ...maturedAggregates,
] as const
export type EntityAggregate = (typeof entityAggregates)[number]

interface Named {
  readonly name: string
  /** One sentence for people, with the unit. */
  readonly description: string
}

/** A value of the transaction itself. */
export interface TransactionFeature extends Named {
  readonly entity: 'transaction'
  readonly value: TransactionValue
}

/** 1 when a field of the transaction has one of the values, else 0. */
export interface IsFeature extends Named {
  readonly entity: 'transaction'
  readonly is: Readonly<Filter>
}

/** An aggregate over the customer's earlier events in a window. */
export interface CustomerWindowFeature extends Named {
  readonly entity: 'customer'
  readonly aggregate: WindowAggregate
  readonly window: string
  /** What `distinct` counts. */
  readonly field?: RememberedField | undefined
  /** Only events with these values; windows of up to a day. */
  readonly where?: Readonly<Filter> | undefined
  /** Only events with the same value of this field as the transaction; windows of up to a day. */
  readonly same?: RememberedField | undefined
}

/** Something about the customer's past that has no window. */
export interface CustomerFactFeature extends Named {
  readonly entity: 'customer'
  readonly fact: CustomerFact
}

/** 1 when this value of the field is not remembered of the customer, else 0; missing when the field is. */
export interface FirstSeenFeature extends Named {
  readonly entity: 'customer'
  readonly first_seen: RememberedField
}

/** The amount against the median of the customer's kept payments, or how many of them are far above it. */
export interface RobustFeature extends Named {
  readonly entity: 'customer'
  readonly robust: RobustAggregate
  /** The median is of so many payments at most, the latest in log order; no more than keep_events. */
  readonly last: number
  /** For large_count: of these, the ones in the window of at least so many times the median. */
  readonly window?: string | undefined
  readonly times?: number | undefined
}

/** One cell of the customer's latest payments read as a sequence: for networks that see steps and channels. */
export interface SequenceFeature extends Named {
  readonly entity: 'customer'
  readonly sequence: SequenceChannel
  /** How many payments back in log order; 0 is the transaction itself. */
  readonly back: number
}

/** An aggregate over everybody's events at this merchant, terminal or device. */
export interface EntityWindowFeature extends Named {
  readonly entity: EntityKind
  readonly aggregate: EntityAggregate
  readonly window: string
  /** For fraud_count and fraud_rate: as known this many whole days ago. For matured ones: the age at which one is. */
  readonly delay?: string | undefined
}

/** Distinct customers seen at this merchant, terminal or device, up to most_customers. */
export interface DistinctCustomersFeature extends Named {
  readonly entity: EntityKind
  readonly distinct: 'customer_id'
}

export type FeatureDefinition =
  | TransactionFeature
  | IsFeature
  | CustomerWindowFeature
  | CustomerFactFeature
  | FirstSeenFeature
  | SequenceFeature
  | RobustFeature
  | EntityWindowFeature
  | DistinctCustomersFeature

/** All given fields must match one of their values. */
export interface Filter {
  readonly channel?: readonly string[] | undefined
  readonly type?: readonly string[] | undefined
}

const unitMs = { s: 1000, m: 60_000, h: 3_600_000, d: dayMs } as const

/** Milliseconds of "10m", "1h", "30d" …; NaN when it is not such a text. */
export function durationMs(text: string): number {
  const match = /^([1-9][0-9]*)([smhd])$/.exec(text)
  if (match === null) return Number.NaN
  return Number(match[1]) * unitMs[match[2] as keyof typeof unitMs]
}
