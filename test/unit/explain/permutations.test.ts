import { expect, test } from 'vitest'
import { estimateContributions, type Margins } from '../../../src/core/explain/permutations.ts'

const width = 6
const missing = Number.NaN
const row = Float32Array.of(3, missing, 7, 2, 5, 1)
const reference = Float32Array.of(1, missing, 2, 2, missing, 4)

/** Counts the calls. */
function modelOf(margin: (cells: Float32Array) => number) {
  const calls: number[] = []
  const margins: Margins = async (features, rows) => {
    calls.push(rows)
    return Float64Array.from({ length: rows }, (_, i) =>
      margin(features.subarray(i * width, (i + 1) * width)),
    )
  }
  return { margins, calls }
}

async function explained(margin: (cells: Float32Array) => number) {
  const { margins, calls } = modelOf(margin)
  const into = new Float64Array(width)
  await estimateContributions(row, reference, margins, into)
  return { into, calls }
}

const numberOf = (cell: number | undefined) => (cell === undefined || Number.isNaN(cell) ? -1 : cell)
const tangled = (cells: Float32Array) =>
  numberOf(cells[0]) * numberOf(cells[2]) + numberOf(cells[4]) / (1 + numberOf(cells[5])) + numberOf(cells[1])

test('of a sum each column has its own share, whatever the order', async () => {
  const { into } = await explained((cells) =>
    cells.reduce((sum, cell, i) => sum + (i + 1) * numberOf(cell), 0),
  )
  expect([...into]).toEqual([2, 0, 15, 0, 30, -18].map((share) => expect.closeTo(share, 12)))
})

test('contributions add up to the difference of the log-odds; equal cells have none; one call a row', async () => {
  const { into, calls } = await explained(tangled)
  expect(into.reduce((a, b) => a + b, 0)).toBeCloseTo(tangled(row) - tangled(reference), 12)
  expect([into[1], into[3]]).toEqual([0, 0])
  // The two ends, and three mixtures for each of four orders and their reverses.
  expect(calls).toEqual([2 + 8 * 3])
})

test('an order and its reverse share what two columns do together as the definition does', async () => {
  const { into } = await explained((cells) => numberOf(cells[0]) * numberOf(cells[2]))
  // Of 3 x 7 against 1 x 2: half of what each does alone, half of what it does beside the other.
  expect(into[0]).toBeCloseTo(((3 - 1) * 2 + (3 - 1) * 7) / 2, 12)
  expect(into[2]).toBeCloseTo(((7 - 2) * 1 + (7 - 2) * 3) / 2, 12)
})

test('the same row is explained to the same bits', async () => {
  expect((await explained(tangled)).into).toEqual((await explained(tangled)).into)
})

test('a row that is the reference, or differs in one cell, is explained, too', async () => {
  for (const [cells, expected] of [
    [reference, 0],
    [Float32Array.of(9, missing, 2, 2, missing, 4), 16],
  ] as const) {
    const { margins } = modelOf(tangled)
    const into = new Float64Array(width)
    await estimateContributions(cells, reference, margins, into)
    expect([...into]).toEqual([expected, 0, 0, 0, 0, 0])
  }
})
