import { setImmediate } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { loadConfig } from '../../../src/config/load.ts'
import { partitionOf } from '../../../src/core/partition.ts'
import type { LogRecord } from '../../../src/core/ports.ts'
import { PinnedPartitions } from '../../../src/stream/pinned-partitions.ts'

const { config } = loadConfig({ env: {}, set: ['topics.partitions=4'] })
const { transactions, labels, alerts } = config.topics

/** Counts of partitions that can change, and how often somebody asked. */
class Topics {
  readonly more = new Map<string, number>()
  asked = 0

  async partitions(topic: string): Promise<number> {
    this.asked++
    return this.more.get(topic) ?? 4
  }
}

const record = (key: string | null): LogRecord => ({
  offset: 0,
  timestamp: 0,
  key: key === null ? null : Buffer.from(key),
  value: null,
  headers: {},
})
const customers = Array.from({ length: 100 }, (_, i) => `c-${i}`)
const at = (partition: number, topic = transactions) => ({ topic, partition })
const homeOf = (partition: number) =>
  customers.filter((key) => partitionOf(key, 4) === partition).map((key) => record(key))
const refusal = {
  code: 'WEIR_LOG_PARTITIONS',
  message: expect.stringContaining('has 6 partitions'),
  cure: expect.stringContaining('weir rekey'),
}

describe('partitions are pinned', () => {
  it('a look that fails leaves no question open', async () => {
    let open = 0
    const partitions = async (topic: string): Promise<number> => {
      open++
      await setImmediate()
      if (topic !== alerts) for (let turns = 0; turns < 10; turns++) await setImmediate()
      open--
      if (topic === alerts) throw new Error('there is no such topic')
      return 4
    }
    await expect(new PinnedPartitions({ partitions }, config.topics).look()).rejects.toThrow('no such topic')
    expect(open).toBe(0)
  })

  it('records where their keys belong are admitted, and nobody is asked', async () => {
    const topics = new Topics()
    const pinned = new PinnedPartitions(topics, config.topics)
    for (let partition = 0; partition < 4; partition++) await pinned.admit(at(partition), homeOf(partition))
    expect(topics.asked).toBe(0)
  })

  it('a record elsewhere is admitted only while the topic is as it was', async () => {
    const topics = new Topics()
    const pinned = new PinnedPartitions(topics, config.topics)
    for (const strange of [record('c-1'), record(null)]) {
      const elsewhere = (partitionOf('c-1', 4) + 1) % 4
      await pinned.admit(at(elsewhere), [...homeOf(elsewhere), strange])
    }
    expect(topics.asked).toBe(2)
    topics.more.set(transactions, 6)
    const [moved] = customers.filter((key) => partitionOf(key, 6) !== partitionOf(key, 4)) as [string]
    await expect(pinned.admit(at(partitionOf(moved, 6)), [record(moved)])).rejects.toMatchObject(refusal)
    // From then on nothing of the topic, and all of the others.
    await expect(pinned.admit(at(0), homeOf(0))).rejects.toMatchObject(refusal)
    await pinned.admit(at(0, labels), homeOf(0))
    expect(pinned.finding).toMatchObject(refusal)
  })

  it('nothing is admitted from a partition that should not be there', async () => {
    const topics = new Topics()
    topics.more.set(labels, 6)
    const pinned = new PinnedPartitions(topics, config.topics)
    const here = customers.filter((key) => partitionOf(key, 6) === 5).map((key) => record(key))
    await expect(pinned.admit(at(5, labels), here)).rejects.toMatchObject(refusal)
  })

  it('a look finds what no record tells, and stops nothing that is not concerned', async () => {
    const topics = new Topics()
    const pinned = new PinnedPartitions(topics, config.topics)
    await pinned.look()
    expect(pinned.finding).toBeNull()
    topics.more.set(alerts, 6)
    await pinned.look()
    expect(pinned.finding).toMatchObject(refusal)
    await pinned.admit(at(0), homeOf(0))
  })

  it('work is guarded, rebuilding is not: what it reads was decided', async () => {
    const topics = new Topics()
    topics.more.set(transactions, 6)
    const pinned = new PinnedPartitions(topics, config.topics)
    await pinned.look()
    const done: string[] = []
    const work = pinned.guard(at(0), {
      work: async () => {
        done.push('work')
        return { records: [], states: [] }
      },
      rebuild: async () => {
        done.push('rebuild')
        return []
      },
      degraded: async () => {
        done.push('degraded')
        return { records: [] }
      },
    })
    const read = async () => new Map()
    await expect(work.work(homeOf(0), read)).rejects.toMatchObject(refusal)
    await expect(work.degraded?.(homeOf(0))).rejects.toMatchObject(refusal)
    await work.rebuild(homeOf(0), read)
    expect(done).toEqual(['rebuild'])
  })
})
