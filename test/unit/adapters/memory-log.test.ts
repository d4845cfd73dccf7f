import { expect, test } from 'vitest'
import { createMemoryLog } from '../../../src/adapters/memory-log.ts'
import type { NewRecord, RunHandler } from '../../../src/core/ports.ts'

function record(topic: string, partition: number, value = 'x'): NewRecord {
  return { topic, partition, key: null, value: Buffer.from(value) }
}

function reader(seen: string[] = []): RunHandler {
  return {
    onAssigned() {},
    async onRun({ topic, partition, from, records }) {
      seen.push(`${topic}-${partition}@${from}+${records.length}`)
      return from + records.length
    },
  }
}

test('the same appends give the same runs, topic by topic and partition by partition', async () => {
  async function runs(): Promise<string[]> {
    const log = createMemoryLog({ topics: { b: 2, a: 2 }, maxRunRecords: 3 })
    const seen: string[] = []
    const subscription = await log.subscribe('g', ['b', 'a'], reader(seen))
    await log.append([
      record('a', 1),
      record('b', 0),
      record('a', 0),
      record('b', 1),
      record('b', 1),
      record('b', 1),
      record('b', 1),
    ])
    await subscription.idle()
    return seen
  }
  expect(await runs()).toEqual(['b-0@0+1', 'b-1@0+3', 'a-0@0+1', 'a-1@0+1', 'b-1@3+1'])
  expect(await runs()).toEqual(await runs())
})

test('timestamps come from the clock where the producer gives none', async () => {
  const log = createMemoryLog({ topics: { t: 1 }, clock: () => 42 })
  const timestamps: number[] = []
  const subscription = await log.subscribe('g', ['t'], {
    onAssigned() {},
    async onRun({ from, records }) {
      timestamps.push(...records.map(({ timestamp }) => timestamp))
      return from + records.length
    },
  })
  await log.append([record('t', 0), { ...record('t', 0), timestamp: 7 }])
  await subscription.idle()
  expect(timestamps).toEqual([42, 7])
})

test('with retain unread, what all groups have read is dropped', async () => {
  const log = createMemoryLog({ topics: { in: 1, out: 1, unheard: 1 }, retain: 'unread' })
  const at = { topic: 'in', partition: 0 }
  const writer = await log.fence('weir', at)
  const lane = await log.subscribe('weir', ['in'], {
    onAssigned() {},
    async onRun({ from, records }) {
      const next = from + records.length
      await writer.commit(
        records.flatMap(() => [record('out', 0), record('unheard', 0)]),
        next,
      )
      return next
    },
  })
  const slow: string[] = []
  const screen = await log.subscribe('screen', ['out'], reader(slow))
  for (let i = 0; i < 20; i++) {
    await log.append(Array.from({ length: 1_000 }, () => record('in', 0)))
    await lane.idle()
    await screen.idle()
  }
  for (const topic of ['in', 'out', 'unheard']) {
    expect(await log.bounds({ topic, partition: 0 })).toEqual({ first: 20_000, end: 20_000 })
  }
})

test('with retain unread, what a transactional group has read but not committed is kept', async () => {
  const log = createMemoryLog({ topics: { in: 1 }, retain: 'unread' })
  const at = { topic: 'in', partition: 0 }
  const writer = await log.fence('weir', at)
  const lane = await log.subscribe('weir', ['in'], reader())
  await log.append([record('in', 0), record('in', 0), record('in', 0)])
  await lane.idle()
  expect(await log.bounds(at)).toEqual({ first: 0, end: 3 })
  await writer.commit([], 2)
  expect(await log.bounds(at)).toEqual({ first: 2, end: 3 })
})

test('a transaction with one impossible record writes nothing at all', async () => {
  const log = createMemoryLog({ topics: { in: 1, out: 1 } })
  const writer = await log.fence('weir', { topic: 'in', partition: 0 })
  await expect(writer.commit([record('out', 0), record('nowhere', 0)], 1)).rejects.toMatchObject({
    code: 'WEIR_LOG_TOPIC',
  })
  expect(await log.bounds({ topic: 'out', partition: 0 })).toEqual({ first: 0, end: 0 })
  expect(await log.committed('weir', { topic: 'in', partition: 0 })).toBeNull()
})
