import { gaussLegendre, type Quadrature } from './quadrature.ts'

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

/** A tree made ready for contributions. The edge of a node is the one that leads to it. */
export interface CompiledTree {
  readonly column: Int32Array
  readonly value: Float64Array
  readonly right: Int32Array
  readonly missingLeft: Uint8Array
  readonly parent: Int32Array
  /** Share of the rows that keep to all of the path's edges on the column of this edge, where that is unknown. */
  readonly share: Float64Array
  /** The edge before it on the path that looks at the same column; -1 where there is none. */
  readonly previous: Int32Array
  readonly quadrature: Quadrature
  /** Mean of the leaves over the training rows. */
  readonly mean: number
}

/** @returns why the tree is none, in words; null when it is one. */
export function treeFault({ column, value, right, missing_left, cover }: Tree, columns: number): string | null {
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

export function compileTree(tree: Tree): CompiledTree {
  const nodes = tree.column.length
  const { column, value, cover, right } = tree
  const parent = new Int32Array(nodes).fill(-1)
  const previous = new Int32Array(nodes).fill(-1)
  const share = new Float64Array(nodes).fill(1)
  const distinct = new Int32Array(nodes)
  let mean = 0
  for (let node = 0; node < nodes; node++) {
    const of = column[node] as number
    if (of < 0) {
      mean += ((cover[node] as number) / (cover[0] as number)) * (value[node] as number)
      continue
    }
    // The last edge of the path so far that looks at the same column.
    let last = node
    while (last > 0 && column[parent[last] as number] !== of) last = parent[last] as number
    for (const child of [node + 1, right[node] as number]) {
      parent[child] = node
      previous[child] = last > 0 ? last : -1
      const before = last > 0 ? (share[last] as number) : 1
      share[child] = (before * (cover[child] as number)) / (cover[node] as number)
      distinct[child] = (distinct[node] as number) + (last > 0 ? 0 : 1)
    }
  }
  return {
    column: Int32Array.from(column),
    value: Float64Array.from(value),
    right: Int32Array.from(right),
    missingLeft: Uint8Array.from(tree.missing_left),
    parent,
    share,
    previous,
    // Of as many factors less one: a polynomial of that degree.
    quadrature: gaussLegendre(Math.max(1, Math.ceil(Math.max(...distinct) / 2))),
    mean,
  }
}
