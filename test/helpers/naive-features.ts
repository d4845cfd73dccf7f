import { minorUnitExponent } from '../../src/core/currencies.ts'
import {
  type CustomerWindowFeature,
  type EntityWindowFeature,
  type FeatureDefinition,
  type FeatureFile,
  type Filter,
  isMatured,
  type RememberedField,
  type SequenceFeature,
} from '../../src/core/features/definition.ts'
import type { EntityKind, Label, Transaction } from '../../src/core/types.ts'
import { naiveDistanceKm, naiveLocalDay } from './naive-facts.ts'
import { naiveFraud, naiveWords, type Word } from './naive-labels.ts'
import { naiveMatured, naiveRobust } from './naive-matured.ts'

/**
 * The window contract of docs/features.md once more, as plainly as it can be said: whole histories as lists of plain
 * objects, no tiles, no packing, no hashes, every window a filter over everything. The tests hold src/core to it.
 */

const minuteMs = 60_000
const hourMs = 60 * minuteMs
const dayMs = 24 * hourMs

/** A payment that is no duplicate. */
interface Payment {
  readonly transaction: Transaction
  readonly offset: number
  /** Hundredths of the reference currency. */
  readonly amount: number
  readonly chunk: number
  readonly isOdd: boolean
}

/** A fraud report, or one taken back. */
interface Report {
  readonly label: Label
  readonly change: 1 | -1
  readonly chunk: number
}

/** What a transaction may see of merchants, terminals and devices. */
export interface Visible {
  /** Chunks, of payments and of labels, that were folded; a payment's own chunk is visible always. */
  readonly folded: ReadonlySet<number>
  isUsable(kind: EntityKind, key: string): boolean
}

export interface NaiveRow {
  readonly duplicateOf: number
  readonly late: boolean
  /** In column order, float32; empty for a duplicate. */
  readonly features: Float32Array
}

export class NaiveFeatures {
  readonly #file: FeatureFile
  readonly #payments: Payment[] = []
  readonly #reports: Report[] = []
  /** By customer, the labelled transactions, the latest labelled last. */
  readonly #labelled = new Map<string, { id: string; words: readonly Word[] }[]>()

  constructor(file: FeatureFile) {
    this.#file = file
  }

