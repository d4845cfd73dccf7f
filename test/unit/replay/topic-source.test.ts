import { describe, expect, it } from 'vitest'
import { createMemoryLog } from '../../../src/adapters/memory-log.ts'
import { openContracts } from '../../../src/apps/connect.ts'
import { loadConfig } from '../../../src/config/load.ts'
import { partitionOf } from '../../../src/core/partition.ts'
import type { NewRecord } from '../../../src/core/ports.ts'
import type { Label } from '../../../src/core/types.ts'
import { generate } from '../../../src/generator/generate.ts'
import { mergeByTime } from '../../../src/replay/merge.ts'
import type { HistoryItem } from '../../../src/replay/source.ts'
import { openTopicSource, type TopicSourceOptions } from '../../../src/replay/topic-source.ts'

const { config } = loadConfig({ file: '/dev/null', env: {} })
const contracts = await openContracts(config)
const topics = { transactions: 't', labels: 'l' }
const partitions = 3

const generated = [...generate({ seed: 9, events: 2_500, damagedRate: 0.01 })]

/** What `weir generate` puts on the topics, damaged records included. */
async function world() {
  const log = createMemoryLog({ topics: { t: partitions, l: 2 }, maxRunRecords: 100 })
  const record = (topic: string, count: number, key: string, value: Buffer, timestamp: number): NewRecord => {
    return { topic, partition: partitionOf(key, count), key, value, timestamp }
  }
  for (const made of generated) {
    if (made.kind === 'label') {
      const { label, time } = made
      await log.append([record('l', 2, label.customer_id, contracts.labels.encode(label), time)])
    } else if (made.kind === 'transaction') {
      const { transaction, time } = made
      const value = contracts.transactions.encode(transaction)
      await log.append([record('t', partitions, transaction.customer_id, value, time)])
    } else {
      const { candidate, spoil, time } = made
      const value = spoil(contracts.transactions.encode(candidate))
      await log.append([record('t', partitions, candidate.customer_id, value, time)])
    }
  }
  return log
}

async function itemsOf(options: Partial<TopicSourceOptions> & Pick<TopicSourceOptions, 'log'>) {
  const source = await openTopicSource({ contracts, topics, ...options })
  const items: HistoryItem[] = []
  const done: number[] = []
  for await (const batch of source.items((fraction) => done.push(fraction))) items.push(...batch)
  return { items, source, done }
}

const kinds = (items: readonly HistoryItem[], kind: HistoryItem['kind']) =>
  items.filter((item) => item.kind === kind)

