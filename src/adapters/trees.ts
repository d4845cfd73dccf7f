import { z } from 'zod'
import { type Tree, treeFault } from '../core/explain/trees.ts'

/** The file of a package of boosted trees from which weir explains; docs/models.md has each field. */
export const treesFile = 'trees.json'

const places = z.array(z.int())
const tree = z.strictObject({
  column: places,
  value: z.array(z.number()),
  right: places,
  missing_left: z.array(z.union([z.literal(0), z.literal(1)])),
  cover: z.array(z.int().positive()),
})

/** Trees, and what their own library says of some golden rows. */
export interface Trees {
  readonly trees: readonly Tree[]
  readonly golden: {
    /** Places in golden.json. */
    readonly rows: readonly number[]
    /** Row-major, `rows` x (columns of the part, and the base). */
    readonly contributions: Float64Array
  }
}

/** What trees.json must be, for a part of so many columns and so many golden rows. */
export const treesSchema = (columns: number, goldenRows: number) =>
  z
    .strictObject({
      format: z.literal(1),
      trees: z.array(tree).min(1),
      golden: z.strictObject({
        rows: z
          .array(
            z
              .int()
              .nonnegative()
              .max(goldenRows - 1),
          )
          .min(1),
        contributions: z.base64().transform(float64),
      }),
    })
    .superRefine(({ trees, golden }, context) => {
      const faults = trees.map((one) => treeFault(one, columns))
      const at = faults.findIndex((fault) => fault !== null)
      if (at >= 0) context.addIssue({ code: 'custom', message: faults[at] as string, path: ['trees', at] })
      if (golden.contributions.length !== golden.rows.length * (columns + 1))
        context.addIssue({
          code: 'custom',
          message: `there must be ${columns} contributions and the base a row`,
          path: ['golden', 'contributions'],
        })
    })

function float64(base64: string): Float64Array {
  const bytes = Uint8Array.from(Buffer.from(base64, 'base64'))
  return new Float64Array(bytes.buffer, 0, Math.floor(bytes.byteLength / 8))
}