  /** The transaction's features from what came before it; then it has come, too. */
  arrive(transaction: Transaction, offset: number, chunk: number, visible: Visible): NaiveRow {
    const history = this.#payments.filter(
      ({ transaction: { customer_id } }) => customer_id === transaction.customer_id,
    )
    const late = history.some((earlier) => earlier.transaction.event_time > transaction.event_time)
    const first = this.#kept(history).find(
      (earlier) => earlier.transaction.transaction_id === transaction.transaction_id,
    )
    if (first !== undefined) return { duplicateOf: first.offset, late, features: new Float32Array() }
    const now = { transaction, offset, amount: this.#amount(transaction), chunk, isOdd: false }
    const features = Float32Array.from(
      this.#file.features.map((feature) => this.#value(feature, now, history, visible)),
    )
    this.#payments.push({ ...now, isOdd: this.#isOdd(features) })
    return { duplicateOf: -1, late, features }
  }

  /** A label becomes known. */
  label(label: Label, chunk: number): void {
    const before = this.#labelled.get(label.customer_id) ?? []
    const known = before.find(({ id }) => id === label.transaction_id)
    const others = before.filter(({ id }) => id !== label.transaction_id)
    const [said, says] = [known?.words ?? [], naiveWords(known?.words ?? [], label)]
    const after = [...others, { id: label.transaction_id, words: says }].slice(-64)
    this.#labelled.set(label.customer_id, after)
    const [was, is] = [naiveFraud(said), naiveFraud(says)]
    if (is && !was) this.#reports.push({ label, change: 1, chunk })
    if (was && !is) this.#reports.push({ label, change: -1, chunk })
  }

  #isOdd(features: Float32Array): boolean {
    const { odd } = this.#file.entities
    if (odd === undefined) return false
    const value = features[this.#file.features.findIndex(({ name }) => name === odd.feature)] as number
    return Number.isNaN(value) || value >= odd.at_least
  }

  #amount({ amount_minor, currency }: Transaction): number {
    const hundredthsPerMinor =
      ((this.#file.rates[currency] as number) * 100) / 10 ** (minorUnitExponent(currency) as number)
    return Math.round(amount_minor * hundredthsPerMinor)
  }

  #value(feature: FeatureDefinition, now: Payment, history: readonly Payment[], visible: Visible): number {
    if (feature.entity === 'transaction') {
      if ('is' in feature) return passes(feature.is, now.transaction) ? 1 : 0
      return transactionValue(feature.value, now, this.#file.reference_currency)
    }
    if (feature.entity === 'customer') {
      if ('fact' in feature) return customerFact(feature.fact, now.transaction, history)
      if ('sequence' in feature) return sequenceCell(feature, now, this.#kept(history))
      if ('robust' in feature) {
        const latest = this.#kept(history).map(({ amount, transaction }) => ({
          amount,
          time: transaction.event_time,
        }))
        return naiveRobust(feature, { amount: now.amount, time: now.transaction.event_time }, latest)
      }
      if ('first_seen' in feature) return this.#firstSeen(feature.first_seen, now.transaction, history)
      return this.#customerWindow(feature, now, history)
    }
    const key = keyOf(feature.entity, now.transaction)
    if (key === null || !visible.isUsable(feature.entity, key)) return Number.NaN
    const there = this.#payments.filter(
      (payment) =>
        keyOf(feature.entity, payment.transaction) === key &&
        (payment.chunk === now.chunk || visible.folded.has(payment.chunk)),
    )
    if ('distinct' in feature) {
      const customers = new Set(there.map(({ transaction }) => transaction.customer_id))
      return Math.min(this.#file.entities.most_customers, customers.size)
    }
    return this.#entityWindow(feature, key, now, there, visible)
  }

  /** The longest run of latest events, in log order, of at most `most_events`, old ones beyond `keep_events` left out. */
  #kept(history: readonly Payment[]): readonly Payment[] {
    const { keep_events, most_events } = this.#file.customer
    const latest = Math.max(...history.map(({ transaction }) => transaction.event_time))
    for (let size = Math.min(most_events, history.length); size > 0; size--) {
      const run = history.slice(-size)
      if (size <= keep_events || (run[0] as Payment).transaction.event_time > latest - dayMs) return run
    }
    return []
  }

  #firstSeen(field: RememberedField, transaction: Transaction, history: readonly Payment[]): number {
    const value = fieldOf(field, transaction)
    if (value === null) return Number.NaN
    return this.#remembered(field, history).some((known) => known.value === value) ? 0 : 1
  }

  /** The values remembered of a field; whoever was not seen longest gives its place to a new one. */
  #remembered(field: RememberedField, history: readonly Payment[]): { value: string; second: number }[] {
    const places: { value: string; second: number }[] = []
    for (const { transaction } of history) {
      const value = fieldOf(field, transaction)
      if (value === null) continue
      const second = Math.floor(transaction.event_time / 1000)
      const known = places.find((place) => place.value === value)
      if (known !== undefined) known.second = Math.max(known.second, second)
      else if (places.length < (this.#file.customer.remember[field] as number)) places.push({ value, second })
      else {
        const longest = Math.min(...places.map((place) => place.second))
        places[places.findIndex((place) => place.second === longest)] = { value, second }
      }
    }
    return places
  }

  #customerWindow(
    { aggregate, window, field, where, same }: CustomerWindowFeature,
    now: Payment,
    history: readonly Payment[],
  ): number {
    const { event_time } = now.transaction
    const windowMs = milliseconds(window)
    if (aggregate === 'distinct' && windowMs > dayMs) {
      const edge = Math.floor((event_time - windowMs) / 1000)
      return this.#remembered(field as RememberedField, history).filter(({ second }) => second > edge).length
    }
    const tiles = this.#file.customer.tiles
    const inWindow =
      windowMs <= dayMs
        ? this.#kept(history).filter(
            ({ transaction: { event_time: time } }) => time > event_time - windowMs && time <= event_time,
          )
        : inTiles(history, paymentTime, event_time, {
            tileMs: milliseconds(tiles[window] as string),
            windowMs,
            keptMs: longest(tiles, Object.keys(tiles), tiles[window] as string),
          })
    const counted = inWindow.filter(
      ({ transaction }) =>
        passes(where ?? {}, transaction) &&
        (same === undefined || fieldOf(same, transaction) === fieldOf(same, now.transaction)),
    )
    if (aggregate === 'distinct') {
      const values = counted.map(({ transaction }) => fieldOf(field as RememberedField, transaction))
      return new Set(values.filter((value) => value !== null)).size
    }
    return aggregated(
      aggregate,
      now.amount,
      counted.map(({ amount }) => amount),
    )
  }

  #entityWindow(
    { entity, aggregate, window, delay }: EntityWindowFeature,
    key: string,
    now: Payment,
    there: readonly Payment[],
    visible: Visible,
  ): number {
    const { tiles } = this.#file.entities
    const tile = tiles[window] as string
    const tileMs = milliseconds(tile)
    const windowMs = milliseconds(window)
    const declared = this.#file.features.filter(
      (feature): feature is EntityWindowFeature => 'aggregate' in feature && feature.entity !== 'customer',
    )
    const matured = declared.filter((feature) => isMatured(feature.aggregate))
    const byObservation = declared.filter((feature) => feature.delay && !matured.includes(feature))
    const delays = [0, ...byObservation.map((feature) => milliseconds(feature.delay as string) + dayMs)]
    const windows = declared.map((feature) => feature.window)
    const maturedMs = Math.max(
      ...matured.map(
        (one) =>
          milliseconds(one.window) +
          milliseconds(one.delay as string) +
          milliseconds(tiles[one.window] as string),
      ),
    )
    const keptMs = Math.max(
      longest(tiles, windows, tile) + (tileMs === dayMs ? Math.max(...delays) : 0),
      matured.some((one) => tiles[one.window] === tile) ? maturedMs : 0,
    )
    const { event_time } = now.transaction
    if (aggregate !== 'fraud_count' && aggregate !== 'fraud_rate' && !isMatured(aggregate)) {
      const counted = inTiles(there, paymentTime, event_time, { tileMs, windowMs, keptMs })
      return aggregated(
        aggregate,
        now.amount,
        counted.map(({ amount }) => amount),
      )
    }
    const reports = this.#reports.filter(
      ({ label, chunk }) => visible.folded.has(chunk) && keyOf(entity, label) === key,
    )
    if (isMatured(aggregate)) {
      return naiveMatured(aggregate, {
        now: event_time,
        tileMs,
        windowMs,
        delayMs: milliseconds(delay as string),
        payments: stillKept(there, paymentTime, { tileMs, keptMs }).map(paymentTime),
        oddPayments: stillKept(
          there.filter(({ isOdd }) => isOdd),
          paymentTime,
          { tileMs, keptMs: maturedMs },
        ).map(paymentTime),
        reports: stillKept(reports, ({ label }) => label.effective_time, { tileMs, keptMs: maturedMs }).map(
          ({ label, change }) => ({ time: label.effective_time, change }),
        ),
      })
    }
    const lastDay = event_time - milliseconds(delay as string) - dayMs
    const reachMs = Math.max(
      ...byObservation.map((one) => milliseconds(one.window) + milliseconds(one.delay as string) + dayMs),
    )
    const known = inTiles(reports, ({ label }) => label.observed_time, lastDay, {
      tileMs: dayMs,
      windowMs,
      keptMs: reachMs,
    })
    const frauds = Math.max(
      0,
      known.reduce((sum, { change }) => sum + change, 0),
    )
    const payments = inTiles(there, paymentTime, lastDay, { tileMs: dayMs, windowMs, keptMs })
    return aggregate === 'fraud_count' ? frauds : frauds / (payments.length + 10)
  }
}

