import { type AddressRange, beginning, parseAddress, parseRange } from './ip.ts'
import type { Transaction } from './types.ts'
import { type ListHit, type ListName, type Lists, type ListType, listNames, listTypes } from './verdict.ts'

/** Of entries: see ListEntry. */
export const strengths = ['final', 'overridable'] as const

/** Something that stands on a list. */
export interface ListEntry {
  readonly list: ListName
  readonly type: ListType
  /** An identifier; for `ip` an address or a range (192.0.2.0/24); for `email` the hash; for `country` two letters. */
  readonly value: string
  /** On `deny`: `final` is overridden by nothing, `overridable` by an allow entry. On other lists it has no meaning. */
  readonly strength: (typeof strengths)[number]
  /** Payments from this event_time on no longer meet it, epoch milliseconds; null: it stands until it is removed. */
  readonly expires: number | null
  readonly reason: string
  readonly who: string
}

/** Names an entry: a later one of the same name replaces it. */
export type EntryName = Pick<ListEntry, 'list' | 'type' | 'value'>

export type ListChange = ({ readonly op: 'add' } & ListEntry) | ({ readonly op: 'remove' } & EntryName)

/** What of a payment a list can name. */
export const listedValue: Readonly<Record<ListType, (of: Transaction) => string | null>> = {
  customer: ({ customer_id }) => customer_id,
  card: ({ card_token }) => card_token,
  device: ({ device_id }) => device_id,
  ip: ({ ip }) => ip,
  merchant: ({ merchant_id }) => merchant_id,
  email: ({ email_hash }) => email_hash,
  country: ({ country }) => country,
}

/** Of one list and type. Entries by value; of addresses by `rangeKey`. */
interface Shelf {
  readonly list: ListName
  readonly type: ListType
  /** The newest last, each much smaller than the one before; null: removed. What a change copies is small, mostly. */
  readonly layers: readonly ReadonlyMap<string, ListEntry | null>[]
  readonly size: number
  /** Of addresses: the lengths of prefixes that there are or were, as `bits/prefix`. */
  readonly prefixes: readonly string[]
}

/** A layer is merged into the one before when it is not this many times smaller. */
const layerRatio = 4
const none: readonly never[] = []

/**
 * What stands on the lists at one moment. It never changes: `with` makes a new one, which shares what it does not touch,
 * so that a chunk which is being decided keeps what it began with.
 */
export class ListBook implements Lists {
  static readonly empty = new ListBook([])
  /** Those with entries, in the order of listNames, then of listTypes. */
  readonly #shelves: readonly Shelf[]

  private constructor(shelves: readonly Shelf[]) {
    this.#shelves = shelves
  }

  get size(): number {
    return this.#shelves.reduce((sum, { size }) => sum + size, 0)
  }

  /** Those of a list, in the order in which they were added. */
  *entries(list: ListName): Generator<ListEntry, void, undefined> {
    for (const shelf of this.#shelves) {
      if (shelf.list !== list) continue
      for (const entry of merged(shelf.layers).values()) if (entry !== null) yield entry
    }
  }

  /** The book after these changes, in order. */
  with(changes: readonly ListChange[]): ListBook {
    const touched = Map.groupBy(changes, ({ list, type }) => `${list}:${type}`)
    const shelves = listNames.flatMap((list) =>
      listTypes.flatMap((type) => {
        const known = this.#shelves.find((one) => one.list === list && one.type === type)
        const ofShelf = touched.get(`${list}:${type}`)
        if (ofShelf === undefined) return known ?? []
        const shelf = changed(known ?? { list, type, layers: [], size: 0, prefixes: [] }, ofShelf)
        return shelf.size === 0 ? [] : shelf
      }),
    )
    return new ListBook(shelves)
  }

  hits(transaction: Transaction): readonly ListHit[] {
    let hits: ListHit[] | null = null
    for (const shelf of this.#shelves) {
      const { list, type } = shelf
      const value = listedValue[type](transaction)
      if (value === null) continue
      const found = (type === 'ip' ? entriesOf(shelf, value) : [entryAt(shelf, value)]).filter(
        (entry) => entry !== null && (entry.expires === null || transaction.event_time < entry.expires),
      )
      if (found.length === 0) continue
      const isFinal = list === 'deny' && found.some((entry) => entry?.strength === 'final')
      hits ??= []
      hits.push({ list, type, isFinal })
    }
    return hits ?? none
  }
}

function changed(shelf: Shelf, changes: readonly ListChange[]): Shelf {
  const layer = new Map<string, ListEntry | null>()
  const prefixes = new Set(shelf.prefixes)
  let { size } = shelf
  for (const change of changes) {
    const key = keyOf(change)
    const before = layer.get(key)
    const stood = (before === undefined ? entryAt(shelf, key) : before) !== null
    // Removed first, so that what is added again comes last.
    layer.delete(key)
    if (change.op === 'remove') layer.set(key, null)
    else {
      const { op: _, ...entry } = change
      layer.set(key, entry)
      if (change.type === 'ip') prefixes.add(key.slice(0, key.lastIndexOf('/')))
    }
    size += Number(change.op === 'add') - Number(stood)
  }
  const layers = [...shelf.layers, layer]
  for (;;) {
    const [below, top] = layers.slice(-2)
    if (top === undefined || (below as typeof layer).size > top.size * layerRatio) break
    const both = merged([below as typeof layer, top])
    // Nothing lies below the lowest that a mark could hide.
    if (layers.length === 2) for (const [key, entry] of both) if (entry === null) both.delete(key)
    layers.splice(-2, 2, both)
  }
  return { ...shelf, layers, size, prefixes: [...prefixes] }
}

/** One layer of several; what was removed leaves its mark, which hides what lies below. */
function merged(layers: Shelf['layers']): Map<string, ListEntry | null> {
  const all = new Map(layers[0])
  for (const layer of layers.slice(1)) {
    for (const [key, entry] of layer) {
      all.delete(key)
      all.set(key, entry)
    }
  }
  return all
}

function entryAt({ layers }: Shelf, key: string): ListEntry | null {
  for (let at = layers.length - 1; at >= 0; at--) {
    const entry = layers[at]?.get(key)
    if (entry !== undefined) return entry
  }
  return null
}

/** Of an address: the entries of the ranges that it lies in. */
function entriesOf(shelf: Shelf, text: string): (ListEntry | null)[] {
  const address = parseAddress(text)
  if (address === null) return []
  return shelf.prefixes.flatMap((kind) => {
    const [bits, prefix] = kind.split('/').map(Number) as [number, number]
    if (bits !== address.bits) return []
    return entryAt(shelf, rangeKey({ ...address, value: beginning(address, prefix), prefix }))
  })
}

function keyOf({ type, value }: EntryName): string {
  const range = type === 'ip' ? parseRange(value) : null
  return range === null ? value : rangeKey(range)
}

const rangeKey = ({ bits, value, prefix }: AddressRange): string => `${bits}/${prefix}/${value}`
