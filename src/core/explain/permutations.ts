import { Random } from '../random.ts'

/** The model's log-odds of fraud of rows, all in one call. */
export type Margins = (features: Float32Array, rows: number) => Promise<Float64Array>

/** Orders in which columns become known; each is taken backwards, too. */
const orders = 4

/**
 * Contributions of the columns to the log-odds of one row, for a model of any kind: Shapley values estimated over random
 * orders in which the cells of `row` take the place of those of `reference` (E. Strumbelj, I. Kononenko: Explaining
 * prediction models and individual predictions with feature contributions, Knowledge and Information Systems 41, 2014),
 * in antithetic pairs, an order and its reverse (R. Mitchell, J. Cooper, E. Frank, G. Holmes: Sampling permutations for
 * Shapley value estimation, JMLR 23, 2022). A column in which both rows agree contributes 0. By whatever orders, the
 * contributions add up to the difference of the two rows' log-odds.
 *
 * Chance is seeded with the row's bytes, so that the same row is explained alike everywhere.
 *
 * @param into gets the contributions, a value a column. They add to the log-odds of `reference`.
 */
export async function estimateContributions(
  row: Float32Array,
  reference: Float32Array,
  margins: Margins,
  into: Float64Array,
): Promise<void> {
  const width = row.length
  const players = differing(row, reference)
  const ways = drawWays(players, new Random(seedOf(row), 0))
  const steps = Math.max(0, players.length - 1)
  // The reference, the row, and for each way all that lies between.
  const cells = new Float32Array((2 + ways.length * steps) * width)
  cells.set(reference)
  cells.set(row, width)
  ways.forEach((way, number) => {
    const mixed = Float32Array.from(reference)
    for (let step = 0; step < steps; step++) {
      const column = way[step] as number
      mixed[column] = row[column] as number
      cells.set(mixed, (2 + number * steps + step) * width)
    }
  })
  const found = await margins(cells, cells.length / width)
  const [base, whole] = found as unknown as [number, number]
  ways.forEach((way, number) => {
    let before = base
    way.forEach((column, step) => {
      const after = step === steps ? whole : (found[2 + number * steps + step] as number)
      into[column] = (into[column] as number) + (after - before) / ways.length
      before = after
    })
  })
}

/** Columns whose cells have not the same bits; all missing cells are the same. */
function differing(row: Float32Array, reference: Float32Array): number[] {
  const columns = Array.from(row.keys())
  return columns.filter((column) => !Object.is(row[column], reference[column]))
}

/** Orders of the players, each with its reverse. */
function drawWays(players: readonly number[], random: Random): number[][] {
  return Array.from({ length: orders }, () => {
    const way = [...players]
    // R. Fisher and F. Yates, in the form of R. Durstenfeld, 1964.
    for (let last = way.length - 1; last > 0; last--) {
      const other = random.below(last + 1)
      ;[way[last], way[other]] = [way[other] as number, way[last] as number]
    }
    return [way, way.toReversed()]
  }).flat()
}

/** FNV-1a over 32-bit words. */
function seedOf(row: Float32Array): number {
  let seed = 0x811c9dc5
  for (const word of new Uint32Array(row.buffer, row.byteOffset, row.length)) {
    seed = Math.imul(seed ^ word, 0x01000193)
  }
  return seed
}