describe('history from the topics', () => {
  it('is all that was accepted, each partition in order, labels when they were observed', async () => {
    const log = await world()
    const { items, source, done } = await itemsOf({ log })
    const sent = generated.filter(({ kind }) => kind === 'transaction')
    expect(kinds(items, 'transaction')).toHaveLength(sent.length)
    expect(kinds(items, 'label')).toHaveLength(generated.filter(({ kind }) => kind === 'label').length)
    expect(kinds(items, 'rejected')).toHaveLength(generated.filter(({ kind }) => kind === 'damaged').length)
    const offsets = Array(partitions).fill(-1)
    let latest = 0
    let beforeItsTime = 0
    for (const item of items) {
      if (item.kind === 'transaction') {
        expect(item.offset).toBeGreaterThan(offsets[item.partition])
        offsets[item.partition] = item.offset
        latest = Math.max(latest, item.transaction.event_time)
      } else if (item.kind === 'label' && item.label.observed_time < latest) beforeItsTime++
    }
    expect(beforeItsTime).toBeLessThan(3)
    expect(done.at(-1)).toBeGreaterThan(0.9)
    const ends = async (topic: string, count: number) =>
      Promise.all(
        Array.from({ length: count }, async (_, partition) => (await log.bounds({ topic, partition })).end),
      )
    expect(source.places?.()).toEqual({
      topics,
      positions: { transactions: await ends('t', partitions), labels: await ends('l', 2) },
    })
    const [first] = kinds(items, 'rejected')
    expect(first).toMatchObject({
      at: expect.stringMatching(/^t-\d, offset \d+$/),
      reason: expect.stringContaining('WEIR_RECORD_'),
    })
  })

  it('is the same every time, and does not see what is appended meanwhile', async () => {
    const log = await world()
    const once = await itemsOf({ log })
    const source = await openTopicSource({ log, contracts, topics })
    await log.append([{ topic: 't', partition: 0, key: null, value: Buffer.from('later') }])
    const again: HistoryItem[] = []
    for await (const batch of source.items()) again.push(...batch)
    expect(again).toEqual(once.items)
  })

  it('may be a range of offsets, or of record times', async () => {
    const log = await world()
    const { items } = await itemsOf({ log })
    const offsets = { from: { offsets: [10, 20, 30] }, to: { offsets: [100, 200, 9_999] } }
    const { items: part, source } = await itemsOf({ log, ...offsets })
    const within = (item: HistoryItem) =>
      item.kind === 'transaction' &&
      item.offset >= (offsets.from.offsets[item.partition] ?? 0) &&
      item.offset < (offsets.to.offsets[item.partition] ?? 0)
    expect(kinds(part, 'transaction')).toEqual(items.filter(within))
    expect(source.places).toBeUndefined()
    expect(source.ranges.transactions.map(({ from, to }) => to - from).slice(0, 2)).toEqual([90, 180])
    const sent = generated.flatMap((made) => (made.kind === 'transaction' ? [made.time] : []))
    const [from, to] = [sent[500] as number, sent[1_500] as number]
    const timed = await itemsOf({ log, from: { time: from }, to: { time: to } })
    const expected = sent.filter((time) => time >= from && time < to)
    expect(kinds(timed.items, 'transaction')).toHaveLength(expected.length)
    await expect(itemsOf({ log, from: { offsets: [1] } })).rejects.toMatchObject({ code: 'WEIR_CLI_USAGE' })
  })

  it('gives all labels for the truth', async () => {
    const source = await openTopicSource({
      log: await world(),
      contracts,
      topics,
      to: { offsets: [1, 1, 1] },
    })
    const labels: Label[] = []
    for await (const batch of source.labels()) labels.push(...batch)
    const made = generated.flatMap((one) => (one.kind === 'label' ? [one.label] : []))
    const byTime = (a: Label, b: Label) => a.observed_time - b.observed_time
    expect(labels.toSorted(byTime)).toEqual(labels)
    expect(new Set(labels.map(({ label_id }) => label_id))).toEqual(
      new Set(made.map(({ label_id }) => label_id)),
    )
  })

  it('that was deleted is refused, or told where nothing was asked for', async () => {
    const log = createMemoryLog({ topics: { t: 1, l: 1 }, retain: 'unread' })
    for (let i = 0; i < 5; i++)
      await log.append([{ topic: 't', partition: 0, key: null, value: Buffer.from('x') }])
    await expect(itemsOf({ log, from: { offsets: [2] } })).rejects.toMatchObject({
      code: 'WEIR_LOG_HISTORY_GONE',
      message: expect.stringContaining('begins at 5'),
    })
    const { source } = await itemsOf({ log })
    expect(source.notes()).toEqual(['t-0 begins at offset 5: what was before it was deleted'])
  })
})

describe('merging by time', () => {
  async function* stream(...batches: number[][]) {
    yield* batches
  }
  const merged = async (...streams: AsyncIterable<number[]>[]) => {
    const all: number[] = []
    for await (const batch of mergeByTime(streams, (time) => time)) all.push(...batch)
    return all
  }

  it('keeps the order of each stream, also where it goes backwards', async () => {
    expect(await merged(stream([1, 5], [], [2]), stream([3, 4, 9]), stream())).toEqual([1, 3, 4, 5, 2, 9])
    expect(await merged()).toEqual([])
  })

  it('closes the streams when it is left', async () => {
    let closed = 0
    async function* endless() {
      try {
        for (let i = 0; ; i++) yield Array(100).fill(i)
      } finally {
        closed++
      }
    }
    for await (const batch of mergeByTime([endless(), endless()], (time) => time)) {
      expect(batch).toHaveLength(1_000)
      break
    }
    expect(closed).toBe(2)
  })
})
