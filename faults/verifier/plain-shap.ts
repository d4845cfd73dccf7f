import type { Tree } from '../../src/core/explain/trees.ts'

/** A column on the way to a node, and the weights of the subsets of all of them by size, as in the paper. */
interface Step {
  readonly column: number
  readonly zero: number
  readonly one: number
  weight: number
}

/**
 * Contributions of the columns by Algorithm 2 of S. Lundberg, G. Erion, S. Lee: Consistent individualized feature
 * attribution for tree ensembles, 2018, arXiv:1802.03888, as it stands there: weir computes them in another way.
 */
export function plainShap(trees: readonly Tree[], row: ArrayLike<number>): Float64Array {
  const contributions = new Float64Array(row.length)
  for (const tree of trees) recurse(tree, row, contributions, 0, [], { column: -1, zero: 1, one: 1 })
  return contributions
}

function recurse(
  tree: Tree,
  row: ArrayLike<number>,
  contributions: Float64Array,
  node: number,
  way: readonly Step[],
  next: Omit<Step, 'weight'>,
): void {
  let path = extended(way, next)
  const column = tree.column[node] as number
  const value = tree.value[node] as number
  if (column < 0) {
    for (let i = 1; i < path.length; i++) {
      const step = path[i] as Step
      const weight = unwound(path, i).reduce((sum, { weight }) => sum + weight, 0)
      contributions[step.column] = (contributions[step.column] ?? 0) + weight * (step.one - step.zero) * value
    }
    return
  }
  const cell = row[column] as number
  const goesLeft = Number.isNaN(cell) ? tree.missing_left[node] === 1 : cell <= value
  const [left, right] = [node + 1, tree.right[node] as number]
  const earlier = path.findIndex((step) => step.column === column)
  const { zero, one } = path[earlier] ?? { zero: 1, one: 1 }
  if (earlier >= 0) path = unwound(path, earlier)
  for (const child of [left, right]) {
    const share = (tree.cover[child] as number) / (tree.cover[node] as number)
    const isHot = goesLeft === (child === left)
    recurse(tree, row, contributions, child, path, { column, zero: zero * share, one: isHot ? one : 0 })
  }
}

function extended(path: readonly Step[], next: Omit<Step, 'weight'>): Step[] {
  const longer = [...path.map((step) => ({ ...step })), { ...next, weight: path.length === 0 ? 1 : 0 }]
  const depth = path.length
  for (let i = depth - 1; i >= 0; i--) {
    const [here, above] = [longer[i] as Step, longer[i + 1] as Step]
    above.weight += (next.one * here.weight * (i + 1)) / (depth + 1)
    here.weight = (next.zero * here.weight * (depth - i)) / (depth + 1)
  }
  return longer
}

function unwound(path: readonly Step[], at: number): Step[] {
  const depth = path.length - 1
  const { one, zero } = path[at] as Step
  const weights = path.map(({ weight }) => weight)
  let next = weights[depth] as number
  for (let i = depth - 1; i >= 0; i--) {
    const weight = weights[i] as number
    if (one === 0) weights[i] = (weight * (depth + 1)) / (zero * (depth - i))
    else {
      weights[i] = (next * (depth + 1)) / ((i + 1) * one)
      next = weight - ((weights[i] as number) * zero * (depth - i)) / (depth + 1)
    }
  }
  return path.toSpliced(at, 1).map((step, i) => ({ ...step, weight: weights[i] as number }))
}
