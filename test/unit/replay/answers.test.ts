import { expect, it } from 'vitest'
import { type Answer, Answers, startOf } from '../../../src/replay/answers.ts'

async function* batches(...all: (readonly Answer<string>[])[]) {
  yield* all
}
const answer = (offset: number, value = `to ${offset}`): Answer<string> => ({ offset, value })

it('gives each record its answers, wherever batches end', async () => {
  const misplaced: number[] = []
  const all = batches([answer(0), answer(1)], [], [answer(1, 'again'), answer(4)], [answer(7)])
  const answers = new Answers(all, 0, (offset) => misplaced.push(offset))
  await answers.reach(1)
  expect(answers.take(0)).toEqual(['to 0'])
  expect(answers.take(1)).toEqual(['to 1', 'again'])
  expect(answers.take(1)).toEqual([])
  await answers.reach(9)
  expect(answers.take(4)).toEqual(['to 4'])
  expect(answers.rest(7)).toEqual([])
  expect(answers.rest(8)).toEqual([7])
  expect(misplaced).toEqual([])
})

it('tells an answer that comes after its record, and passes over those from before the range', async () => {
  const misplaced: number[] = []
  const answers = new Answers(batches([answer(3), answer(10)], [answer(11)], [answer(10)]), 10, (offset) =>
    misplaced.push(offset),
  )
  await answers.reach(10)
  await answers.reach(20)
  expect(answers.take(10)).toEqual(['to 10'])
  expect(answers.first).toBe(3)
  expect(misplaced).toEqual([10])
})

it('begins to read shortly before the range', async () => {
  // Each answer lies at twice the offset of its record: transaction markers take the others.
  const asked: number[] = []
  const answeredAt = async (offset: number) => {
    asked.push(offset)
    return Math.ceil(offset / 2)
  }
  const start = await startOf({ first: 0, end: 2_000_000 }, 700_000, answeredAt)
  expect(start).toBeLessThanOrEqual(1_400_000)
  expect(start).toBeGreaterThan(1_390_000)
  expect(asked.length).toBeLessThan(12)
  expect(await startOf({ first: 500, end: 2_000_000 }, 0, answeredAt)).toBe(500)
  expect(await startOf({ first: 500, end: 2_000_000 }, 100, async () => null)).toBe(500)
})
