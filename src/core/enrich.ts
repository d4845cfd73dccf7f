import { minorUnitExponent } from './currencies.ts'
import type { Sight } from './features/columns.ts'
import type { CompiledFeatures } from './features/compile.ts'
import type { CustomerState } from './features/customer-state.ts'
import type { EntityState } from './features/entity-state.ts'
import { type FeatureEvent, toEvent } from './features/event.ts'
import { hash53 } from './hash.ts'
import { type EntityDelta, type EntityKind, entityKinds, type Transaction } from './types.ts'

/** A valid transaction and where it lies on the log. */
export interface Arrival {
  readonly offset: number
  readonly transaction: Transaction
}

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
  /** Row in Enriched.rows; -1 for a duplicate, which has none. */
  readonly row: number
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
  /** Row-major float32 features, one row for each arrival that is no duplicate. */
  readonly rows: Float32Array
  readonly rowCount: number
  /** The customers' states after the chunk. */
  readonly states: readonly (readonly [customerId: string, packed: Buffer])[]
  /** What the chunk adds to merchants, terminals and devices. */
  readonly deltas: readonly EntityDelta[]
}

export const entityKey = (kind: EntityKind, key: string): string => `${kind}:${key}`

/** The partition of entity updates that an entity belongs to. @param key as `entityKey` gives it. */
export const entityHome = (key: string, partitions: number): number => hash53(key) % partitions

/** The identifiers of a transaction's shared entities, in the order of entityKinds. */
export function entityIds(transaction: Transaction): readonly (string | null)[] {
  return [transaction.merchant_id, transaction.terminal_id, transaction.device_id]
}

/** Hundredths of the reference currency per minor unit; undefined when the feature file has no rate for it. */
export function currencyFactor(features: CompiledFeatures, currency: string): number | undefined {
  const rate = features.file.rates[currency]
  const exponent = minorUnitExponent(currency)
  return rate === undefined || exponent === undefined ? undefined : (rate * 100) / 10 ** exponent
}

/**
 * Features of a chunk, each from the state as it was before its event; then the event is added. Pure: the same
 * arrivals and past give the same bits.
 *
 * @param entityAgeLimitMs an older entity value is missing.
 */
export function enrich(
  arrivals: readonly Arrival[],
  past: Past,
  features: CompiledFeatures,
  entityAgeLimitMs: number,
): Enriched {
  const customers = new OpenCustomers(past.customers, features)
  const entities = new OpenEntities(past.entities, features, entityAgeLimitMs)
  const width = features.columns.length
  const rows = new Float32Array(arrivals.length * width)
  const enriched: EnrichedArrival[] = []
  let rowCount = 0
  for (const { offset, transaction } of arrivals) {
    const customer = customers.of(transaction.customer_id)
    const event = toEvent(transaction, offset, currencyFactor(features, transaction.currency) as number)
    const duplicateOf = customer.offsetOf(event.id)
    const late = customer.lastTime > event.time
    if (duplicateOf >= 0) {
      enriched.push({ offset, transaction, row: -1, duplicateOf, late, entityAgeMs: null, stale: false })
      continue
    }
    const used = entities.of(transaction)
    const sight = { transaction, event, customer, aggregates: features.aggregates, entities: used.states }
    writeRow(features, sight, rows, rowCount * width)
    enriched.push({
      offset,
      transaction,
      row: rowCount++,
      duplicateOf,
      late,
      entityAgeMs: used.ageMs,
      stale: used.stale,
    })
    addToCustomer(customer, event, transaction)
    entities.add(used.open, event)
  }
  return {
    arrivals: enriched,
    rows: rows.subarray(0, rowCount * width),
    rowCount,
    states: customers.pack(),
    deltas: entities.deltas,
  }
}

/** Only the customers' states after the chunk: what a rebuild from the log needs. Equal to `enrich(...).states`. */
export function advance(
  arrivals: readonly Arrival[],
  past: Past['customers'],
  features: CompiledFeatures,
): Enriched['states'] {
  const customers = new OpenCustomers(past, features)
  for (const { offset, transaction } of arrivals) {
    const customer = customers.of(transaction.customer_id)
    const event = toEvent(transaction, offset, currencyFactor(features, transaction.currency) as number)
    if (customer.offsetOf(event.id) < 0) addToCustomer(customer, event, transaction)
  }
  return customers.pack()
}

/** What arrivals add to merchants, terminals and devices when nothing of the past is known. */
export function deltasAlone(
  arrivals: readonly Arrival[],
  features: CompiledFeatures,
): readonly EntityDelta[] {
  const entities = new OpenEntities(new Map(), features, 0)
  for (const { offset, transaction } of arrivals) {
    const factor = currencyFactor(features, transaction.currency) as number
    entities.add(entities.of(transaction).open, toEvent(transaction, offset, factor))
  }
  return entities.deltas
}

function addToCustomer(
  customer: CustomerState,
  event: FeatureEvent,
  { latitude, longitude }: Transaction,
): void {
  customer.add(event, latitude ?? Number.NaN, longitude ?? Number.NaN)
}

