import type { Rejection } from './errors.ts'
import type { EntityColumn } from './features/columns.ts'
import type { CompiledFeatures } from './features/compile.ts'
import type { EntityState } from './features/entity-state.ts'
import { type FeatureEvent, toEvent } from './features/event.ts'
import type { WriteColumns } from './features/unrolled.ts'
import { hash53 } from './hash.ts'
import { type Arrival, type Parties, type Party, partiesOf } from './parties.ts'
import { type EntityDelta, type EntityKind, entityKinds, type Transaction } from './types.ts'

/** A shared entity's packed state as it was read, and how far behind it was: see Decision.entity_age_ms. */
export interface EntityValue {
  readonly packed: Uint8Array | null
  readonly ageMs: number
}

/** What is known of a chunk's customers and entities before its first event. */
export interface Past {
  /** Packed customer states by customer_id; absent or null: a new customer. */
  readonly customers: ReadonlyMap<string, Uint8Array | null>
  /** Entity values by `entityKey`; an absent one is missing. */
  readonly entities: ReadonlyMap<string, EntityValue>
}

/** One arrival with what its features said. */
export interface EnrichedArrival extends Arrival {
  /** Offset of the first event with this transaction_id; -1 when this is the first. */
  readonly duplicateOf: number
  readonly late: boolean
  /** The greatest age among the entity values used; null when none was. */
  readonly entityAgeMs: number | null
  /** True when an entity value was too old to be used. */
  readonly stale: boolean
}

export interface Enriched {
  readonly arrivals: readonly EnrichedArrival[]
  /** Row-major float32 features, one row an arrival; all are missing in that of a duplicate. */
  readonly rows: Float32Array
  /** The customers' states after the chunk. */
  readonly states: readonly (readonly [customerId: string, packed: Buffer])[]
  /** What the chunk adds to merchants, terminals and devices. */
  readonly deltas: readonly EntityDelta[]
}

/** The partition of entity updates that an entity belongs to. @param key as `entityKey` gives it. */
export const entityHome = (key: string, partitions: number): number => hash53(key) % partitions

/** Hundredths of the reference currency per minor unit; undefined when the feature file has no rate for it. */
export function currencyFactor({ factors }: CompiledFeatures, currency: string): number | undefined {
  return factors.get(currency)
}

/** Major units of the reference currency. */
export const amountIn = (
  features: CompiledFeatures,
  { amount_minor, currency }: Pick<Transaction, 'amount_minor' | 'currency'>,
): number => (amount_minor * (currencyFactor(features, currency) as number)) / 100

/** In hundredths of the reference currency: sums over many payments must stay exact, below 2^53. */
const largestAmount = 1e12

/** Why an amount is refused; null when the feature file can compare it with others, and sums of it stay exact. */
export function refusedAmount(
  { currency, amount_minor }: Pick<Transaction, 'currency' | 'amount_minor'>,
  features: CompiledFeatures,
): Rejection | null {
  const factor = currencyFactor(features, currency)
  if (factor === undefined) {
    const message = `currency: the feature file has no rate for ${currency}`
    return { code: 'WEIR_RECORD_UNKNOWN_CURRENCY', message, withhold: false }
  }
  if (amount_minor * factor <= largestAmount) return null
  const message = 'amount_minor: more than 10,000,000,000 of the reference currency'
  return { code: 'WEIR_RECORD_OUT_OF_RANGE', message, withhold: false }
}

/**
 * Features of a chunk, each from the state as it was before its event; then the event is added. Pure: the same
 * arrivals and past give the same bits.
 *
 * Goes by customer, then by entity, each with its own payments in order. None depends on another, and so only one
 * state is open at a time, near the processor.
 *
 * @param entityAgeLimitMs an older entity value is missing.
 * @param parties those of the arrivals, where they are known already.
 */
export function enrich(
  arrivals: readonly Arrival[],
  past: Past,
  features: CompiledFeatures,
  entityAgeLimitMs: number,
  parties: Parties = partiesOf(arrivals, features.kinds),
): Enriched {
  const chunk = begin(arrivals, features)
  const states: [string, Buffer][] = []
  for (const customer of parties.customers) {
    states.push([customer.key, enrichCustomer(chunk, customer, past.customers.get(customer.key) ?? null)])
  }
  const deltas: EntityDelta[] = []
  for (const [kind, entities] of parties.entities.entries()) {
    for (const entity of entities) {
      const value = past.entities.get(entity.key)
      const usable = value !== undefined && value.ageMs <= entityAgeLimitMs ? value : null
      enrichEntity(chunk, kind, entity, usable, deltas)
    }
  }
  oneMissing(chunk.rows)
  return { arrivals: chunk.arrivals, rows: chunk.rows, states, deltas }
}

/** Only the customers' states after the chunk: what a rebuild from the log needs. Equal to `enrich(...).states`. */
export function advance(
  arrivals: readonly Arrival[],
  past: Past['customers'],
  features: CompiledFeatures,
): Enriched['states'] {
  const { customerState: state } = features
  return partiesOf(arrivals, []).customers.map(({ key, arrivals: places }) => {
    state.open(past.get(key) ?? null)
    for (const place of places) {
      const { offset, transaction } = arrivals[place] as Arrival
      const event = eventOf(transaction, offset, features)
      if (state.offsetOf(event.id) < 0) state.add(event, transaction)
    }
    return [key, state.pack()] as const
  })
}

