import { dayMs } from '../days.ts'
import type { Transaction } from '../types.ts'
import type { RememberedField } from './definition.ts'
import type { FeatureEvent } from './event.ts'
import { packer, type Sizes, unpacker } from './packing.ts'
import { type Tier, Tiles } from './tiles.ts'

/** What is kept of a customer, as the feature file asks. */
export interface CustomerLayout {
  readonly keepEvents: number
  readonly mostEvents: number
  readonly tiers: readonly Tier[]
  readonly remember: readonly { readonly field: RememberedField; readonly capacity: number }[]
}

/** Columns of a customer's tiles besides the count. */
export const sumColumn = 0
export const squaresColumn = 1
export const maxColumn = 2

const version = 1

/** The value of a remembered field in an event, as a 32-bit number; 0 when absent. */
export function remembered(event: FeatureEvent, field: RememberedField): number {
  switch (field) {
    case 'merchant_id':
      return event.merchant
    case 'device_id':
      return event.device
    case 'country':
      return event.country
    case 'mcc':
      return event.mcc
  }
}

/** The customer's latest events in log order: entries [0, size) of the columns, the newest last. */
export class Events {
  size = 0
  readonly time: Float64Array
  readonly amount: Float64Array
  readonly id: Float64Array
  readonly offset: Float64Array
  readonly merchant: Uint32Array
  readonly device: Uint32Array
  /** country << 16 | mcc. */
  readonly place: Uint32Array
  /** channel << 8 | type. */
  readonly kind: Uint32Array
  readonly doubles: readonly Float64Array[]
  readonly words: readonly Uint32Array[]

  constructor(capacity: number) {
    // One piece of memory, as in Tiles.
    const memory = new ArrayBuffer(capacity * 48)
    this.time = new Float64Array(memory, 0, capacity)
    this.amount = new Float64Array(memory, capacity * 8, capacity)
    this.id = new Float64Array(memory, capacity * 16, capacity)
    this.offset = new Float64Array(memory, capacity * 24, capacity)
    this.merchant = new Uint32Array(memory, capacity * 32, capacity)
    this.device = new Uint32Array(memory, capacity * 36, capacity)
    this.place = new Uint32Array(memory, capacity * 40, capacity)
    this.kind = new Uint32Array(memory, capacity * 44, capacity)
    this.doubles = [this.time, this.amount, this.id, this.offset]
    this.words = [this.merchant, this.device, this.place, this.kind]
  }

  append(event: FeatureEvent): void {
    const at = this.size++
    this.time[at] = event.time
    this.amount[at] = event.amount
    this.id[at] = event.id
    this.offset[at] = event.offset
    this.merchant[at] = event.merchant
    this.device[at] = event.device
    this.place[at] = (event.country << 16) | event.mcc
    this.kind[at] = (event.channel << 8) | event.type
  }

  dropOldest(dropped: number): void {
    // For every other event: a loop over columns, of two types of array, takes three times as long.
    const { time, amount, id, offset, merchant, device, place, kind, size } = this
    for (let from = dropped, to = 0; from < size; from++, to++) {
      time[to] = time[from] as number
      amount[to] = amount[from] as number
      id[to] = id[from] as number
      offset[to] = offset[from] as number
      merchant[to] = merchant[from] as number
      device[to] = device[from] as number
      place[to] = place[from] as number
      kind[to] = kind[from] as number
    }
    this.size -= dropped
  }

  /** The remembered field of one entry, comparable with `remembered` of an event. */
  value(at: number, field: RememberedField): number {
    switch (field) {
      case 'merchant_id':
        return this.merchant[at] as number
      case 'device_id':
        return this.device[at] as number
      case 'country':
        return (this.place[at] as number) >>> 16
      case 'mcc':
        return (this.place[at] as number) & 0xffff
    }
  }
}

/** The values of one field seen of a customer, each with when last, in seconds: entries [0, size). */
export class Seen {
  readonly field: RememberedField
  size = 0
  readonly value: Uint32Array
  readonly lastSeconds: Uint32Array