const paymentTime = ({ transaction }: Payment): number => transaction.event_time

/** Those whose tile is among the window's tiles, which end with the tile of `time`, and is still kept. */
function inTiles<T>(
  all: readonly T[],
  timeOf: (one: T) => number,
  time: number,
  { tileMs, windowMs, keptMs }: { tileMs: number; windowMs: number; keptMs: number },
): readonly T[] {
  const tileOf = (at: number) => Math.floor(at / tileMs)
  return stillKept(all, timeOf, { tileMs, keptMs }).filter((one) => {
    const tile = tileOf(timeOf(one))
    return tile > tileOf(time) - windowMs / tileMs && tile <= tileOf(time)
  })
}

/** Those whose tile is among the last up to the newest. */
function stillKept<T>(
  all: readonly T[],
  timeOf: (one: T) => number,
  { tileMs, keptMs }: { tileMs: number; keptMs: number },
): readonly T[] {
  const tileOf = (one: T) => Math.floor(timeOf(one) / tileMs)
  const newest = Math.max(...all.map(tileOf))
  return all.filter((one) => tileOf(one) > newest - keptMs / tileMs)
}

/** The longest of the windows that are cut into this tile. */
function longest(tiles: Readonly<Record<string, string>>, windows: readonly string[], tile: string): number {
  return Math.max(...windows.filter((window) => tiles[window] === tile).map(milliseconds))
}

