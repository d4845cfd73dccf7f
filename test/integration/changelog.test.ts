import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, expect, inject, test, vi } from 'vitest'
import { createKafkaAdmin, type KafkaAdmin } from '../../src/adapters/kafka-admin.ts'
import { createKafkaLog } from '../../src/adapters/kafka-log.ts'
import { laneKeys } from '../../src/core/lane-keys.ts'
import type { LaneId, Log, NewRecord } from '../../src/core/ports.ts'
import { Changelog } from '../../src/stream/changelog.ts'
import type { StateChanges } from '../../src/stream/lane-states.ts'

const brokers = inject('kafkaBrokers').split(',')
const id: LaneId = { kind: 't', partition: 0 }
const beat = async () => true

let admin: KafkaAdmin
let log: Log

beforeAll(async () => {
  admin = await createKafkaAdmin({ brokers })
  log = createKafkaLog({ client: { brokers } })
})
afterAll(async () => {
  await log.close()
  await admin.close()
})

/** Topics of a test's own. @returns what the next owner of the lane finds in the changelog. */
async function fresh(settings: Readonly<Record<string, string>> = {}) {
  const group = `changelog-${randomUUID().slice(0, 8)}`
  const [input, at] = [`${group}-in`, { topic: `${group}-features`, partition: 0 }]
  await admin.createTopics([
    { topic: input, partitions: 1, replication: 1, settings: {} },
    {
      topic: at.topic,
      partitions: 1,
      replication: 1,
      settings: { 'cleanup.policy': 'compact', ...settings },
    },
  ])
  await vi.waitFor(() => log.committed(group, { topic: input, partition: 0 }), 30_000)
  const open = async () => {
    const writer = await log.fence(group, { topic: input, partition: 0 })
    const commit = (records: readonly NewRecord[]) => writer.commit(records, 0)
    const keys = laneKeys('app.layout', id)
    const changelog = await Changelog.open({ log, at, keys, commit, newToken: randomUUID }, 1_000_000, beat)
    return { changelog, writer }
  }
  return { at, open }
}

const statesAt = (upTo: number): StateChanges =>
  Array.from({ length: 200 }, (_, i) => [`c-${i}`, Buffer.from(`${i} up to ${upTo}`.padEnd(500))] as const)

async function* all(states: StateChanges): AsyncGenerator<StateChanges> {
  yield states
}

async function given(changelog: Changelog): Promise<ReadonlyMap<string, Buffer>> {
  const found = new Map<string, Buffer>()
  for await (const states of changelog.states(beat)) for (const [key, state] of states) found.set(key, state)
  return found
}

test('what was committed behind the open transaction of another lane is waited for', async () => {
  const { at, open } = await fresh()
  const first = await open()
  await first.changelog.copy(10, all(statesAt(10)), beat)

  const kafka = new Kafka({ brokers, logLevel: logLevel.NOTHING })
  const other = kafka.producer({ transactionalId: `other-${at.topic}`, maxInFlightRequests: 1 })
  await other.connect()
  const transaction = await other.transaction()
  await transaction.send({ topic: at.topic, messages: [{ partition: 0, key: 'other', value: 'x' }] })

  const { records, onCommitted } = first.changelog.records(20, statesAt(20))
  await first.writer.commit(records, 0)
  onCommitted()
  let isOpen = false
  const next = open().then((found) => {
    isOpen = true
    return found
  })
  await sleep(1_000)
  expect(isOpen).toBe(false)
  await transaction.abort()
  const { changelog } = await next
  expect(changelog.upTo).toBe(20)
  expect(await given(changelog)).toEqual(new Map(statesAt(20)))
  await other.disconnect()
})

test('compaction leaves the newest of each state, and nothing else is needed', async () => {
  const { at, open } = await fresh({
    'segment.bytes': '1048576',
    'min.cleanable.dirty.ratio': '0.01',
    'max.compaction.lag.ms': '1000',
  })
  const { changelog, writer } = await open()
  await changelog.copy(0, all([]), beat)
  const rounds = 40
  for (let upTo = 1; upTo <= rounds; upTo++) {
    const { records, onCommitted } = changelog.records(upTo, statesAt(upTo))
    await writer.commit(records, 0)
    onCommitted()
  }
  const count = async () => {
    const { first, end } = await log.bounds(at)
    let records = 0
    for await (const some of log.read(at, first, end)) records += some.length
    return records
  }
  // The segment that is written to is never compacted.
  const written = rounds * statesAt(0).length
  await vi.waitFor(async () => expect(await count()).toBeLessThan(written / 2), {
    timeout: 60_000,
    interval: 1_000,
  })
  const next = await open()
  expect(next.changelog.upTo).toBe(rounds)
  expect(await given(next.changelog)).toEqual(new Map(statesAt(rounds)))
})
