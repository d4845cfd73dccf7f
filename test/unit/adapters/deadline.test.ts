import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test, vi } from 'vitest'
import { Deadline, TimeoutError } from '../../../src/adapters/deadline.ts'

const never = () => new Promise<never>(() => {})
const ms = async (work: () => Promise<unknown>): Promise<number> => {
  const begun = performance.now()
  await work().catch(() => {})
  return performance.now() - begun
}

test('a call has its time, and rejects as it does by itself before that', async () => {
  const deadline = new Deadline(200, never)
  expect(await deadline.within(async () => 7)).toBe(7)
  await expect(deadline.within(() => Promise.reject(new Error('refused')))).rejects.toThrow('refused')
  // A refusal is an answer: nobody else is kept from asking.
  expect(await deadline.within(async () => 8)).toBe(8)
  await expect(deadline.within(never)).rejects.toBeInstanceOf(TimeoutError)
  deadline.close()
})

test('after a call without an answer all others fail at once, until the server answers in time', async () => {
  const answers = { inMs: Number.POSITIVE_INFINITY, asked: 0 }
  const ask = async () => {
    answers.asked++
    await (answers.inMs === Number.POSITIVE_INFINITY ? never() : sleep(answers.inMs))
  }
  const deadline = new Deadline(300, ask)
  expect(await ms(() => deadline.within(never))).toBeGreaterThan(290)
  let called = false
  const call = async () => {
    called = true
  }
  expect(await ms(() => deadline.within(call))).toBeLessThan(50)
  expect(called).toBe(false)
  // Just in time is too late for one that was not.
  answers.inMs = 225
  await vi.waitFor(() => expect(answers.asked).toBeGreaterThan(3), 3_000)
  await expect(deadline.within(call)).rejects.toBeInstanceOf(TimeoutError)
  answers.inMs = 0
  await vi.waitFor(() => deadline.within(call), 3_000)
  expect(called).toBe(true)
  const before = answers.asked
  await sleep(300)
  expect(answers.asked).toBe(before)
})

test('a server that refuses the question has answered it', async () => {
  const deadline = new Deadline(50, () => Promise.reject(new Error('NOPERM')))
  await expect(deadline.within(never)).rejects.toBeInstanceOf(TimeoutError)
  await vi.waitFor(async () => expect(await deadline.within(async () => 1)).toBe(1), 1_000)
})
