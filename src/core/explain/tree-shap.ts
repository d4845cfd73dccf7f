import { KnownContributions } from './known-contributions.ts'
import {
  type CompiledTree,
  compileTree,
  keeps,
  leaves,
  left,
  type Splits,
  standings,
  type Tree,
} from './trees.ts'

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
 * What a tree contributes depends on no more of a row than to which side it goes at each split. Rows that are asked about
 * are alike, so most of the time that is known from an earlier one.
 *
 * The order of operations is fixed and all are IEEE 754's own: the same row gives the same bits on every machine.
 */
export function treeShap(trees: readonly Tree[]): TreeShap {
  const compiled = trees.map(compileTree)
  const nodes = Math.max(...compiled.map(({ place }) => place.length))
  const points = Math.max(...compiled.map(({ weights }) => weights.length))
  const memory: Memory = {
    sides: new Uint8Array(nodes),
    standing: new Uint8Array(nodes),
    products: new Float64Array(nodes * points),
    sums: new Float64Array(nodes * points),
  }
  const known = compiled.map(({ columns }) => new KnownContributions(columns.length))
  return {
    base: compiled.reduce((sum, { mean }) => sum + mean, 0),
    contributions(cells, rows) {
      const into = new Float64Array(cells.length)
      // Tree by tree: what is read of one stays near for the next row. Each row's sums keep their order.
      for (let i = 0; i < compiled.length; i++) {
        addTree(compiled[i] as CompiledTree, known[i] as KnownContributions, cells, rows, memory, into)
      }
      return into
    },
  }
}

/** What a tree writes down on the way, used again by the next one. */
interface Memory {
  /** By node, of a split: where the row goes on. */
  readonly sides: Uint8Array
  /** Of the row to each edge. */
  readonly standing: Uint8Array
  /** By split and point: weight of the point times the product of the path's factors. */
  readonly products: Float64Array
  /** By split and point: leaf times product, summed over the leaves below. */
  readonly sums: Float64Array
}

const toLeft = 1

/** Adds what a tree contributes to each row. */
function addTree(
  tree: CompiledTree,
  known: KnownContributions,
  cells: ArrayLike<number>,
  rows: number,
  memory: Memory,
  into: Float64Array,
): void {
  const { columns } = tree
  const width = cells.length / rows
  for (let at = 0; at < cells.length; at += width) {
    const sides = takeSides(tree.splits, cells, at, memory.sides)
    let from = known.find(sides)
    if (from < 0) {
      const own = new Float64Array(columns.length)
      goDown(tree, memory, own)
      comeUp(tree, memory, own)
      from = known.remember(sides, own)
    }
    for (let j = 0; j < columns.length; j++) {
      const to = at + (columns[j] as number)
      into[to] = (into[to] as number) + (known.values[from + j] as number)
    }
  }
}

/** Splits whose sides fit into a whole number. */
const mostSides = 30
const unknowable = -1

/** To which side the row goes at each split; and all of it as a whole number, where it fits into one. */
function takeSides(
  { node, column, value, missingLeft }: Splits,
  cells: ArrayLike<number>,
  start: number,
  sides: Uint8Array,
): number {
  let bits = 0
  for (let i = 0; i < node.length; i++) {
    const cell = cells[start + (column[i] as number)] as number
    const side = Number.isNaN(cell) ? (missingLeft[i] as number) : cell <= (value[i] as number) ? toLeft : 0
    sides[node[i] as number] = side
    bits = (bits << 1) | side
  }
  return node.length > mostSides ? unknowable : bits
}

/** Products of all splits; leaves give their columns their shares at once, and begin the sums. */
function goDown(tree: CompiledTree, memory: Memory, into: Float64Array): void {
  const { place, right, previous, weights, table } = tree
  const { sides, standing, products, sums } = memory
  const n = weights.length
  for (let q = 0; q < n; q++) products[q] = weights[q] as number
  for (let node = 0; node < place.length; node++) {
    const of = place[node] as number
    if (of < 0) continue
    const at = node * n
    for (let q = 0; q < n; q++) sums[at + q] = 0
    const goesLeft = sides[node] === toLeft
    const first = node + 1
    for (let child = first; ; child = right[node] as number) {
      const before = previous[child] as number
      const keptBefore = before < 0 || standing[before] === keeps
      const how = !keptBefore ? left : goesLeft === (child === first) ? keeps : leaves
      standing[child] = how
      const [to, factors] = [child * n, (child * standings + how) * 2 * n]
      const shares = factors + n
      if ((place[child] as number) >= 0) {
        for (let q = 0; q < n; q++)
          products[to + q] = (products[at + q] as number) * (table[factors + q] as number)
      } else {
        let contribution = 0
        for (let q = 0; q < n; q++) {
          const product = products[at + q] as number
          contribution += product * (table[shares + q] as number)
          sums[at + q] = (sums[at + q] as number) + product * (table[factors + q] as number)
        }
        into[of] = (into[of] as number) + contribution
      }
      if (child !== first) break
    }
  }
}

/** Sums of all splits, of which the columns of the edges that lead to them get their shares. */
function comeUp(tree: CompiledTree, { standing, sums }: Memory, into: Float64Array): void {
  const { place, parent, weights, table } = tree
  const n = weights.length
  for (let node = place.length - 1; node > 0; node--) {
    if ((place[node] as number) < 0) continue
    const up = parent[node] as number
    const [at, to] = [node * n, up * n]
    const shares = (node * standings + (standing[node] as number)) * 2 * n + n
    let contribution = 0
    for (let q = 0; q < n; q++) {
      const sum = sums[at + q] as number
      contribution += sum * (table[shares + q] as number)
      sums[to + q] = (sums[to + q] as number) + sum
    }
    const of = place[up] as number
    into[of] = (into[of] as number) + contribution
  }
}
