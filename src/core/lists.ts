import { type AddressRange, beginning, parseAddress, parseRange } from './ip.ts'
import type { Transaction } from './types.ts'
import { type ListHit, type ListName, type Lists, type ListType, listNames, listTypes } from './verdict.ts'

/** Something that stands on a list. */
export interface ListEntry {
  readonly list: ListName
  readonly type: ListType
  /** An identifier; for `ip` an address or a range (192.0.2.0/24); for `email` the hash; for `country` two letters. */
  readonly value: string
  /** On `deny`: `final` is overridden by nothing, `overridable` by an allow entry. On other lists it has no meaning. */
  readonly strength: 'final' | 'overridable'
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

interface Shelf {
  readonly list: ListName
  readonly type: ListType
  /** By value; of addresses by `rangeKey`. */
  readonly entries: ReadonlyMap<string, ListEntry>
  /** Of addresses: the lengths of prefixes that there are, by bits. */
  readonly prefixes: readonly (readonly [bits: number, prefix: number])[]
}

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
    return this.#shelves.reduce((sum, { entries }) => sum + entries.size, 0)
  }

  /** Those of a list, in the order in which they were added. */
  *entries(list: ListName): Generator<ListEntry, void, undefined> {
    for (const shelf of this.#shelves) if (shelf.list === list) yield* shelf.entries.values()
  }

  /** The book after these changes, in order. Copies what they touch, once for all of them. */
  with(changes: readonly ListChange[]): ListBook {
    const touched = new Map<string, Map<string, ListEntry>>()
    for (const change of changes) {
      const name = `${change.list}:${change.type}`
      let entries = touched.get(name)
      if (entries === undefined) {
        const known = this.#shelves.find(({ list, type }) => list === change.list && type === change.type)
        entries = new Map(known?.entries)
        touched.set(name, entries)
      }
      const key = keyOf(change)
      // Removed first, so that what is added again comes last.
      entries.delete(key)
      if (change.op === 'remove') continue
      const { op: _, ...entry } = change
      entries.set(key, entry)
    }
    const shelves = listNames.flatMap((list) =>
      listTypes.flatMap((type) => {
        const entries = touched.get(`${list}:${type}`)
        const known = this.#shelves.find((one) => one.list === list && one.type === type)
        if (entries === undefined) return known ?? []
        return entries.size === 0 ? [] : [{ list, type, entries, prefixes: prefixesOf(type, entries) }]
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
      const found = (type === 'ip' ? entriesOf(shelf, value) : [shelf.entries.get(value)]).filter(
        (entry) => entry !== undefined && (entry.expires === null || transaction.event_time < entry.expires),
      )
      if (found.length === 0) continue
      const isFinal = list === 'deny' && found.some((entry) => entry?.strength === 'final')
      hits ??= []
      hits.push({ list, type, isFinal })
    }
    return hits ?? none
  }
}

/** Of an address: the entries of the ranges that it lies in. */
function entriesOf({ entries, prefixes }: Shelf, text: string): (ListEntry | undefined)[] {
  const address = parseAddress(text)
  if (address === null) return []
  return prefixes.flatMap(([bits, prefix]) =>
    bits === address.bits
      ? entries.get(rangeKey({ ...address, value: beginning(address, prefix), prefix }))
      : undefined,
  )
}

function keyOf({ type, value }: EntryName): string {
  const range = type === 'ip' ? parseRange(value) : null
  return range === null ? value : rangeKey(range)
}

const rangeKey = ({ bits, value, prefix }: AddressRange): string => `${bits}/${prefix}/${value}`

function prefixesOf(type: ListType, entries: ReadonlyMap<string, ListEntry>): Shelf['prefixes'] {
  if (type !== 'ip') return none
  const kinds = new Set([...entries.keys()].map((key) => key.slice(0, key.lastIndexOf('/'))))
  return [...kinds].map((kind) => kind.split('/').map(Number) as [number, number])
}
