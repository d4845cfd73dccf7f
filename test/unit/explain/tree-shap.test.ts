import { expect, test } from 'vitest'
import { plainShap } from '../../../faults/verifier/plain-shap.ts'
import { gaussLegendre } from '../../../src/core/explain/quadrature.ts'
import { treeShap } from '../../../src/core/explain/tree-shap.ts'
import { type Tree, treeFault } from '../../../src/core/explain/trees.ts'
import { Random } from '../../../src/core/random.ts'

const columns = 5

type Growing = { [K in keyof Tree]: number[] }

/** A tree that looks at few columns again and again, drawn at random. */
function aTree(random: Random, leaves: number): Tree {
  const tree: Growing = { column: [], value: [], right: [], missing_left: [], cover: [] }
  const grow = (left: number): number => {
    const node = tree.column.length
    const isLeaf = left === 1
    tree.column.push(isLeaf ? -1 : random.below(columns))
    tree.value.push(random.normal())
    tree.right.push(0)
    tree.missing_left.push(isLeaf ? 0 : random.below(2))
    tree.cover.push(0)
    if (isLeaf) {
      tree.cover[node] = random.between(1, 1000)
    } else {
      const few = random.between(1, left - 1)
      const below = grow(few)
      tree.right[node] = tree.column.length
      tree.cover[node] = below + grow(left - few)
    }
    return tree.cover[node] as number
  }
  grow(leaves)
  return tree
}

/** What the tree gives where only some columns are known: the definition, in its own words. */
function expected(tree: Tree, row: readonly number[], known: ReadonlySet<number>, node = 0): number {
  const column = tree.column[node] as number
  const value = tree.value[node] as number
  if (column < 0) return value
  const [left, right] = [node + 1, tree.right[node] as number]
  const cell = row[column] as number
  if (known.has(column)) {
    const goesLeft = Number.isNaN(cell) ? tree.missing_left[node] === 1 : cell <= value
    return expected(tree, row, known, goesLeft ? left : right)
  }
  const [a, b] = [tree.cover[left] as number, tree.cover[right] as number]
  return (a * expected(tree, row, known, left) + b * expected(tree, row, known, right)) / (a + b)
}

const factorial = (n: number): number => (n < 2 ? 1 : n * factorial(n - 1))

/** L. Shapley, 1953, over all subsets. */
function shapley(trees: readonly Tree[], row: readonly number[], of: number): number {
  const others = [...Array(columns).keys()].filter((column) => column !== of)
  let sum = 0
  for (let mask = 0; mask < 2 ** others.length; mask++) {
    const known = new Set(others.filter((_, i) => mask & (1 << i)))
    const weight = (factorial(known.size) * factorial(columns - known.size - 1)) / factorial(columns)
    const gains = trees.map(
      (tree) => expected(tree, row, new Set([...known, of])) - expected(tree, row, known),
    )
    sum += weight * gains.reduce((a, b) => a + b, 0)
  }
  return sum
}

const aRow = (random: Random): number[] =>
  Array.from({ length: columns }, () => (random.chance(0.2) ? Number.NaN : random.normal()))

test('contributions are the Shapley values of the definition, missing values included', () => {
  const random = new Random(1, 0)
  for (let round = 0; round < 30; round++) {
    const trees = [aTree(random, 1), aTree(random, 2), aTree(random, 9), aTree(random, 20)]
    const { base, contributions } = treeShap(trees)
    const row = aRow(random)
    const found = contributions(row, 1)
    const plain = plainShap(trees, row)
    for (let column = 0; column < columns; column++) {
      expect(found[column]).toBeCloseTo(shapley(trees, row, column), 12)
      expect(plain[column]).toBeCloseTo(found[column] as number, 12)
    }
    const all = new Set(Array(columns).keys())
    const whole = trees.reduce((sum, tree) => sum + expected(tree, row, all), 0)
    expect(found.reduce((a, b) => a + b, base)).toBeCloseTo(whole, 12)
  }
})

test('the same row gives the same bits, alone and after more others than a tree remembers', () => {
  const random = new Random(2, 0)
  // Of 31 sides and more nothing is remembered.
  const trees = [aTree(random, 1), aTree(random, 7), aTree(random, 30), aTree(random, 31), aTree(random, 50)]
  const rows = Array.from({ length: 2_000 }, () => aRow(random))
  const sidesOf = ({ column, value, missing_left }: Tree, row: readonly number[]) =>
    column
      .map((of, node) =>
        Number.isNaN(row[of]) ? missing_left[node] : Number((row[of] as number) <= (value[node] as number)),
      )
      .join('')
  expect(new Set(rows.map((row) => sidesOf(trees[2] as Tree, row))).size).toBeGreaterThan(1_000)
  const { contributions } = treeShap(trees)
  const together = contributions(rows.flat(), rows.length)
  expect(rows.flatMap((row) => [...contributions(row, 1)])).toEqual([...together])
  for (let at = 0; at < rows.length; at += 97) {
    const alone = treeShap(trees).contributions(rows[at] as number[], 1)
    expect([...alone]).toEqual([...together.subarray(at * columns, (at + 1) * columns)])
  }
})

test('a quadrature of n points integrates powers below 2n without error', () => {
  for (let n = 1; n <= 12; n++) {
    const { points, weights } = gaussLegendre(n)
    for (let power = 0; power < 2 * n; power++) {
      const integral = points.reduce((sum, x, i) => sum + (weights[i] as number) * x ** power, 0)
      expect(integral).toBeCloseTo(1 / (power + 1), 14)
    }
  }
})

test('what is no tree is told, with the place', () => {
  const tree = {
    column: [0, -1, -1],
    value: [1, 2, 3],
    right: [2, 0, 0],
    missing_left: [1, 0, 0],
    cover: [5, 2, 3],
  }
  expect(treeFault(tree, 1)).toBeNull()
  expect(treeFault({ ...tree, value: [1, 2] }, 1)).toBe('every list must have one value a node')
  expect(treeFault({ ...tree, column: [3, -1, -1] }, 1)).toBe('node 0 looks at column 3, there are 1')
  expect(treeFault({ ...tree, right: [3, 0, 0] }, 1)).toBe('node 0 leads to node 3')
  expect(treeFault({ ...tree, right: [0, 0, 0] }, 1)).toBe('node 0 leads to node 0')
  expect(treeFault({ ...tree, cover: [6, 2, 3] }, 1)).toBe('the rows of node 0 are not those of its branches')
  const long = {
    column: [0, -1, -1, -1],
    value: [1, 2, 3, 4],
    right: [2, 0, 0, 0],
    missing_left: [1, 0, 0, 0],
  }
  expect(treeFault({ ...long, cover: [5, 2, 3, 1] }, 1)).toBe('node 2 is a leaf in the midst of a branch')
})
