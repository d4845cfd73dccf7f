import { checkedSize, even } from './customer-state.ts'
import { packer, type Sizes, unpacker } from './packing.ts'
import { type Tier, Tiles } from './tiles.ts'

/** What is kept of a merchant, terminal or device. Tile lengths are multiples of the finest tier's. */
export interface EntityLayout {
  readonly tiers: readonly Tier[]
  /** Fraud labels by day of observation; no tiles when no feature asks. */
  readonly frauds: Tier
  readonly mostCustomers: number
  /** Fraud labels by time of payment; absent when no feature asks. */
  readonly paymentFrauds?: Tier
  /** Payments that were odd for their customers; absent when no feature asks. */
  readonly oddPayments?: OddTier
}

/** Also what made a payment odd: without it the counts have no meaning. */
export interface OddTier extends Tier {
  readonly of: object
  readonly atLeast: number
}

const version = 1

/**
 * Everybody's past at one merchant, terminal or device. Every change commutes with every other (sums of integers,
 * a minimum-k set), so partitions may be folded in any order and give the same bytes.
 */
export class EntityState {
  readonly tiers: readonly Tiles[]
  readonly frauds: Tiles
  /** Null when no feature asks. */
  readonly paymentFrauds: Tiles | null
  readonly oddPayments: Tiles | null
  readonly #mostCustomers: number
  /** Those that some feature asks for, in packed order. */
  readonly #optional: readonly Tiles[]
  /** Version, sizes of frauds and customers, one size a tier, those of the optional: padded for the doubles after. */
  readonly #head: Uint32Array
  /** The smallest hashes of customers seen, ascending: exact while fewer than mostCustomers were seen. */
  readonly customers: number[] = []

  constructor(layout: EntityLayout) {
    this.tiers = layout.tiers.map((tier) => new Tiles(tier, 1))
    this.frauds = new Tiles(layout.frauds, 0)
    this.#mostCustomers = layout.mostCustomers
    this.paymentFrauds = layout.paymentFrauds === undefined ? null : new Tiles(layout.paymentFrauds, 0)
    this.oddPayments = layout.oddPayments === undefined ? null : new Tiles(layout.oddPayments, 0)
    this.#optional = [this.paymentFrauds, this.oddPayments].filter((tiles) => tiles !== null)
    this.#head = new Uint32Array(even(3 + this.tiers.length + this.#optional.length))
  }

  /** @param sum hundredths of the reference currency. */
  add(time: number, count: number, sum: number): void {
    if (count === 0) return
    for (const tiles of this.tiers) {
      const at = tiles.at(time)
      if (at < 0) continue
      const amounts = tiles.columns[0] as Float64Array
      tiles.count[at] = (tiles.count[at] as number) + count
      amounts[at] = (amounts[at] as number) + sum
    }
  }

  /** @param time when the label became known; `count` is negative when a report is taken back. */
  addFrauds(time: number, count: number): void {
    if (this.frauds.capacity > 0) addCount(this.frauds, time, count)
  }

  /** @param time of the payment that the label is about; `count` is negative when a report is taken back. */
  addPaymentFrauds(time: number, count: number): void {
    if (this.paymentFrauds !== null) addCount(this.paymentFrauds, time, count)
  }

  addOddPayments(time: number, count: number): void {
    if (this.oddPayments !== null) addCount(this.oddPayments, time, count)
  }

  /** @param customer hash53 of the customer. Returns whether anything changed. */
  addCustomer(customer: number): boolean {
    const { customers } = this
    let at = customers.length
    while (at > 0 && (customers[at - 1] as number) > customer) at--
    if (at > 0 && customers[at - 1] === customer) return false
    if (at >= this.#mostCustomers) return false
    customers.splice(at, 0, customer)
    if (customers.length > this.#mostCustomers) customers.pop()
    return true
  }

  open(packed: Uint8Array | null): this {
    if (packed === null) return this.#clear()
    const from = unpacker.begin(packed, this.#head.length, this.#sizes)
    let section = 3
    for (const tiles of this.tiers) from.tiles(tiles, from.head(section++))
    from.tiles(this.frauds, from.head(1))
    for (const tiles of this.#optional) from.tiles(tiles, from.head(section++))
    this.customers.length = 0
    for (let i = from.head(2); i > 0; i--) this.customers.push(from.number())
    return this
  }

  pack(): Buffer {
    const head = this.#head
    head[0] = version
    head[1] = this.frauds.size
    head[2] = this.customers.length
    let section = 3
    for (const tiles of this.tiers) head[section++] = tiles.size
    for (const tiles of this.#optional) head[section++] = tiles.size
    const to = packer.begin(head, this.#sizes(head))
    for (const tiles of this.tiers) to.tiles(tiles)
    to.tiles(this.frauds)
    for (const tiles of this.#optional) to.tiles(tiles)
    for (const customer of this.customers) to.number(customer)
    return to.take()
  }

  readonly #sizes = (head: ArrayLike<number>): Sizes => {
    if (head[0] !== version)
      throw new RangeError(`entity state of version ${head[0]}, this release reads ${version}`)
    let doubles = checkedSize(head[2], this.#mostCustomers)
    let words = checkedSize(head[1], this.frauds.capacity) * 2
    let section = 3
    for (const { capacity } of this.tiers) {
      const tiles = checkedSize(head[section++], capacity)
      doubles += tiles
      words += tiles * 2
    }
    for (const { capacity } of this.#optional) words += checkedSize(head[section++], capacity) * 2
    return { doubles, words }
  }

  #clear(): this {
    for (const tiles of this.tiers) tiles.size = 0
    this.frauds.size = 0
    for (const tiles of this.#optional) tiles.size = 0
    this.customers.length = 0
    return this
  }
}

function addCount(tiles: Tiles, time: number, count: number): void {
  if (count === 0) return
  const at = tiles.at(time)
  if (at >= 0) tiles.count[at] = (tiles.count[at] as number) + count
}
