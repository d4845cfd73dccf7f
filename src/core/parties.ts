import { type EntityKind, entityKinds, type Transaction } from './types.ts'

/** A valid transaction and where it lies on the log. */
export interface Arrival {
  readonly partition: number
  readonly offset: number
  readonly transaction: Transaction
}

/** A customer, merchant, terminal or device of a chunk, with the places of its payments in the chunk, ascending. */
export interface Party {
  readonly id: string
  /** Of its state: the id of a customer, of an entity as `entityKey` gives it. */
  readonly key: string
  readonly arrivals: readonly number[]
}

/** Who takes part in a chunk: each once, in the order in which they come. */
export interface Parties {
  readonly customers: readonly Party[]
  /** By position in entityKinds; empty for kinds that are not asked for. */
  readonly entities: readonly (readonly Party[])[]
}

/** The name of a merchant, terminal or device among all of them. */
export const entityKey = (kind: EntityKind, id: string): string => `${kind}:${id}`

export const keyOf = ({ key }: Party): string => key

/** What names the shared entities of a transaction, or of a label. */
type Naming = Pick<Transaction, 'merchant_id' | 'terminal_id' | 'device_id'>

const customerOf = ({ customer_id }: Transaction): string => customer_id
const idOf: Readonly<Record<EntityKind, (of: Naming) => string | null>> = {
  merchant: ({ merchant_id }) => merchant_id,
  terminal: ({ terminal_id }) => terminal_id,
  device: ({ device_id }) => device_id,
}

/** The identifiers of the shared entities, in the order of entityKinds. */
export const entityIds = (of: Naming): readonly (string | null)[] => entityKinds.map((kind) => idOf[kind](of))

/** @param kinds of entities that some feature reads. */
export function partiesOf(arrivals: readonly Arrival[], kinds: readonly EntityKind[]): Parties {
  return {
    customers: group(arrivals, customerOf, null),
    entities: entityKinds.map((kind) => (kinds.includes(kind) ? group(arrivals, idOf[kind], kind) : [])),
  }
}

/** @param kind null: customers, whose key is their id. */
function group(
  arrivals: readonly Arrival[],
  idOf: (transaction: Transaction) => string | null,
  kind: EntityKind | null,
): Party[] {
  const parties = new Map<string, Party & { arrivals: number[] }>()
  for (let i = 0; i < arrivals.length; i++) {
    const id = idOf((arrivals[i] as Arrival).transaction)
    if (id === null) continue
    const party = parties.get(id)
    if (party !== undefined) party.arrivals.push(i)
    else parties.set(id, { id, key: kind === null ? id : entityKey(kind, id), arrivals: [i] })
  }
  return [...parties.values()]
}