/** What arrivals add to merchants, terminals and devices when nothing of the past is known. */
export function deltasAlone(
  arrivals: readonly Arrival[],
  features: CompiledFeatures,
): readonly EntityDelta[] {
  const chunk = begin(arrivals, features)
  const deltas: EntityDelta[] = []
  for (const [kind, entities] of partiesOf(arrivals, features.kinds).entities.entries()) {
    for (const entity of entities) enrichEntity(chunk, kind, entity, null, deltas)
  }
  return deltas
}

/** A chunk while its features are being found. */
export interface Enriching {
  readonly features: CompiledFeatures
  readonly events: readonly FeatureEvent[]
  readonly arrivals: readonly { -readonly [Field in keyof EnrichedArrival]: EnrichedArrival[Field] }[]
  readonly rows: Float32Array
}

export function begin(arrivals: readonly Arrival[], features: CompiledFeatures): Enriching {
  const events: FeatureEvent[] = []
  const begun: Enriching['arrivals'][number][] = []
  for (const { partition, offset, transaction } of arrivals) {
    events.push(eventOf(transaction, offset, features))
    begun.push({
      partition,
      offset,
      transaction,
      duplicateOf: -1,
      late: false,
      entityAgeMs: null,
      stale: false,
    })
  }
  const rows = new Float32Array(arrivals.length * features.names.length).fill(Number.NaN)
  return { features, events, arrivals: begun, rows }
}

function eventOf(transaction: Transaction, offset: number, features: CompiledFeatures): FeatureEvent {
  return toEvent(transaction, offset, currencyFactor(features, transaction.currency) as number)
}

/**
 * Writes a customer's columns into the rows of their payments.
 *
 * @returns the packed state after the chunk.
 */
export function enrichCustomer(
  { features, events, arrivals, rows }: Enriching,
  customer: Party,
  packed: Uint8Array | null,
): Buffer {
  const { names, aggregates, fillAggregates, writeColumns } = features
  const state = features.customerState.open(packed)
  for (const place of customer.arrivals) {
    const event = events[place] as FeatureEvent
    const arrival = arrivals[place] as Enriching['arrivals'][number]
    const { transaction } = arrival
    arrival.late = state.lastTime > event.time
    arrival.duplicateOf = state.offsetOf(event.id)
    if (arrival.duplicateOf >= 0) continue
    fillAggregates(state, event)
    const sight = { transaction, event, customer: state, aggregates }
    writeColumns(rows, place * names.length, sight)
    state.add(event, transaction)
  }
  return state.pack()
}

/**
 * Reads the entity as it was before the chunk, and with the chunk's own payments as it goes.
 *
 * @param value null when it is too old to be used.
 * @param deltas gets what the chunk adds to it: one for each of its finest tiles.
 */
function enrichEntity(
  chunk: Enriching,
  kind: number,
  entity: Party,
  value: EntityValue | null,
  deltas: EntityDelta[],
): void {
  const { features, events, arrivals } = chunk
  const tileMs = features.entity.tiers[0]?.tileMs ?? 1
  const state = value === null ? null : features.entityState.open(value.packed)
  let delta = null as GrowingDelta | null
  for (const place of entity.arrivals) {
    const event = events[place] as FeatureEvent
    const arrival = arrivals[place] as Enriching['arrivals'][number]
    if (arrival.duplicateOf >= 0) continue
    const odd = oddCount(chunk, place)
    if (state === null || value === null) arrival.stale = true
    else {
      readEntity(chunk, kind, place, state, value.ageMs)
      state.add(event.time, 1, event.amount)
      state.addOddPayments(event.time, odd)
    }
    const isNew = state === null || state.addCustomer(event.customer)
    const time = Math.floor(event.time / tileMs) * tileMs
    if (delta?.time === time) {
      delta.count += 1
      delta.sum += event.amount
      delta.odd_payments += odd
      if (isNew && !delta.customers.includes(event.customer)) delta.customers.push(event.customer)
      continue
    }
    delta = {
      kind: entityKinds[kind] as EntityKind,
      key: entity.id,
      time,
      count: 1,
      sum: event.amount,
      frauds: 0,
      payment_frauds: 0,
      odd_payments: odd,
      customers: isNew ? [event.customer] : [],
    }
    deltas.push(delta)
  }
}

/** 1 for an odd payment, else 0: by what `enrichCustomer` wrote; where it wrote nothing, the payment is odd. */
export function oddCount({ features, rows }: Enriching, place: number): 0 | 1 {
  const { names, oddColumn, entity } = features
  if (entity.oddPayments === undefined) return 0
  return (rows[place * names.length + oddColumn] as number) < entity.oddPayments.atLeast ? 0 : 1
}

/** Writes an entity's columns, from its state as it stands, into the row of one payment. */
export function readEntity(
  { features, events, arrivals, rows }: Enriching,
  kind: number,
  place: number,
  state: EntityState,
  ageMs: number,
): void {
  const write = features.writeEntityColumns[kind] as WriteColumns<Parameters<EntityColumn>>
  const event = events[place] as FeatureEvent
  const arrival = arrivals[place] as Enriching['arrivals'][number]
  arrival.entityAgeMs = Math.max(arrival.entityAgeMs ?? 0, ageMs)
  write(rows, place * features.names.length, state, event)
}

/** A delta while the chunk adds to it. */
interface GrowingDelta extends EntityDelta {
  count: number
  sum: number
  odd_payments: number
  readonly customers: number[]
}

const missingBits = 0x7fc00000
const infiniteBits = 0x7f800000

/** The one bit pattern for a missing value: processors differ in the sign of a computed NaN. */
export function oneMissing(rows: Float32Array): void {
  const bits = new Uint32Array(rows.buffer)
  for (let i = 0; i < bits.length; i++) {
    if (((bits[i] as number) & 0x7fffffff) > infiniteBits) bits[i] = missingBits
  }
}
