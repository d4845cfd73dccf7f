import { afterEach, expect, it, vi } from 'vitest'
import { createTimedModel, type TimedModel } from '../../../src/adapters/timed-model.ts'
import type { Model, Scores } from '../../../src/core/ports.ts'

const deadlineMs = 60
const columns = 3

/** Answers when told to, in order, as a thread does. */
function heldModel() {
  const held: (() => void)[] = []
  const asked: number[] = []
  const score = (features: Float32Array, rows: number): Promise<Scores> =>
    new Promise((resolve) => {
      asked.push(features.length)
      held.push(() => resolve({ probabilities: new Float64Array(rows).fill(0.5), parts: [] }))
    })
  const model: Model = {
    id: 'held@1.0.0',
    sha256: '',
    featureHash: '',
    parts: [],
    score,
    explain: async (_, __, which) => ({
      base: 0,
      contributions: new Float64Array(which.length),
      exact: true,
    }),
    riskScore: () => 0,
  }
  return {
    model,
    asked,
    /** Lets it answer all that it was asked so far. */
    answer: () => {
      for (const resolve of held.splice(0)) resolve()
    },
  }
}

let timed: TimedModel | undefined
afterEach(() => timed?.close())

const row = new Float32Array(columns)

it('a model in time is as it is', async () => {
  const { model, answer } = heldModel()
  timed = createTimedModel(model, columns, deadlineMs, () => {})
  const scored = timed.score(row, 1)
  answer()
  expect((await scored).probabilities).toEqual(Float64Array.of(0.5))
  expect(await timed.explain?.(row, 1, [0])).toMatchObject({ exact: true })
})

it('past the deadline it is given up, and so are all others until it answers in time', async () => {
  const { model, asked, answer } = heldModel()
  const told: boolean[] = []
  timed = createTimedModel(model, columns, deadlineMs, (answers) => told.push(answers))
  const unavailable = { code: 'WEIR_MODEL_UNAVAILABLE', message: expect.stringContaining('held@1.0.0') }
  await expect(timed.score(row, 1)).rejects.toMatchObject(unavailable)
  await expect(timed.explain?.(row, 1, [0])).rejects.toMatchObject(unavailable)
  expect(told).toEqual([false])
  // It is asked for a whole row, and not again before it has answered: the queue of a slow one must not grow.
  await new Promise((resolve) => setTimeout(resolve, 8 * deadlineMs))
  expect(asked).toEqual([columns, columns])
  // An answer that comes late is none.
  answer()
  await vi.waitFor(() => expect(asked).toHaveLength(3), 2_000)
  expect(told).toEqual([false])
  const answering = setInterval(answer, 5)
  await vi.waitFor(() => expect(told).toEqual([false, true]), 3_000)
  clearInterval(answering)
  const scored = timed.score(row, 1)
  answer()
  expect((await scored).probabilities).toHaveLength(1)
})

it('a refusal is an answer', async () => {
  const { model } = heldModel()
  const failing: Model = { ...model, score: () => Promise.reject(new Error('no memory')) }
  timed = createTimedModel(failing, columns, deadlineMs, () => {
    throw new Error('nothing is late')
  })
  await expect(timed.score(row, 1)).rejects.toThrow('no memory')
  await expect(timed.score(row, 1)).rejects.toThrow('no memory')
})