  constructor(field: RememberedField, capacity: number) {
    this.field = field
    const memory = new ArrayBuffer(capacity * 8)
    this.value = new Uint32Array(memory, 0, capacity)
    this.lastSeconds = new Uint32Array(memory, capacity * 4, capacity)
  }

  has(value: number): boolean {
    return this.#placeOf(value) >= 0
  }

  /** Values last seen after the second that `time` (epoch milliseconds) falls into. */
  countAfter(time: number): number {
    const seconds = Math.floor(time / 1000)
    let count = 0
    for (let i = 0; i < this.size; i++) if ((this.lastSeconds[i] as number) > seconds) count++
    return count
  }

  add(value: number, time: number): void {
    const seconds = Math.floor(time / 1000)
    let at = this.#placeOf(value)
    if (at < 0) {
      at = this.size < this.value.length ? this.size++ : this.#longestUnseen()
      this.value[at] = value
      this.lastSeconds[at] = 0
    }
    if (seconds > (this.lastSeconds[at] as number)) this.lastSeconds[at] = seconds
  }

  #placeOf(value: number): number {
    for (let i = 0; i < this.size; i++) if (this.value[i] === value) return i
    return -1
  }

  #longestUnseen(): number {
    let oldest = 0
    for (let i = 1; i < this.size; i++) {
      if ((this.lastSeconds[i] as number) < (this.lastSeconds[oldest] as number)) oldest = i
    }
    return oldest
  }
}

/** A customer's past, opened for reading features and for adding events. Reusable: `open` starts it anew. */
export class CustomerState {
  readonly #layout: CustomerLayout
  readonly events: Events
  readonly tiers: readonly Tiles[]
  readonly seen: readonly Seen[]
  /** Version, events, then one size a tier and memory: padded, so that the doubles after it are aligned. */
  readonly #head: Uint32Array
  /** Events ever added. */
  total = 0
  /** Latest and first-added event_time; NaN while there is none. */
  lastTime = Number.NaN
  firstTime = Number.NaN
  /** The latest added event that had a place: when and where; NaN while there is none. */
  geoTime = Number.NaN
  latitude = Number.NaN
  longitude = Number.NaN
  /** What `dayBefore` was asked for last, and its answer; null where events have changed since. */
  #dayOf: FeatureEvent | null = null
  #dayFrom = 0

  constructor(layout: CustomerLayout) {
    this.#layout = layout
    this.events = new Events(layout.mostEvents)
    this.tiers = layout.tiers.map((tier) => new Tiles(tier, 3))
    this.seen = layout.remember.map(({ field, capacity }) => new Seen(field, capacity))
    this.#head = new Uint32Array(even(2 + this.tiers.length + this.seen.length))
  }

  /** Offset of the kept event with this transaction id, or -1. */
  offsetOf(id: number): number {
    const { events } = this
    for (let i = events.size - 1; i >= 0; i--) if (events.id[i] === id) return events.offset[i] as number
    return -1
  }

  /**
   * The first kept event that is later than a day before this one: none of those in front of it lies in a window of up
   * to a day. Looked for once for all features.
   */
  dayBefore(event: FeatureEvent): number {
    if (event !== this.#dayOf) {
      const { size, time } = this.events
      const from = event.time - dayMs
      let first = 0
      while (first < size && (time[first] as number) <= from) first++
      this.#dayOf = event
      this.#dayFrom = first
    }
    return this.#dayFrom
  }

  /** Adds an event; its place is null where it has none. */
  add(event: FeatureEvent, { latitude, longitude }: Pick<Transaction, 'latitude' | 'longitude'>): void {
    this.#dayOf = null
    this.total += 1
    if (!(this.lastTime >= event.time)) this.lastTime = event.time
    if (this.total === 1) this.firstTime = event.time
    if (latitude !== null && longitude !== null) {
      this.geoTime = event.time
      this.latitude = latitude
      this.longitude = longitude
    }
    this.#addToEvents(event)
    for (const tiles of this.tiers) addToTiles(tiles, event)
    for (const seen of this.seen) {
      const value = remembered(event, seen.field)
      if (value !== 0) seen.add(value, event.time)
    }
  }