/** The one bit pattern for a missing value: processors differ in the sign of a computed NaN. */
const missingBits = 0x7fc00000

function writeRow(features: CompiledFeatures, sight: Sight, rows: Float32Array, at: number): void {
  const { scans, aggregates, columns } = features
  for (let i = 0; i < scans.length; i++) scans[i]?.(sight.customer, sight.event, aggregates[i] as never)
  for (let i = 0; i < columns.length; i++) rows[at + i] = columns[i]?.(sight) as number
  const bits = new Uint32Array(rows.buffer, rows.byteOffset + at * 4, columns.length)
  for (let i = 0; i < columns.length; i++) if (Number.isNaN(rows[at + i])) bits[i] = missingBits
}

/** The chunk's customers, opened once each. */
class OpenCustomers {
  readonly #past: Past['customers']
  readonly #features: CompiledFeatures
  readonly #open = new Map<string, CustomerState>()

  constructor(past: Past['customers'], features: CompiledFeatures) {
    this.#past = past
    this.#features = features
    features.customers.startOver()
  }

  of(customerId: string): CustomerState {
    let state = this.#open.get(customerId)
    if (state === undefined) {
      state = this.#features.customers.take().open(this.#past.get(customerId) ?? null)
      this.#open.set(customerId, state)
    }
    return state
  }

  pack(): [string, Buffer][] {
    return [...this.#open].map(([customerId, state]) => [customerId, state.pack()])
  }
}

/** A delta while the chunk adds to it. */
interface GrowingDelta extends EntityDelta {
  count: number
  sum: number
  customers: number[]
}

interface OpenEntity {
  readonly kind: EntityKind
  readonly key: string
  /** Null when its value is too old: then only the delta grows. */
  readonly state: EntityState | null
  readonly ageMs: number
  delta: GrowingDelta | null
}

/** The entities of one transaction. */
interface UsedEntities {
  readonly open: readonly OpenEntity[]
  /** By position in entityKinds; null where there is none to be used. */
  readonly states: (EntityState | null)[]
  readonly ageMs: number | null
  readonly stale: boolean
}

/**
 * The chunk's merchants, terminals and devices: read as they were before the chunk, seen with the chunk's own events
 * as it goes, and what it adds to each.
 */
class OpenEntities {
  readonly deltas: GrowingDelta[] = []
  readonly #past: Past['entities']
  readonly #features: CompiledFeatures
  readonly #ageLimitMs: number
  readonly #tileMs: number
  /** Positions in entityKinds of the kinds that are kept. */
  readonly #positions: readonly number[]
  /** By position in entityKinds, then by identifier. */
  readonly #open = entityKinds.map(() => new Map<string, OpenEntity>())

  constructor(past: Past['entities'], features: CompiledFeatures, ageLimitMs: number) {
    this.#past = past
    this.#features = features
    this.#ageLimitMs = ageLimitMs
    features.entities.startOver()
    this.#tileMs = features.entity.tiers[0]?.tileMs ?? 1
    this.#positions = features.kinds.map((kind) => entityKinds.indexOf(kind))
  }

  of(transaction: Transaction): UsedEntities {
    const ids = entityIds(transaction)
    const open: OpenEntity[] = []
    const states: (EntityState | null)[] = [null, null, null]
    let ageMs: number | null = null
    let stale = false
    for (const position of this.#positions) {
      const id = ids[position]
      if (id === null || id === undefined) continue
      const entity = this.#entity(position, id)
      open.push(entity)
      states[position] = entity.state
      if (entity.state === null) stale = true
      else ageMs = Math.max(ageMs ?? 0, entity.ageMs)
    }
    return { open, states, ageMs, stale }
  }

  add(open: readonly OpenEntity[], event: FeatureEvent): void {
    const time = Math.floor(event.time / this.#tileMs) * this.#tileMs
    for (const entity of open) {
      entity.state?.add(event.time, 1, event.amount)
      const news = entity.state === null || entity.state.addCustomer(event.customer)
      const delta = entity.delta?.time === time ? entity.delta : this.#newDelta(entity, time)
      delta.count += 1
      delta.sum += event.amount
      if (news && !delta.customers.includes(event.customer)) delta.customers.push(event.customer)
    }
  }

  #newDelta(entity: OpenEntity, time: number): GrowingDelta {
    const { kind, key } = entity
    const delta = { kind, key, time, count: 0, sum: 0, frauds: 0, payment_frauds: 0, customers: [] }
    entity.delta = delta
    this.deltas.push(delta)
    return delta
  }

  #entity(position: number, key: string): OpenEntity {
    const known = this.#open[position] as Map<string, OpenEntity>
    let entity = known.get(key)
    if (entity === undefined) {
      const kind = entityKinds[position] as EntityKind
      const value = this.#past.get(entityKey(kind, key))
      const ageMs = value?.ageMs ?? 0
      const usable = value !== undefined && ageMs <= this.#ageLimitMs
      const state = usable ? this.#features.entities.take().open(value.packed) : null
      entity = { kind, key, state, ageMs, delta: null }
      known.set(key, entity)
    }
    return entity
  }
}
