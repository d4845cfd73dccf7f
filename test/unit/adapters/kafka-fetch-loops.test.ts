import { setTimeout as sleep } from 'node:timers/promises'
import { beforeEach, describe, expect, it } from 'vitest'
import { type FetchedBatch, FetchLoops } from '../../../src/adapters/kafka-fetch-loops.ts'

const topic = 'in'

/** Of a partition, as many records as `from` is below its end. */
class Batch implements FetchedBatch {
  readonly topic = topic
  readonly partition: number
  readonly records: number

  constructor(partition: number, records: number) {
    this.partition = partition
    this.records = records
  }

  isEmpty(): boolean {
    return this.records === 0
  }
}

let nodes: number[]
/** Records that are there, by partition. */
let there: number[]
/** What a run of a partition waits for. */
let held: Map<number, Promise<void>>
let joins: (() => void)[]
let joined: number
/** Brokers whose next fetch finds that the group is to be joined again. */
let unjoined: number[]
let failsToHandle: Error | null
/** Partitions of each fetch, and for how long the broker was to hold it. */
let asked: { partitions: number[]; waitMs: number }[]
let handled: number[]
let mostAtOnce: number
let loops: FetchLoops
let running: Promise<void>
beforeEach(() => {
  nodes = [1]
  there = [0, 0, 0]
  held = new Map()
  joins = []
  joined = 0
  unjoined = []
  failsToHandle = null
  asked = []
  handled = []
  mostAtOnce = 0
  let atOnce = 0
  const group = {
    maxWaitTime: 250,
    getNodeIds: () => nodes,
    getActiveTopicPartitions: () => ({ [topic]: new Set(there.keys()) }),
    async joinAndSync() {
      joined++
      await sleep(20)
      joins.shift()?.()
    },
  }
  loops = new FetchLoops({
    group,
    async fetch(node) {
      if (unjoined.includes(node)) {
        unjoined = unjoined.filter((other) => other !== node)
        await group.joinAndSync()
      }
      const partitions = [...(group.getActiveTopicPartitions()[topic] ?? [])]
      asked.push({ partitions, waitMs: group.maxWaitTime })
      await sleep(1)
      return partitions.map((partition) => new Batch(partition, there[partition] as number))
    },
    async handle(batch) {
      const { partition, records } = batch as Batch
      if (records === 0) return
      mostAtOnce = Math.max(mostAtOnce, ++atOnce)
      await held.get(partition)
      atOnce--
      if (failsToHandle !== null) throw failsToHandle
      handled.push(partition)
      there[partition] = 0
    },
    concurrency: 2,
    noBroker: () => new Error('no broker'),
  })
})

const begin = (): void => {
  running = loops.start()
  running.catch(() => {})
}

describe('fetch loops', () => {
  it('ask for the others while a partition is at work, and for it when it is free', async () => {
    const hold = Promise.withResolvers<void>()
    held.set(0, hold.promise)
    there = [1, 1, 0]
    begin()
    await expect.poll(() => handled).toEqual([1])
    there[2] = 5
    await expect.poll(() => handled).toEqual([1, 2])
    expect(asked.at(-1)).toEqual({ partitions: [1, 2], waitMs: 20 })
    hold.resolve()
    await expect.poll(() => handled).toEqual([1, 2, 0])
    await expect.poll(() => asked.at(-1)).toEqual({ partitions: [0, 1, 2], waitMs: 250 })
    await loops.stop()
    await running
  })

  it('hand over so many at once, each partition in its turn', async () => {
    there = [1, 1, 1]
    begin()
    await expect.poll(() => handled.toSorted()).toEqual([0, 1, 2])
    await loops.stop()
    expect(mostAtOnce).toBe(2)
    expect(handled).toHaveLength(3)
  })

  it('end with the first failure, once all that was begun is done; what waited comes again', async () => {
    const hold = Promise.withResolvers<void>()
    held.set(1, hold.promise)
    failsToHandle = new Error('by the test')
    there = [1, 1, 1]
    begin()
    await sleep(20)
    let hasEnded = false
    running.catch(() => {
      hasEnded = true
    })
    await sleep(120)
    expect(hasEnded).toBe(false)
    failsToHandle = null
    hold.resolve()
    await expect(running).rejects.toThrow('by the test')
    expect(handled).toEqual([1])
    held.clear()
    begin()
    await expect.poll(() => handled.toSorted()).toEqual([0, 1, 2])
    await loops.stop()
  })

  it('join again before anything is fetched where joining broke off', async () => {
    const broken = () => {
      throw new Error('cut')
    }
    joins = [broken, broken]
    await expect(loops.start()).rejects.toThrow('cut')
    await expect(loops.start()).rejects.toThrow('cut')
    expect(asked).toEqual([])
    begin()
    await expect.poll(() => asked.length).toBeGreaterThan(0)
    await loops.stop()
    await running
  })

  it('join once where several of them find that they have to', async () => {
    nodes = [1, 2, 3]
    begin()
    await expect.poll(() => asked.length).toBeGreaterThan(2)
    unjoined = [1, 2, 3]
    await expect.poll(() => unjoined).toEqual([])
    await sleep(50)
    await loops.stop()
    await running
    expect(joined).toBe(2)
  })

  it('do not begin where they are stopped while they join', async () => {
    joins = [() => void loops.stop()]
    await loops.start()
    expect(asked).toEqual([])
  })

  it('begin anew when the brokers are others, not while none is known', async () => {
    begin()
    await expect.poll(() => asked.length).toBeGreaterThan(0)
    nodes = []
    await sleep(20)
    const before = asked.length
    await expect.poll(() => asked.length).toBeGreaterThan(before)
    nodes = [1, 2]
    await running
    nodes = []
    await expect(loops.start()).rejects.toThrow('no broker')
  })
})
