import { expect, it } from 'vitest'
import { createMemoryLog } from '../../src/adapters/memory-log.ts'
import { readAllSince, type Since } from '../../src/apps/desk.ts'
import type { LogRecord } from '../../src/core/ports.ts'

const text = {
  encode: (value: string) => Buffer.from(value),
  decode: async (records: readonly LogRecord[]) =>
    records.map(({ value }) => ({ ok: true, value: String(value) }) as const),
}

/** Records stamped so, in the order of the log. */
const stamped = [10, 20, 30, 40, 12, 50]

async function read(since: Since): Promise<{ values: string[]; isCut: boolean }> {
  const log = createMemoryLog({ topics: { t: 1 } })
  const at = { topic: 't', partition: 0, key: null }
  await log.append(
    stamped.map((timestamp, i) => ({ ...at, value: text.encode(`${i}: ${timestamp}`), timestamp })),
  )
  let isCut = false
  const onCut = () => {
    isCut = true
  }
  const found = await readAllSince({ log }, 't', text, { partition: 0, onCut, ...since })
  return { values: found.map(({ value }) => value), isCut }
}

it('what a stretch of time includes is read wherever it lies, also beyond what is read at most', async () => {
  expect(await read({ from: 10, to: 25 })).toEqual({ values: ['0: 10', '1: 20'], isCut: false })
  const all = ['0: 10', '1: 20', '2: 30', '3: 40', '4: 12']
  expect(await read({ from: 10, to: 25, including: [4] })).toEqual({ values: all, isCut: false })
  expect(await read({ from: 10, to: 25, including: [4], most: 2 })).toEqual({
    values: ['0: 10', '1: 20', '4: 12'],
    isCut: true,
  })
  expect(await read({ from: 25, to: 35, including: [1] })).toMatchObject({ values: ['1: 20', '2: 30'] })
  expect(await read({ from: 25, to: 35, including: [6] })).toMatchObject({ values: ['2: 30'] })
})
