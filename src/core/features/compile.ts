import { minorUnitExponent } from '../currencies.ts'
import { dayMs } from '../days.ts'
import { type EntityKind, entityKinds } from '../types.ts'
import { Aggregate, type EventFilter, eventScan, type Scan, tileScan } from './aggregates.ts'
import {
  type Column,
  customerFactColumn,
  distinctColumn,
  distinctCustomersColumn,
  type EntityColumn,
  entityFraudColumn,
  entityWindowColumn,
  firstSeenColumn,
  isColumn,
  type Placed,
  transactionColumn,
  windowColumn,
} from './columns.ts'
import { type CustomerLayout, CustomerState } from './customer-state.ts'
import {
  type CustomerWindowFeature,
  durationMs,
  type EntityWindowFeature,
  type FeatureDefinition,
  type FeatureFile,
  type Filter,
  isMatured,
  type RememberedField,
  type RobustFeature,
  type SequenceFeature,
} from './definition.ts'
import { type EntityLayout, EntityState } from './entity-state.ts'
import { channelCode, typeCode } from './event.ts'
import { checkedDuration, entityLayout, invalid, tiersOf, tileOf } from './layout.ts'
import { maturedColumn } from './matured-columns.ts'
import { robustColumn, robustScan } from './robust-columns.ts'
import { sequenceColumn } from './sequence.ts'
import { type FillAggregates, fillerOf, type WriteColumns, writerOf } from './unrolled.ts'

/** A feature file made ready: what to keep, and how each column is computed from it. */
export interface CompiledFeatures {
  readonly file: FeatureFile
  /** Feature names in column order. */
  readonly names: readonly string[]
  /** Columns of the payment and its customer. */
  readonly columns: readonly Placed<Column>[]
  readonly writeColumns: WriteColumns<Parameters<Column>>
  /** Columns of merchants, terminals and devices, by position in entityKinds. */
  readonly entityColumns: readonly (readonly Placed<EntityColumn>[])[]
  readonly writeEntityColumns: readonly WriteColumns<Parameters<EntityColumn>>[]
  /** Column of the feature that tells odd payments; -1 when the file has none. */
  readonly oddColumn: number
  /** Earlier payments by window, and what fills them before columns read them. */
  readonly aggregates: readonly Aggregate[]
  readonly fillAggregates: FillAggregates
  readonly customer: CustomerLayout
  readonly entity: EntityLayout
  /**
   * To open packed states in, one at a time, since they are costly to make. No two chunks can meet in them: a chunk is
   * enriched, or folded, without an await.
   */
  readonly customerState: CustomerState
  readonly entityState: EntityState
  /** Hundredths of the reference currency per minor unit of each accepted currency. */
  readonly factors: ReadonlyMap<string, number>
  /** Entity kinds that some feature reads: for others nothing is kept. */
  readonly kinds: readonly EntityKind[]
  /** 16 hexadecimal digits over everything that gives a column its meaning. */
  readonly hash: string
  /** 8 hexadecimal digits over everything that gives a packed state its meaning. */
  readonly layoutHash: string
}

/**
 * @param sha256 hexadecimal digest of a text.
 * @throws WeirError WEIR_FEATURES_INVALID that names the feature and what is wrong with it.
 */
export function compileFeatures(file: FeatureFile, sha256: (text: string) => string): CompiledFeatures {
  const compiler = new Compiler(file)
  for (const feature of file.features) compiler.add(feature)
  const layout = {
    customer: compiler.customer,
    entity: compiler.entity,
    kinds: compiler.kinds,
    currency: file.reference_currency,
    rates: file.rates,
  }
  const aggregates = compiler.scans.map(() => new Aggregate())
  const meaning = { ...layout, features: file.features.map(({ description: _, ...feature }) => feature) }
  return {
    file,
    names: file.features.map(({ name }) => name),
    columns: compiler.columns,
    writeColumns: writerOf(compiler.columns, 1),
    entityColumns: compiler.entityColumns,
    writeEntityColumns: compiler.entityColumns.map((columns) => writerOf(columns, 2)),
    oddColumn: file.features.findIndex(({ name }) => name === file.entities.odd?.feature),
    aggregates,
    fillAggregates: fillerOf(compiler.scans, aggregates),
    customer: compiler.customer,
    entity: compiler.entity,
    customerState: new CustomerState(compiler.customer),
    entityState: new EntityState(compiler.entity),
    factors: factorsOf(file),
    kinds: compiler.kinds,
    hash: sha256(canonical(meaning)).slice(0, 16),
    layoutHash: sha256(canonical(layout)).slice(0, 8),
  }
}

