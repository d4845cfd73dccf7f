import { gaussLegendre } from './quadrature.ts'

/** A tree as a package has it, node by node in preorder: what goes left from a node is the next one. */
export interface Tree {
  /** The column that a split looks at; -1 for a leaf. */
  readonly column: readonly number[]
  /** Threshold of a split, at most that goes left; of a leaf what it adds to the log-odds. */
  readonly value: readonly number[]
  /** Where what goes right from a split goes on; 0 for a leaf. */
  readonly right: readonly number[]
  /** 1 where missing goes left. */
  readonly missing_left: readonly number[]
  /** Training rows that came by. */
  readonly cover: readonly number[]
}

/** How a row stands to an edge: it left the path at an earlier edge on the same column, it leaves here, it keeps to it. */
export const left = 0
export const leaves = 1
export const keeps = 2
export const standings = 3

/** What sends a row to one side or the other, by split. */
export interface Splits {
  readonly node: Int32Array
  readonly column: Int32Array
  readonly value: Float64Array
  readonly missingLeft: Uint8Array
}

/** A tree made ready for contributions. The edge of a node is the one that leads to it. */
export interface CompiledTree {
  readonly splits: Splits
  /** The columns that the tree looks at, each once. */
  readonly columns: Int32Array
  /** By node, of a split: where in `columns` its column is; -1 for a leaf. */
  readonly place: Int32Array
  readonly right: Int32Array
  readonly parent: Int32Array
  /** The edge before it on the path that looks at the same column; -1 where there is none. */
  readonly previous: Int32Array
  /** Of the points at which products are taken. */
  readonly weights: Float64Array
  /**
   * By edge and standing: for each point what the edge multiplies the product of the path by, times the leaf that it leads
   * to; and for each point what its column has of the sum below, of a leaf's edge of the product above.
   */
  readonly table: Float64Array
  /** Mean of the leaves over the training rows. */
  readonly mean: number
}

/** @returns why the tree is none, in words; null when it is one. */
export function treeFault(
  { column, value, right, missing_left, cover }: Tree,
  columns: number,
): string | null {
  const nodes = column.length
  if ([value, right, missing_left, cover].some(({ length }) => length !== nodes) || nodes === 0)
    return 'every list must have one value a node'
  // The open right ways: preorder means that a subtree ends where the next of them begins.
  const ways = [nodes]
  for (let node = 0; node < nodes; node++) {
    const [of, way] = [column[node] as number, right[node] as number]
    if (of >= columns) return `node ${node} looks at column ${of}, there are ${columns}`
    if (of >= 0) {
      if (way <= node + 1 || way >= (ways.at(-1) as number)) return `node ${node} leads to node ${way}`
      if (cover[node] !== (cover[node + 1] as number) + (cover[way] as number))
        return `the rows of node ${node} are not those of its branches`
      ways.push(way)
    } else if (ways.pop() !== node + 1) return `node ${node} is a leaf in the midst of a branch`
  }
  return ways.length === 0 ? null : 'a branch has no leaf'
}

/** What `treeShap` says of the method gives the formulas. */
export function compileTree(tree: Tree): CompiledTree {
  const { parent, previous, kept, most } = pathsOf(tree)
  // The integrand has one factor less than the path has columns: a polynomial of that degree.
  const { points, weights } = gaussLegendre(Math.max(1, Math.ceil(most / 2)))
  const n = points.length
  const table = new Float64Array(parent.length * standings * 2 * n)
  for (let edge = 0; edge < parent.length; edge++) {
    const before = previous[edge] as number
    const isLeaf = (tree.column[edge] as number) < 0
    const leaf = isLeaf ? (tree.value[edge] as number) : 1
    const [z, zBefore] = [kept[edge] as number, kept[before] as number]
    for (const standing of [left, leaves, keeps]) {
      const [own, earlier] = [standing === keeps ? 1 : 0, standing === left ? 0 : 1]
      const at = (edge * standings + standing) * 2 * n
      points.forEach((t, q) => {
        const factor = own * t + z * (1 - t)
        const replaced = earlier * t + zBefore * (1 - t)
        const by = (before < 0 ? factor : factor / replaced) * leaf
        const share = (own - z) / factor - (before < 0 ? 0 : (earlier - zBefore) / replaced)
        table[at + q] = by
        table[at + n + q] = isLeaf ? by * share : share
      })
    }
  }
  const columns = [...new Set(tree.column)].filter((of) => of >= 0)
  return {
    splits: splitsOf(tree),
    columns: Int32Array.from(columns),
    place: Int32Array.from(tree.column, (of) => columns.indexOf(of)),
    right: Int32Array.from(tree.right),
    parent,
    previous,
    weights,
    table,
    mean: meanOf(tree),
  }
}

function splitsOf(tree: Tree): Splits {
  const node = tree.column.flatMap((of, at) => (of < 0 ? [] : [at]))
  return {
    node: Int32Array.from(node),
    column: Int32Array.from(node, (at) => tree.column[at] as number),
    value: Float64Array.from(node, (at) => tree.value[at] as number),
    missingLeft: Uint8Array.from(node, (at) => tree.missing_left[at] as number),
  }
}

function pathsOf({ column, cover, right }: Tree) {
  const nodes = column.length
  const parent = new Int32Array(nodes).fill(-1)
  const previous = new Int32Array(nodes).fill(-1)
  // Share of the rows that keep to all of the path's edges on the column of an edge, where that column is unknown.
  const kept = new Float64Array(nodes).fill(1)
  const distinct = new Int32Array(nodes)
  for (let node = 0; node < nodes; node++) {
    const of = column[node] as number
    if (of < 0) continue
    // The last edge of the path so far that looks at the same column.
    let last = node
    while (last > 0 && column[parent[last] as number] !== of) last = parent[last] as number
    for (const child of [node + 1, right[node] as number]) {
      parent[child] = node
      previous[child] = last > 0 ? last : -1
      const before = last > 0 ? (kept[last] as number) : 1
      kept[child] = (before * (cover[child] as number)) / (cover[node] as number)
      distinct[child] = (distinct[node] as number) + (last > 0 ? 0 : 1)
    }
  }
  return { parent, previous, kept, most: Math.max(...distinct) }
}

const meanOf = ({ column, value, cover }: Tree): number =>
  column.reduce((sum, of, node) => {
    const share = (cover[node] as number) / (cover[0] as number)
    return of < 0 ? sum + share * (value[node] as number) : sum
  }, 0)
