import { z } from 'zod'
import { type Lookups, lookupKeys } from '../core/features/lookups.ts'

/** The file of a package, or beside a training table, that holds lookups; docs/models.md has each field. */
export const lookupsFile = 'lookups.json'

const name = z.string().regex(/^[a-z][a-z0-9_]{0,63}$/, 'must be lower case letters, digits and _')
const instant = z.iso.datetime()
const named = { name, description: z.string().min(1) }

/** What lookups.json must be. */
export const lookupsSchema = z
  .strictObject({
    format: z.literal(1),
    /** What the tables were learned from; models are trained on later payments. */
    learned: z.strictObject({ from: instant, to: instant, payments: z.int().positive() }),
    tables: z.record(
      name,
      z
        .strictObject({
          key: z.enum(lookupKeys),
          keys: z.array(z.string().min(1)),
          dimensions: z.int().min(1).max(1024),
          values: z.base64(),
          default: z.array(z.number()).nullable(),
        })
        .transform(({ values, ...table }) => ({ ...table, values: float32(values) }))
        .refine((t) => t.values.length === t.keys.length * t.dimensions, 'values must be keys x dimensions')
        .refine((t) => t.values.every(Number.isFinite), 'values must be finite')
        .refine(
          (t) => t.default === null || t.default.length === t.dimensions,
          'default must have dimensions',
        )
        .refine((t) => new Set(t.keys).size === t.keys.length, 'keys must differ'),
    ),
    columns: z.array(
      z.union([
        z.strictObject({ ...named, table: name, component: z.int().nonnegative() }),
        z.strictObject({ ...named, dot: z.tuple([name, name]) }),
        z.strictObject({ ...named, cosine_to_recent: name, last: z.int().min(1).max(256) }),
      ]),
    ),
  })
  .superRefine(({ tables, columns }, context) => {
    for (const [i, column] of columns.entries()) {
      const message = mistake(tables, column)
      if (message !== null) context.addIssue({ code: 'custom', message, path: ['columns', i] })
    }
  })

function mistake(tables: Lookups['tables'], column: Lookups['columns'][number]): string | null {
  const used = 'table' in column ? [column.table] : 'dot' in column ? column.dot : [column.cosine_to_recent]
  const unknown = used.find((table) => !Object.hasOwn(tables, table))
  if (unknown !== undefined) return `there is no table ${unknown}`
  const [first, second = first] = used.map((table) => tables[table])
  if (first?.dimensions !== second?.dimensions) return 'both tables must have the same dimensions'
  if ('table' in column && column.component >= (first?.dimensions ?? 0)) {
    return `${column.table} has ${first?.dimensions} dimensions`
  }
  if ('cosine_to_recent' in column && first?.key !== 'merchant_id' && first?.key !== 'mcc') {
    return 'of earlier payments only merchant_id and mcc are kept'
  }
  return null
}

/** Little-endian; copied, so that the view is aligned whatever the pool that base64 decoded into. */
export function float32(base64: string): Float32Array {
  const bytes = Uint8Array.from(Buffer.from(base64, 'base64'))
  return new Float32Array(bytes.buffer, 0, Math.floor(bytes.byteLength / 4))
}
