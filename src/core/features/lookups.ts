import { hash32, hash53 } from '../hash.ts'
import type { Column, Sight } from './columns.ts'
import type { CompiledFeatures } from './compile.ts'
import { writerOf } from './unrolled.ts'

/**
 * Columns that are looked up in tables which were learned: vectors of merchants, categories and words, factors of
 * customers. The tables travel in the model's package and their columns follow those of the feature file.
 */
export interface Lookups {
  readonly tables: Readonly<Record<string, LookupTable>>
  readonly columns: readonly LookupColumn[]
}

export const lookupKeys = ['customer_id', 'merchant_id', 'terminal_id', 'mcc', 'word'] as const
export type LookupKey = (typeof lookupKeys)[number]

export interface LookupTable {
  /** What of the transaction is looked up; `word`: every word of its description, the mean of those that are known. */
  readonly key: LookupKey
  readonly keys: readonly string[]
  /** Row-major, keys x dimensions. */
  readonly values: Float32Array
  readonly dimensions: number
  /** For a key that was never seen; null: its columns are missing. */
  readonly default: readonly number[] | null
}

export type LookupColumn = { readonly name: string; readonly description: string } & (
  | { readonly table: string; readonly component: number }
  | { readonly dot: readonly [table: string, table: string] }
  | { readonly cosine_to_recent: string; readonly last: number }
)

/** A vector of the table's dimensions, valid until the table is asked again; null when there is none. */
type VectorOf = (sight: Sight) => Float32Array | null

const missing = Number.NaN

/** The features with the columns of lookups after them. */
export function withLookups(features: CompiledFeatures, lookups: Lookups | null): CompiledFeatures {
  if (lookups === null) return features
  const tables = new Map(
    Object.entries(lookups.tables).map(([name, table]) => [name, new OpenTable(table)] as const),
  )
  const table = (name: string) => tables.get(name) as OpenTable
  const values = lookups.columns.map((column): Column => {
    if ('table' in column) return componentColumn(vectorOf(table(column.table)), column.component)
    if ('dot' in column) {
      const [left, right] = column.dot
      return dotColumn(vectorOf(table(left)), vectorOf(table(right)))
    }
    const open = table(column.cosine_to_recent)
    return cosineColumn(vectorOf(open), recentMeanOf(open, column.last))
  })
  const placed = values.map((value, i) => ({ at: features.names.length + i, value }))
  const columns = [...features.columns, ...placed]
  return {
    ...features,
    names: [...features.names, ...lookups.columns.map(({ name }) => name)],
    columns,
    writeColumns: writerOf(columns, 1),
  }
}

/** A table by the numbers that stand for its keys in events and states. */
class OpenTable {
  readonly key: LookupKey
  readonly dimensions: number
  readonly values: Float32Array
  readonly #rows: ReadonlyMap<number, number>
  readonly #default: Float32Array | null

  constructor({ key, keys, values, dimensions, default: unseen }: LookupTable) {
    this.key = key
    this.dimensions = dimensions
    this.values = values
    this.#default = unseen === null ? null : Float32Array.from(unseen)
    this.#rows = new Map(keys.map((text, place) => [numberOf(key, text), place * dimensions]))
  }

  /** Where in `values` the vector of a key begins; -1 for one that is not known. */
  row(key: number): number {
    return this.#rows.get(key) ?? -1
  }

  /** @param key 0: the transaction has none, so there is no vector either. */
  vector(key: number): Float32Array | null {
    if (key === 0) return null
    const row = this.row(key)
    return row < 0 ? this.#default : this.values.subarray(row, row + this.dimensions)
  }
}

/** As FeatureEvent has it. */
function numberOf(key: LookupKey, text: string): number {
  if (key === 'mcc') return Number(text)
  return key === 'merchant_id' ? hash32(text) : hash53(text)
}

function vectorOf(table: OpenTable): VectorOf {
  switch (table.key) {
    case 'customer_id':
      return ({ event }) => table.vector(event.customer)
    case 'merchant_id':
      return ({ event }) => table.vector(event.merchant)
    case 'mcc':
      return ({ event }) => table.vector(event.mcc)
    case 'terminal_id':
      return ({ transaction: { terminal_id } }) =>
        table.vector(terminal_id === null ? 0 : hash53(terminal_id))
    case 'word':
      return meanOfWords(table)
  }
}

/** Lower case runs of letters and digits, as training cuts them. */
export const wordsOf = (text: string): string[] => text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []

function meanOfWords(table: OpenTable): VectorOf {
  const mean = new Mean(table)
  let of: unknown = null
  let vector: Float32Array | null = null
  return ({ transaction }) => {
    // Every component asks for the same transaction.
    if (of === transaction) return vector
    of = transaction
    const { description } = transaction
    if (description !== null) for (const word of wordsOf(description)) mean.add(hash53(word))
    vector = mean.take()
    return vector
  }
}

/** Mean vector at the merchants, or categories, of the customer's latest kept payments. */
function recentMeanOf(table: OpenTable, last: number): VectorOf {
  const field = table.key === 'mcc' ? 'mcc' : 'merchant_id'
  const mean = new Mean(table)
  return ({ customer: { events } }) => {
    for (let at = Math.max(0, events.size - last); at < events.size; at++) mean.add(events.value(at, field))
    return mean.take()
  }
}

/** The mean vector of keys, those that are not known left out. It is used again and again: no vector is allocated. */
class Mean {
  readonly #table: OpenTable
  readonly #sum: Float64Array
  readonly #mean: Float32Array
  #count = 0

  constructor(table: OpenTable) {
    this.#table = table
    this.#sum = new Float64Array(table.dimensions)
    this.#mean = new Float32Array(table.dimensions)
  }

  add(key: number): void {
    const row = this.#table.row(key)
    if (row < 0) return
    const { values } = this.#table
    if (this.#count++ === 0) this.#sum.fill(0)
    for (let i = 0; i < this.#sum.length; i++) {
      this.#sum[i] = (this.#sum[i] as number) + (values[row + i] as number)
    }
  }

  /** Of the keys since it was last asked; null when none was known. Valid until it is asked again. */
  take(): Float32Array | null {
    const count = this.#count
    this.#count = 0
    if (count === 0) return null
    for (let i = 0; i < this.#sum.length; i++) this.#mean[i] = (this.#sum[i] as number) / count
    return this.#mean
  }
}

function componentColumn(vector: VectorOf, component: number): Column {
  return (sight) => vector(sight)?.[component] ?? missing
}

function dotColumn(left: VectorOf, right: VectorOf): Column {
  return (sight) => {
    const [a, b] = [left(sight), right(sight)]
    return a === null || b === null ? missing : dot(a, b)
  }
}

function cosineColumn(left: VectorOf, right: VectorOf): Column {
  return (sight) => {
    const [a, b] = [left(sight), right(sight)]
    if (a === null || b === null) return missing
    const lengths = Math.sqrt(dot(a, a) * dot(b, b))
    return lengths === 0 ? missing : dot(a, b) / lengths
  }
}

function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[i] as number)
  return sum
}
