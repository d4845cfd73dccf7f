import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from 'hyparquet'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Admitted, admitModel } from '../../../src/adapters/model-admission.ts'
import { readManifest, readPackage } from '../../../src/adapters/model-package.ts'
import { loadFeatures } from '../../../src/config/definitions.ts'
import { enrich } from '../../../src/core/enrich.ts'
import { wordsOf } from '../../../src/core/features/lookups.ts'
import type { Transaction } from '../../../src/core/types.ts'
import { generate } from '../../../src/generator/generate.ts'
import { unknownEntities } from '../../helpers/feature-values.ts'
import { weir } from '../../helpers/weir.ts'

/** Written by training/tests/write_looked.py: learned, exported and trained by the commands of a study. */
const looked = 'test/fixtures/models/looked/1.0.0'
const fewFeatures = 'test/fixtures/features/few.yaml'
const events = 6_000
const seed = 11

const folder = mkdtempSync(join(tmpdir(), 'weir-lookups-'))
let admitted: Admitted

beforeAll(async () => {
  const features = loadFeatures(fewFeatures)
  admitted = await admitModel(looked, { features, providers: ['cpu'], threads: 1 })
})
afterAll(() => rmSync(folder, { recursive: true }))

type Vector = readonly number[]
interface Table {
  readonly key: 'customer_id' | 'merchant_id' | 'terminal_id' | 'mcc' | 'word'
  readonly keys: readonly string[]
  readonly dimensions: number
  readonly values: string
  readonly default: Vector | null
}
interface LookupsFile {
  readonly tables: Readonly<Record<string, Table>>
  readonly columns: readonly {
    readonly name: string
    readonly table?: string
    readonly component?: number
    readonly dot?: readonly [string, string]
    readonly cosine_to_recent?: string
    readonly last?: number
  }[]
}

const text = readFileSync(join(looked, 'lookups.json'), 'utf8')
const file = JSON.parse(text) as LookupsFile

/** Without those that are sent again: they have no features. */
const payments: readonly Transaction[] = [
  ...new Map(
    [...generate({ events, seed })]
      .filter((record) => record.kind === 'transaction')
      .map(({ transaction }) => [transaction.transaction_id, transaction] as const),
  ).values(),
]

/** Lookup columns of every payment by id, as docs/models.md puts it: whole histories, texts as keys, plain loops. */
function plainly(): ReadonlyMap<string, Vector> {
  const rowsOf = new Map<string, Map<string, Vector>>()
  for (const [name, { keys, values, dimensions }] of Object.entries(file.tables)) {
    const bytes = Buffer.from(values, 'base64')
    const vector = (row: number) =>
      Array.from({ length: dimensions }, (_, i) => bytes.readFloatLE((row * dimensions + i) * 4))
    rowsOf.set(name, new Map(keys.map((key, row) => [key, vector(row)])))
  }
  const known = (table: string, key: string) => rowsOf.get(table)?.get(key)
  const knownOf = (table: string, keys: readonly (string | null)[]) =>
    keys.map((key) => (key === null ? undefined : known(table, key))).filter((found) => found !== undefined)
  const mean = (vectors: readonly Vector[]) =>
    vectors[0]?.map((_, i) => vectors.reduce((sum, v) => sum + (v[i] as number), 0) / vectors.length)
  const dot = (a: Vector, b: Vector) => a.reduce((sum, x, i) => sum + x * (b[i] as number), 0)
  function vector(name: string, payment: Transaction): Vector | undefined {
    const table = file.tables[name] as Table
    if (table.key === 'word') {
      const words = payment.description === null ? [] : wordsOf(payment.description)
      return mean(knownOf(name, words))
    }
    const key = payment[table.key]
    return key === null ? undefined : (known(name, key) ?? table.default ?? undefined)
  }
  const earlier = new Map<string, Transaction[]>()
  const columns = new Map<string, Vector>()
  for (const payment of payments) {
    const past = earlier.get(payment.customer_id) ?? []
    const values = file.columns.map(({ table, component, dot: pair, cosine_to_recent: recent, last }) => {
      if (table !== undefined) return vector(table, payment)?.[component as number]
      if (pair !== undefined) {
        const [a, b] = pair.map((name) => vector(name, payment))
        return a && b && dot(a, b)
      }
      const key = (file.tables[recent as string] as Table).key as 'merchant_id' | 'mcc'
      const keys = past.slice(-(last as number)).map((before) => before[key])
      const taste = mean(knownOf(recent as string, keys))
      const own = vector(recent as string, payment)
      return own && taste && dot(own, taste) / Math.sqrt(dot(own, own) * dot(taste, taste))
    })
    columns.set(
      payment.transaction_id,
      values.map((value) => value ?? Number.NaN),
    )
    earlier.set(payment.customer_id, [...past, payment])
  }
  return columns
}

describe('a package with lookups', () => {
  it('scores golden rows as Python did, with the columns of its tables after those of the feature file', async () => {
    const { manifest, golden } = await readPackage(looked, await readManifest(looked))
    expect(admitted.features.names).toEqual(manifest.columns)
    const { probabilities } = await admitted.model.score(golden.features, golden.rows)
    const off = probabilities.map((found, row) => Math.abs(found - (golden.probability[row] as number)))
    expect(Math.max(...off)).toBeLessThan(1e-5)
    expect(new Set(probabilities).size).toBeGreaterThan(30)
  })

  it('computes the columns that the definitions give, and the export writes the very bits that serving has', async () => {
    const out = join(folder, 'looked.parquet')
    const args = ['--events', `${events}`, '--seed', `${seed}`, '--lookups', join(looked, 'lookups.json')]
    const ended = await weir(['--set', `features=${fewFeatures}`, 'export', ...args, '--out', out])
    expect(ended.stderr).toContain('rows')
    const buffer = await asyncBufferFromFile(out)
    const metadata = await parquetMetadataAsync(buffer)
    const about = Object.fromEntries(metadata.key_value_metadata?.map(({ key, value }) => [key, value]) ?? [])
    expect(about['weir.lookups']).toBe(text)
    const names = file.columns.map(({ name }) => name)
    const exported = await parquetReadObjects({ file: buffer, columns: ['transaction_id', ...names] })
    expect(exported).toHaveLength(payments.length)

    const chunk = payments.map((transaction, offset) => ({ partition: 0, offset, transaction }))
    const past = { customers: new Map(), entities: unknownEntities(chunk) }
    const { arrivals, rows } = enrich(chunk, past, admitted.features, Number.POSITIVE_INFINITY)
    const width = admitted.features.names.length
    const plain = plainly()
    const seen = names.map(() => 0)
    for (const [i, { transaction }] of arrivals.entries()) {
      const served = rows.subarray((i + 1) * width - names.length, (i + 1) * width)
      const wanted = plain.get(transaction.transaction_id) as Vector
      expect(exported[i]?.['transaction_id']).toBe(transaction.transaction_id)
      for (const [column, name] of names.entries()) {
        const value = served[column] as number
        if (!Object.is(exported[i]?.[name], value)) expect([name, exported[i]?.[name]]).toEqual([name, value])
        const expected = wanted[column] as number
        if (Number.isNaN(expected) !== Number.isNaN(value) || Math.abs(value - expected) > 1e-6) {
          expect([name, i, value]).toEqual([name, i, expected])
        }
        if (!Number.isNaN(value)) seen[column] = (seen[column] as number) + 1
      }
    }
    // None of the columns was compared on missing values only.
    expect(Math.min(...seen)).toBeGreaterThan(100)
  })
})
