import { type CompiledTree, compileTree, type Tree } from './trees.ts'

/** Exact contributions of the columns to the log-odds of one row. */
export interface TreeShap {
  /** Mean log-odds of the training rows, which the contributions add to. */
  readonly base: number
  /** Adds the contributions of `row` to `into`, a value a column. Their sum and `base` are what the trees give. */
  contributions(row: ArrayLike<number>, into: Float64Array): void
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
 * a node multiplies its factor into the product at each point; coming up, leaves are summed and the factor of the
 * edge divided out. A column that the path looks at again has one factor: the later one takes the earlier one's place.
 *
 * The order of operations is fixed and all are IEEE 754's own: the same row gives the same bits on every machine.
 */
export function treeShap(trees: readonly Tree[]): TreeShap {
  const compiled = trees.map(compileTree)
  const nodes = Math.max(...compiled.map(({ column }) => column.length))
  const points = Math.max(...compiled.map(({ quadrature }) => quadrature.points.length))
  const memory: Memory = {
    keeps: new Uint8Array(nodes),
    products: new Float64Array(nodes * points),
    sums: new Float64Array(nodes * points),
  }
  return {
    base: compiled.reduce((sum, { mean }) => sum + mean, 0),
    contributions(row, into) {
      for (const tree of compiled) {
        goDown(tree, row, memory)
        comeUp(tree, memory, into)
      }
    },
  }
}

/** What a tree writes down on the way, used again by the next one. */
interface Memory {
  /** By edge: 1 where the row keeps to all of the path's edges on its column. */
  readonly keeps: Uint8Array
  /** By node and point: weight of the point times the product of the path's factors. */
  readonly products: Float64Array
  /** By node and point: leaf times product, summed over the leaves below. */
  readonly sums: Float64Array
}

function goDown(tree: CompiledTree, row: ArrayLike<number>, { keeps, products, sums }: Memory): void {
  const { column, value, right, missingLeft, share, previous, quadrature } = tree
  const { points, weights } = quadrature
  const n = points.length
  for (let q = 0; q < n; q++) products[q] = weights[q] as number
  for (let node = 0; node < column.length; node++) {
    const at = node * n
    const of = column[node] as number
    if (of < 0) {
      const leaf = value[node] as number
      for (let q = 0; q < n; q++) sums[at + q] = leaf * (products[at + q] as number)
      continue
    }
    for (let q = 0; q < n; q++) sums[at + q] = 0
    const cell = row[of] as number
    const goesLeft = Number.isNaN(cell) ? missingLeft[node] === 1 : cell <= (value[node] as number)
    const left = node + 1
    for (let child = left; ; child = right[node] as number) {
      const before = previous[child] as number
      const keptBefore = before < 0 ? 1 : (keeps[before] as number)
      const kept = goesLeft === (child === left) ? keptBefore : 0
      keeps[child] = kept
      const z = share[child] as number
      const to = child * n
      for (let q = 0; q < n; q++) {
        const t = points[q] as number
        let factor = kept * t + z * (1 - t)
        if (before >= 0) factor /= keptBefore * t + (share[before] as number) * (1 - t)
        products[to + q] = (products[at + q] as number) * factor
      }
      if (child !== left) break
    }
  }
}

function comeUp(tree: CompiledTree, { keeps, sums }: Memory, into: Float64Array): void {
  const { column, parent, share, previous, quadrature } = tree
  const { points } = quadrature
  const n = points.length
  for (let node = column.length - 1; node > 0; node--) {
    const up = parent[node] as number
    const of = column[up] as number
    const [at, to] = [node * n, up * n]
    const before = previous[node] as number
    const [kept, z] = [keeps[node] as number, share[node] as number]
    let [own, replaced] = [0, 0]
    for (let q = 0; q < n; q++) {
      const t = points[q] as number
      const sum = sums[at + q] as number
      own += sum / (kept * t + z * (1 - t))
      if (before >= 0) replaced += sum / ((keeps[before] as number) * t + (share[before] as number) * (1 - t))
      sums[to + q] = (sums[to + q] as number) + sum
    }
    let contribution = (kept - z) * own
    if (before >= 0) contribution -= ((keeps[before] as number) - (share[before] as number)) * replaced
    into[of] = (into[of] as number) + contribution
  }
}
