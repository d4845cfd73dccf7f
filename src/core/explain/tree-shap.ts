import { type CompiledTree, compileTree, keeps, leaves, left, standings, type Tree } from './trees.ts'

/** Exact contributions of the columns to the log-odds of rows. */
export interface TreeShap {
  /** Mean log-odds of the training rows, which the contributions add to. */
  readonly base: number
  /**
   * Contributions of `rows` rows, row-major: their sum and `base` are what the trees give.
   *
   * @param cells as many as the trees look at, row-major; NaN is missing.
   */
  contributions(cells: ArrayLike<number>, rows: number): Float64Array
}

/**
 * Path-dependent TreeSHAP: the Shapley values of the game in which a column that is not known sends a row both ways, in
 * the shares in which the training rows went (S. Lundberg, G. Erion, S. Lee: Consistent individualized feature
 * attribution for tree ensembles, 2018, arXiv:1802.03888, Algorithm 2).
 *
 * Not by that algorithm's path of subsets, O(leaves x depth^2), but by the summary polynomials of Linear TreeSHAP (P. Yu,
 * A. Bifet, J. Read, C. Xu: Linear tree Shap, NeurIPS 2022), O(leaves x depth): for a leaf whose path looks at the
 * columns 1..d, column i keeps to the path (o = 1) or not (o = 0), and so does the share z of the rows. With
 * k! (d-1-k)! / d! = integral of t^k (1-t)^(d-1-k) from 0 to 1, the Shapley value of i is
 *
 *   leaf x (o_i - z_i) x integral of the product over j != i of (o_j t + z_j (1 - t)),
 *
 * a polynomial of degree d - 1, which Gauss-Legendre quadrature with d / 2 points integrates without error. Going down,
 * an edge multiplies its factor into the product at each point; coming up, leaves are summed and the factor of the
 * edge divided out. A column that the path looks at again has one factor: the later one takes the earlier one's place.
 * Factors depend on no more of the row than how it stands to the edge, so they are computed once for all rows.
 *
 * The order of operations is fixed and all are IEEE 754's own: the same row gives the same bits on every machine.
 */
export function treeShap(trees: readonly Tree[]): TreeShap {
  const compiled = trees.map(compileTree)
  const nodes = Math.max(...compiled.map(({ column }) => column.length))
  const points = Math.max(...compiled.map(({ weights }) => weights.length))
  const memory: Memory = {
    standing: new Uint8Array(nodes),
    products: new Float64Array(nodes * points),
    sums: new Float64Array(nodes * points),
  }
  return {
    base: compiled.reduce((sum, { mean }) => sum + mean, 0),
    contributions(cells, rows) {
      const into = new Float64Array(cells.length)
      const width = cells.length / rows
      // Tree by tree: what is read of one stays near for the next row. Each row's sums keep their order.
      for (const tree of compiled) {
        for (let at = 0; at < cells.length; at += width) {
          goDown(tree, cells, at, memory, into)
          comeUp(tree, at, memory, into)
        }
      }
      return into
    },
  }
}

/** What a tree writes down on the way, used again by the next one. */
interface Memory {
  /** Of the row to each edge. */
  readonly standing: Uint8Array
  /** By split and point: weight of the point times the product of the path's factors. */
  readonly products: Float64Array
  /** By split and point: leaf times product, summed over the leaves below. */
  readonly sums: Float64Array
}

/** Products of all splits; leaves give their columns their shares at once, and begin the sums. */
function goDown(
  tree: CompiledTree,
  cells: ArrayLike<number>,
  start: number,
  memory: Memory,
  into: Float64Array,
): void {
  const { column, value, right, missingLeft, previous, weights, table } = tree
  const { standing, products, sums } = memory
  const n = weights.length
  for (let q = 0; q < n; q++) products[q] = weights[q] as number
  for (let node = 0; node < column.length; node++) {
    const of = column[node] as number
    if (of < 0) continue
    const at = node * n
    for (let q = 0; q < n; q++) sums[at + q] = 0
    const cell = cells[start + of] as number
    const goesLeft = Number.isNaN(cell) ? missingLeft[node] === 1 : cell <= (value[node] as number)
    const first = node + 1
    for (let child = first; ; child = right[node] as number) {
      const before = previous[child] as number
      const keptBefore = before < 0 || standing[before] === keeps
      const how = !keptBefore ? left : goesLeft === (child === first) ? keeps : leaves
      standing[child] = how
      const [to, factors] = [child * n, (child * standings + how) * 2 * n]
      const shares = factors + n
      if ((column[child] as number) >= 0) {
        for (let q = 0; q < n; q++)
          products[to + q] = (products[at + q] as number) * (table[factors + q] as number)
      } else {
        let contribution = 0
        for (let q = 0; q < n; q++) {
          const product = products[at + q] as number
          contribution += product * (table[shares + q] as number)
          sums[at + q] = (sums[at + q] as number) + product * (table[factors + q] as number)
        }
        into[start + of] = (into[start + of] as number) + contribution
      }
      if (child !== first) break
    }
  }
}

/** Sums of all splits, of which the columns of the edges that lead to them get their shares. */
function comeUp(tree: CompiledTree, start: number, { standing, sums }: Memory, into: Float64Array): void {
  const { column, parent, weights, table } = tree
  const n = weights.length
  for (let node = column.length - 1; node > 0; node--) {
    if ((column[node] as number) < 0) continue
    const up = parent[node] as number
    const [at, to] = [node * n, up * n]
    const shares = (node * standings + (standing[node] as number)) * 2 * n + n
    let contribution = 0
    for (let q = 0; q < n; q++) {
      const sum = sums[at + q] as number
      contribution += sum * (table[shares + q] as number)
      sums[to + q] = (sums[to + q] as number) + sum
    }
    const of = column[up] as number
    into[start + of] = (into[start + of] as number) + contribution
  }
}
