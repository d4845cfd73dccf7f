import { randomUUID } from 'node:crypto'
import { Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { createKafkaAdmin } from '../../src/adapters/kafka-admin.ts'
import { createKafkaLog } from '../../src/adapters/kafka-log.ts'
import type { TopicPartition } from '../../src/core/ports.ts'

const brokers = inject('kafkaBrokers').split(',')
const id = randomUUID().slice(0, 8)
const log = createKafkaLog({ client: { brokers } })
const kafka = new Kafka({ brokers, logLevel: logLevel.NOTHING })
const admin = kafka.admin()

beforeAll(() => admin.connect())
afterAll(async () => {
  await Promise.all([log.close(), admin.disconnect()])
})

async function fresh(name: string, settings: Record<string, string> = {}): Promise<TopicPartition> {
  const topic = `read-${name}-${id}`
  const topics = await createKafkaAdmin({ brokers })
  await topics.createTopics([{ topic, partitions: 1, replication: 1, settings }])
  await topics.close()
  return { topic, partition: 0 }
}

async function valuesOf(at: TopicPartition, from = 0, to = Number.POSITIVE_INFINITY): Promise<string[]> {
  const values: string[] = []
  for await (const records of log.read(at, from, to))
    values.push(...records.map(({ value }) => String(value)))
  return values
}

const producer = (name: string) =>
  kafka.producer({ transactionalId: `${name}-${id}`, idempotent: true, maxInFlightRequests: 1 })

test('aborted records are left out, from any offset on, and what is still open is not part of it', async () => {
  const at = await fresh('aborted')
  const producers = [producer('a'), producer('b')]
  await Promise.all(producers.map((one) => one.connect()))
  const [outer, inner] = await Promise.all(producers.map((one) => one.transaction()))
  const send = (transaction: typeof outer, value: string) =>
    transaction?.send({ topic: at.topic, messages: [{ value, partition: 0 }] })
  await send(outer, 'outer 1')
  await send(inner, 'kept 1')
  await send(outer, 'outer 2')
  await send(inner, 'kept 2')
  await outer?.abort()
  expect(await valuesOf(at)).toEqual([])
  await inner?.commit()
  await expect.poll(() => valuesOf(at)).toEqual(['kept 1', 'kept 2'])
  const { end } = await log.bounds(at)
  const fromEach = await Promise.all(Array.from({ length: end }, (_, from) => valuesOf(at, from)))
  expect(fromEach.map((values) => values.join())).toEqual([
    'kept 1,kept 2',
    'kept 1,kept 2',
    'kept 2',
    'kept 2',
    ...Array(end - 4).fill(''),
  ])
  await Promise.all(producers.map((one) => one.disconnect()))
})

test('a range that begins before what was deleted is refused with what is left', async () => {
  const at = await fresh('deleted')
  const values = Array.from({ length: 10 }, (_, i) => `${i}`)
  await log.append(values.map((value) => ({ ...at, key: null, value: Buffer.from(value) })))
  await admin.fetchTopicOffsets(at.topic)
  await admin.deleteTopicRecords({ topic: at.topic, partitions: [{ partition: 0, offset: '6' }] })
  await expect(valuesOf(at, 5)).rejects.toMatchObject({
    code: 'WEIR_LOG_HISTORY_GONE',
    message: expect.stringContaining('no longer has offset 5, what is left begins at 6'),
    cure: expect.stringContaining('retention'),
  })
  expect(await valuesOf(at, 6)).toEqual(['6', '7', '8', '9'])
})

test('what compaction took leaves gaps that are no matter', async () => {
  const at = await fresh('compacted', {
    'cleanup.policy': 'compact',
    'segment.ms': '100',
    'min.cleanable.dirty.ratio': '0',
    'max.compaction.lag.ms': '100',
    'delete.retention.ms': '0',
  })
  const put = (key: string, value: string) => log.append([{ ...at, key, value: Buffer.from(value) }])
  // One batch whose first and last records go.
  const batch = ['x', 'kept', 'x'].map((key, i) => ({ ...at, key, value: Buffer.from(`${i}`) }))
  await log.append(batch)
  for (let round = 0; (await valuesOf(at)).includes('0') || (await valuesOf(at)).includes('2'); round++) {
    await new Promise((done) => setTimeout(done, 500))
    await put('x', `again ${round}`)
  }
  const values = await valuesOf(at)
  expect(values[0]).toBe('1')
  expect(values.at(-1)).toMatch(/^again/)
  expect(await valuesOf(at, 2, 3)).toEqual([])
})

test('a subscription passes over what compaction took, too, and no reader leaves a group behind', async () => {
  const at: TopicPartition = { topic: `read-compacted-${id}`, partition: 0 }
  const expected = await valuesOf(at)
  const seen: string[] = []
  const group = `read-${id}`
  const subscription = await log.subscribe(group, [at.topic], {
    onAssigned() {},
    async onRun({ records }) {
      seen.push(...records.map(({ value }) => String(value)))
      return (records.at(-1)?.offset ?? 0) + 1
    },
  })
  await subscription.idle()
  await subscription.stop()
  expect(seen).toEqual(expected)
  const { groups } = await admin.listGroups()
  expect(groups.map(({ groupId }) => groupId).filter((name) => name.includes(id))).toEqual([group])
})