  #addToEvents(event: FeatureEvent): void {
    const { events } = this
    const { keepEvents, mostEvents } = this.#layout
    if (events.size === mostEvents) events.dropOldest(1)
    events.append(event)
    const horizon = this.lastTime - dayMs
    let dropped = 0
    while (events.size - dropped > keepEvents && (events.time[dropped] as number) <= horizon) dropped++
    if (dropped > 0) events.dropOldest(dropped)
  }

  /** Starts anew from packed bytes, or empty. Throws a RangeError on bytes of another version or length. */
  open(packed: Uint8Array | null): this {
    this.#dayOf = null
    if (packed === null) return this.#clear()
    const { tiers, seen, events } = this
    const from = unpacker.begin(packed, this.#head.length, this.#sizes)
    events.size = from.head(1)
    this.total = from.number()
    this.lastTime = from.number()
    this.firstTime = from.number()
    this.geoTime = from.number()
    this.latitude = from.number()
    this.longitude = from.number()
    for (const column of events.doubles) from.doubles(column, events.size)
    for (const column of events.words) from.words(column, events.size)
    let section = 2
    for (const tiles of tiers) from.tiles(tiles, from.head(section++))
    for (const set of seen) {
      set.size = from.head(section++)
      from.words(set.value, set.size)
      from.words(set.lastSeconds, set.size)
    }
    return this
  }

  /** The packed bytes: equal states give equal bytes. */
  pack(): Buffer {
    const { tiers, seen, events } = this
    const head = this.#head
    head[0] = version
    head[1] = events.size
    let section = 2
    for (const tiles of tiers) head[section++] = tiles.size
    for (const set of seen) head[section++] = set.size
    const to = packer.begin(head, this.#sizes(head))
    to.number(this.total)
    to.number(this.lastTime)
    to.number(this.firstTime)
    to.number(this.geoTime)
    to.number(this.latitude)
    to.number(this.longitude)
    for (const column of events.doubles) to.doubles(column, events.size)
    for (const column of events.words) to.words(column, events.size)
    for (const tiles of tiers) to.tiles(tiles)
    for (const set of seen) {
      to.words(set.value, set.size)
      to.words(set.lastSeconds, set.size)
    }
    return to.take()
  }

  readonly #sizes = (head: ArrayLike<number>): Sizes => {
    if (head[0] !== version)
      throw new RangeError(`customer state of version ${head[0]}, this release reads ${version}`)
    const events = checkedSize(head[1], this.#layout.mostEvents)
    let doubles = 6 + events * 4
    let words = events * 4
    let section = 2
    for (const { capacity } of this.tiers) {
      const tiles = checkedSize(head[section++], capacity)
      doubles += tiles * 3
      words += tiles * 2
    }
    for (const { value } of this.seen) words += checkedSize(head[section++], value.length) * 2
    return { doubles, words }
  }

  #clear(): this {
    this.events.size = 0
    for (const tiles of this.tiers) tiles.size = 0
    for (const set of this.seen) set.size = 0
    this.total = 0
    this.lastTime = this.firstTime = this.geoTime = this.latitude = this.longitude = Number.NaN
    return this
  }
}

function addToTiles(tiles: Tiles, event: FeatureEvent): void {
  const at = tiles.at(event.time)
  if (at < 0) return
  const { count, columns } = tiles
  const [sum, squares, max] = columns as [Float64Array, Float64Array, Float64Array]
  count[at] = (count[at] as number) + 1
  sum[at] = (sum[at] as number) + event.amount
  squares[at] = (squares[at] as number) + event.amount * event.amount
  if (event.amount > (max[at] as number)) max[at] = event.amount
}

/** Bytes from outside are checked before they are used as a size. */
export function checkedSize(size: number | undefined, most: number): number {
  if (size !== undefined && size <= most) return size
  throw new RangeError(`packed state with ${size} entries where at most ${most} are kept`)
}

export const even = (words: number): number => (words + 1) & ~1