function factorsOf({ rates }: FeatureFile): Map<string, number> {
  const factors = new Map<string, number>()
  for (const [currency, rate] of Object.entries(rates)) {
    const exponent = minorUnitExponent(currency)
    if (exponent !== undefined) factors.set(currency, (rate * 100) / 10 ** exponent)
  }
  return factors
}

/** JSON with sorted keys: the same meaning gives the same text. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) =>
    part !== null && typeof part === 'object' && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  )
}

/** Of the payment or its customer. */
type OwnFeature = Extract<FeatureDefinition, { readonly entity: 'transaction' | 'customer' }>

class Compiler {
  readonly customer: CustomerLayout
  readonly entity: EntityLayout
  readonly kinds: readonly EntityKind[]
  readonly columns: Placed<Column>[] = []
  readonly entityColumns: Placed<EntityColumn>[][] = entityKinds.map(() => [])
  readonly scans: Scan[] = []
  readonly #scanSlots = new Map<string, number>()
  readonly #file: FeatureFile
  readonly #names = new Set<string>()

  constructor(file: FeatureFile) {
    this.#file = file
    const remember = Object.entries(file.customer.remember) as [RememberedField, number][]
    this.customer = {
      keepEvents: file.customer.keep_events,
      mostEvents: file.customer.most_events,
      tiers: tiersOf(file.customer.tiles, Object.keys(file.customer.tiles)),
      remember: remember.map(([field, capacity]) => ({ field, capacity })),
    }
    this.kinds = entityKinds.filter((kind) => file.features.some(({ entity }) => entity === kind))
    this.entity = entityLayout(file)
  }

  add(feature: FeatureDefinition): void {
    const at = this.#names.size
    if (this.#names.has(feature.name)) throw invalid(feature.name, 'is declared twice')
    this.#names.add(feature.name)
    if (feature.entity === 'transaction' || feature.entity === 'customer') {
      this.columns.push({ at, value: this.#column(feature) })
    } else {
      const value = 'distinct' in feature ? distinctCustomersColumn : this.#entityWindow(feature)
      this.entityColumns[entityKinds.indexOf(feature.entity)]?.push({ at, value })
    }
  }

  #column(feature: OwnFeature): Column {
    if (feature.entity === 'transaction') {
      if ('value' in feature) return transactionColumn(feature.value, this.#file.reference_currency)
      const { channels, types } = filterBits(feature.name, feature.is)
      return isColumn(channels, types)
    }
    if ('fact' in feature) return customerFactColumn(feature.fact)
    if ('first_seen' in feature) {
      return firstSeenColumn(feature.first_seen, this.#memory(feature.name, feature.first_seen))
    }
    if ('sequence' in feature) return this.#sequence(feature)
    if ('robust' in feature) return this.#robust(feature)
    return this.#customerWindow(feature)
  }

  #sequence({ name, sequence, back }: SequenceFeature): Column {
    if (back <= this.customer.keepEvents) return sequenceColumn(sequence, back)
    throw invalid(
      name,
      `looks ${back} payments back, but customer.keep_events is ${this.customer.keepEvents}`,
    )
  }

  #robust(feature: RobustFeature): Column {
    const { name, robust, last, window, times } = feature
    if (last > this.customer.keepEvents) {
      throw invalid(
        name,
        `looks at ${last} payments, but customer.keep_events is ${this.customer.keepEvents}`,
      )
    }
    if ((robust === 'large_count') !== (window !== undefined && times !== undefined)) {
      throw invalid(name, '`window` and `times` go with large_count, which needs both')
    }
    if (window !== undefined) checkedDuration(name, window)
    return robustColumn(
      feature,
      this.#slotOf(`robust ${last}`, () => robustScan(last)),
    )
  }

  #customerWindow(feature: CustomerWindowFeature): Column {
    const windowMs = checkedDuration(feature.name, feature.window)
    if (feature.aggregate === 'distinct') {
      if (feature.field === undefined)
        throw invalid(feature.name, 'counts distinct values but names no `field`')
      const memory = windowMs > dayMs ? this.#memory(feature.name, feature.field) : -1
      return distinctColumn(feature.field, windowMs, memory)
    }
    if (windowMs > dayMs && feature.aggregate === 'min') {
      throw invalid(feature.name, '`min` is kept for windows of up to 24h only')
    }
    return windowColumn(feature.aggregate, this.#scan(feature, windowMs))
  }

  /** Features over the same events share one scan. */
  #scan({ name, window, where, same }: CustomerWindowFeature, windowMs: number): number {
    const filter: EventFilter = { ...filterBits(name, where ?? {}), same: same ?? null }
    const slot = this.#slotOf(JSON.stringify([windowMs, filter]), () =>
      windowMs <= dayMs ? eventScan(windowMs, filter) : this.#tileScan(name, window, windowMs),
    )
    if (windowMs > dayMs && (where !== undefined || same !== undefined)) {
      throw invalid(name, '`where` and `same` go with windows of up to 24h only')
    }
    return slot
  }