function aggregated(aggregate: string, amount: number, earlier: readonly number[]): number {
  const count = earlier.length
  const sum = Number(earlier.reduce((total, one) => total + BigInt(one), 0n))
  const squares = Number(earlier.reduce((total, one) => total + BigInt(one) * BigInt(one), 0n))
  const mean = sum / count
  const deviation = Math.sqrt(Math.max(0, squares / count - mean * mean))
  if (aggregate === 'count') return count
  if (aggregate === 'sum') return sum / 100
  if (aggregate === 'ratio') return sum === 0 ? Number.NaN : (amount * count) / sum
  if (count === 0) return Number.NaN
  if (aggregate === 'mean') return mean / 100
  if (aggregate === 'max') return Math.max(...earlier) / 100
  if (aggregate === 'min') return Math.min(...earlier) / 100
  if (count === 1) return Number.NaN
  if (aggregate === 'std') return deviation / 100
  if (aggregate === 'zscore') return (amount - mean) / Math.max(100, deviation)
  throw new Error(`the contract knows no ${aggregate}`)
}

function transactionValue(
  value: string,
  { transaction, amount }: Payment,
  referenceCurrency: string,
): number {
  const local = naiveLocalDay(transaction.event_time, transaction.utc_offset_minutes)
  switch (value) {
    case 'amount':
      return amount / 100
    case 'log_amount':
      return Math.log1p(amount / 100)
    case 'round_amount':
      return Number(transaction.amount_minor % 1000 === 0)
    case 'hour':
      return local.hour
    case 'night':
      return Number(local.hour < 6)
    case 'weekend':
      return Number(local.day === 'Sat' || local.day === 'Sun')
    case 'mcc':
      return Number(fieldOf('mcc', transaction) ?? Number.NaN)
    case 'card_present':
      return Number(['pos', 'atm'].includes(transaction.channel))
    case 'foreign_currency':
      return Number(transaction.currency !== referenceCurrency)
  }
  throw new Error(`the contract knows no ${value}`)
}

/** @param kept the customer's kept payments, the newest last. */
function sequenceCell({ sequence, back }: SequenceFeature, now: Payment, kept: readonly Payment[]): number {
  const steps = [...kept, now]
  const step = steps.at(-1 - back)
  if (step === undefined) return Number.NaN
  const before = steps.at(-2 - back)
  const { transaction } = step
  const sameAs = (field: RememberedField) => {
    const wanted = fieldOf(field, now.transaction)
    return wanted === null ? Number.NaN : Number(fieldOf(field, transaction) === wanted)
  }
  switch (sequence) {
    case 'log_amount':
      return Math.log1p(step.amount / 100)
    case 'log_gap':
      if (before === undefined) return Number.NaN
      return Math.log1p(Math.max(0, transaction.event_time - before.transaction.event_time) / 1000)
    case 'hour':
      return new Date(transaction.event_time).getUTCHours()
    case 'card_present':
      return Number(['pos', 'atm'].includes(transaction.channel))
    case 'remote':
      return Number(['ecommerce', 'moto'].includes(transaction.channel))
    case 'refund':
      return Number(transaction.type === 'refund')
    case 'same_merchant':
      return sameAs('merchant_id')
    case 'same_device':
      return sameAs('device_id')
    case 'same_country':
      return sameAs('country')
    case 'same_mcc':
      return sameAs('mcc')
  }
}

function customerFact(fact: string, now: Transaction, history: readonly Payment[]): number {
  const times = history.map(paymentTime)
  const placed = history.findLast(({ transaction }) => transaction.latitude !== null)?.transaction
  const km = placed === undefined ? Number.NaN : naiveDistanceKm(placed, now)
  switch (fact) {
    case 'total_count':
      return history.length
    case 'age':
      return times.length === 0 ? Number.NaN : Math.max(0, now.event_time - (times[0] as number)) / 1000
    case 'time_since_last':
      return times.length === 0 ? Number.NaN : Math.max(0, now.event_time - Math.max(...times)) / 1000
    case 'geo_distance':
      return km
    case 'geo_speed': {
      const apartMs = Math.abs(now.event_time - (placed?.event_time ?? 0))
      return km / (Math.max(minuteMs, apartMs) / hourMs)
    }
  }
  throw new Error(`the contract knows no ${fact}`)
}

function keyOf(kind: EntityKind, of: Transaction | Label): string | null {
  return { merchant: of.merchant_id, terminal: of.terminal_id, device: of.device_id }[kind]
}

/** 0000 is no merchant category. */
function fieldOf(field: RememberedField, transaction: Transaction): string | null {
  return field === 'mcc' && transaction.mcc === '0000' ? null : transaction[field]
}

function passes({ channel, type }: Filter, transaction: Transaction): boolean {
  return (channel?.includes(transaction.channel) ?? true) && (type?.includes(transaction.type) ?? true)
}

export function milliseconds(duration: string): number {
  const units: Record<string, number> = { s: 1000, m: minuteMs, h: hourMs, d: dayMs }
  return Number(duration.slice(0, -1)) * (units[duration.slice(-1)] as number)
}