  #slotOf(key: string, scan: () => Scan): number {
    const known = this.#scanSlots.get(key)
    if (known !== undefined) return known
    const slot = this.scans.length
    this.scans.push(scan())
    this.#scanSlots.set(key, slot)
    return slot
  }

  #tileScan(name: string, window: string, windowMs: number): Scan {
    const tileMs = tileOf(name, this.#file.customer.tiles, window)
    return tileScan(
      this.customer.tiers.findIndex((tier) => tier.tileMs === tileMs),
      windowMs / tileMs,
    )
  }

  #entityWindow(feature: EntityWindowFeature): EntityColumn {
    const { name, window, aggregate, delay } = feature
    const windowMs = checkedDuration(name, window)
    const tileMs = tileOf(name, this.#file.entities.tiles, window)
    const tier = this.entity.tiers.findIndex((candidate) => candidate.tileMs === tileMs)
    if (isMatured(aggregate)) {
      const delayMs = durationMs(delay ?? '')
      if (Number.isNaN(delayMs) || delayMs % tileMs !== 0) {
        throw invalid(name, `\`delay\` must be given in whole tiles of ${this.#file.entities.tiles[window]}`)
      }
      if (tileMs !== this.entity.paymentFrauds?.tileMs) {
        throw invalid(name, 'looks at matured payments: all windows of those must have the same tile')
      }
      return maturedColumn(aggregate, { tier, tileMs, tiles: windowMs / tileMs, delayMs })
    }
    if (aggregate === 'fraud_count' || aggregate === 'fraud_rate') {
      if (delay === undefined || durationMs(delay) % dayMs !== 0) {
        throw invalid(name, '`delay` must be given in whole days, for example 1d')
      }
      if (tileMs !== dayMs) throw invalid(name, 'fraud labels are kept by day: its window must have 1d tiles')
      return entityFraudColumn(aggregate, tier, windowMs / dayMs, delay)
    }
    if (delay !== undefined) throw invalid(name, '`delay` goes with what is known of frauds only')
    return entityWindowColumn(aggregate, tier, windowMs / tileMs)
  }

  #memory(name: string, field: RememberedField): number {
    const memory = this.customer.remember.findIndex((known) => known.field === field)
    if (memory < 0) throw invalid(name, `needs ${field} under customer.remember`)
    return memory
  }
}

/** One bit for each channel and type that passes; all bits where the filter does not name the field. */
function filterBits(name: string, filter: Filter): { channels: number; types: number } {
  const bits = (values: readonly string[] | undefined, code: (value: string) => number): number => {
    if (values === undefined) return 0xffff
    return values.reduce((sum, value) => {
      if (code(value) < 0) throw invalid(name, `filters by "${value}", which is no channel or type`)
      return sum | (1 << code(value))
    }, 0)
  }
  return { channels: bits(filter.channel, channelCode), types: bits(filter.type, typeCode) }
}
