import { createRequire } from 'node:module'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, expect, inject, test, vi } from 'vitest'
import { createKafkaAdmin, type KafkaAdmin } from '../../src/adapters/kafka-admin.ts'
import { createKafkaLog } from '../../src/adapters/kafka-log.ts'
import type { Log, TopicPartition, TransactionalWriter } from '../../src/core/ports.ts'

const require = createRequire(import.meta.url)
const { prototype: connection } = require('kafkajs/src/network/connection.js')
const { prototype: broker } = require('kafkajs/src/broker/index.js')
const { prototype: cluster } = require('kafkajs/src/cluster/index.js')
type Step = (asked: unknown) => Promise<unknown>

const brokers = inject('kafkaBrokers').split(',')
let admin: KafkaAdmin
let log: Log
let count = 0

beforeAll(async () => {
  admin = await createKafkaAdmin({ brokers })
  log = createKafkaLog({ client: { brokers } })
})
afterEach(() => {
  vi.restoreAllMocks()
})
afterAll(async () => {
  await log.close()
  await admin.close()
})

/** Its group is named as its topic. */
async function fresh(): Promise<{ at: TopicPartition; writer: TransactionalWriter }> {
  const topic = `transactions-${process.pid}-${Date.now()}-${count++}`
  await admin.createTopics([{ topic, partitions: 2, replication: 1, settings: {} }])
  const at = { topic, partition: 0 }
  return { at, writer: await log.fence(topic, at) }
}

const records = ({ topic }: TopicPartition, value: string, partitions = [0, 1]) =>
  partitions.map((partition) => ({ topic, partition, key: null, value: Buffer.from(value) }))

async function valuesOf(at: TopicPartition): Promise<string[]> {
  const { end } = await log.bounds(at)
  const values: string[] = []
  for await (const read of log.read(at, 0, end)) values.push(...read.map(({ value }) => String(value)))
  return values
}

/** What a fence waits for: all that was committed can be read, all else is aborted. */
async function settle({ topic, partition }: TopicPartition): Promise<void> {
  await (await log.fence(topic, { topic, partition })).close()
}

// Again where the first commit took so long that the coordinator is asked for anew.
test('a commit is five requests in three trips: no coordinator is looked for again', {
  retry: 2,
}, async () => {
  const { at, writer } = await fresh()
  await writer.commit(records(at, '1'), 1)
  const steps: string[] = []
  const send: Step = connection.send
  vi.spyOn(connection, 'send').mockImplementation(function (this: unknown, asked) {
    const { apiName } = (asked as { request: { apiName: string } }).request
    steps.push(`${apiName} leaves`)
    return send.call(this, asked).finally(() => steps.push(`${apiName} answered`))
  })
  await writer.commit(records(at, '2'), 2)
  await writer.close()
  const [one, other, ...rest] = steps
  expect([one, other]).toEqual(['AddOffsetsToTxn leaves', 'AddPartitionsToTxn leaves'])
  // The first may be repeated until the transaction before is complete.
  const trip = (...names: string[]) => ({
    leaves: names.map((name) => rest.indexOf(`${name} leaves`)),
    answered: names.map((name) => rest.lastIndexOf(`${name} answered`)),
  })
  const first = trip('AddOffsetsToTxn', 'AddPartitionsToTxn')
  const second = trip('TxnOffsetCommit', 'Produce')
  const third = trip('EndTxn')
  expect(Math.min(...second.leaves)).toBeGreaterThan(Math.max(...first.answered))
  expect(Math.max(...second.leaves)).toBeLessThan(Math.min(...second.answered))
  expect(Math.min(...third.leaves)).toBeGreaterThan(Math.max(...second.answered))
  expect(new Set(steps.map((step) => step.split(' ')[0])).size).toBe(5)
})

test('records whose answer got lost are sent again, and are there once', async () => {
  const { at, writer } = await fresh()
  const produce: Step = broker.produce
  let sent = 0
  vi.spyOn(broker, 'produce').mockImplementation(async function (this: unknown, asked) {
    const answer = await produce.call(this, asked)
    if (sent++ % 2 === 0) throw Object.assign(new Error('cut'), { retriable: true })
    return answer
  })
  for (const next of [1, 2, 3]) await writer.commit(records(at, String(next)), next)
  expect(sent).toBe(6)
  await writer.close()
  await settle(at)
  expect(await valuesOf(at)).toEqual(['1', '2', '3'])
  expect(await valuesOf({ ...at, partition: 1 })).toEqual(['1', '2', '3'])
})

test('more than a request may hold is sent in several, in order, also when it is sent again', async () => {
  const { at, writer } = await fresh()
  const produce: Step = broker.produce
  let sent = 0
  vi.spyOn(broker, 'produce').mockImplementation(async function (this: unknown, asked) {
    const answer = await produce.call(this, asked)
    if (sent++ === 1) throw Object.assign(new Error('cut'), { retriable: true })
    return answer
  })
  const large = Array.from({ length: 25 }, (_, i) => `${i} ${'x'.repeat(100_000)}`)
  await writer.commit(
    large.flatMap((value) => records(at, value, [0])),
    1,
  )
  expect(sent).toBe(4)
  await writer.close()
  await settle(at)
  expect((await valuesOf(at)).map((value) => value.split(' ')[0])).toEqual(large.map((_, i) => String(i)))
})

test('a position whose answer got lost is not sent again: it could come behind a later one', async () => {
  const { at, writer } = await fresh()
  await writer.commit(records(at, '1'), 1)
  const move: Step = broker.txnOffsetCommit
  const spy = vi.spyOn(broker, 'txnOffsetCommit').mockImplementation(async function (this: unknown, asked) {
    await move.call(this, asked)
    throw Object.assign(new Error('cut'), { retriable: true })
  })
  await expect(writer.commit(records(at, '2'), 2)).rejects.toMatchObject({
    code: 'WEIR_LOG_UNAVAILABLE',
    retriable: true,
  })
  expect(spy).toHaveBeenCalledTimes(1)
  await settle(at)
  expect(await log.committed(at.topic, at)).toBe(1)
  expect(await valuesOf(at)).toEqual(['1'])
})

test('a position that the coordinator refuses for now is sent again', async () => {
  const { at, writer } = await fresh()
  const move: Step = broker.txnOffsetCommit
  let refusals = 3
  vi.spyOn(broker, 'txnOffsetCommit').mockImplementation(async function (this: unknown, asked) {
    if (refusals-- > 0)
      throw Object.assign(new Error('no'), { retriable: true, type: 'NOT_COORDINATOR_FOR_GROUP' })
    return move.call(this, asked)
  })
  await writer.commit(records(at, '1'), 1)
  await writer.close()
  await settle(at)
  expect(await log.committed(at.topic, at)).toBe(1)
})

test('a partition that is not there is named, and nothing is committed', async () => {
  const { at, writer } = await fresh()
  await expect(writer.commit(records(at, '1', [0, 7]), 1)).rejects.toMatchObject({
    code: 'WEIR_LOG_TOPIC',
    message: `Topic ${at.topic} has no partition 7.`,
  })
  await settle(at)
  expect(await log.committed(at.topic, at)).toBeNull()
  expect(await valuesOf(at)).toEqual([])
})

test('a partition that is forgotten on the way is not left out', async () => {
  const { at, writer } = await fresh()
  const find = cluster.findLeaderForPartitions
  let asked = 0
  vi.spyOn(cluster, 'findLeaderForPartitions').mockImplementation(function (
    this: unknown,
    topic,
    partitions,
  ) {
    const wanted = asked++ === 0 ? partitions : (partitions as number[]).slice(1)
    return find.call(this, topic, wanted)
  })
  await expect(writer.commit(records(at, '1'), 1)).rejects.toMatchObject({ code: 'WEIR_LOG_TOPIC' })
  expect(asked).toBe(2)
  vi.restoreAllMocks()
  await settle(at)
  expect(await log.committed(at.topic, at)).toBeNull()
  expect(await valuesOf({ ...at, partition: 1 })).toEqual([])
})

test('a commit whose answer got lost is not sent again: the next fence tells', async () => {
  const { at, writer } = await fresh()
  const end: Step = broker.endTxn
  const spy = vi.spyOn(broker, 'endTxn').mockImplementation(async function (this: unknown, asked) {
    await end.call(this, asked)
    throw Object.assign(new Error('cut'), { retriable: true })
  })
  await expect(writer.commit(records(at, '1'), 1)).rejects.toMatchObject({ code: 'WEIR_LOG_UNAVAILABLE' })
  expect(spy).toHaveBeenCalledTimes(1)
  await expect(writer.commit(records(at, '2'), 2)).rejects.toMatchObject({ code: 'WEIR_LOG_UNAVAILABLE' })
  await settle(at)
  expect(await log.committed(at.topic, at)).toBe(1)
  expect(await valuesOf(at)).toEqual(['1'])
})

/** How many connections there are once their number stays for half a second. */
async function connections(): Promise<number> {
  const count = () => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length
  for (let [last, same] = [count(), 0]; ; ) {
    await sleep(50)
    const now = count()
    same = now === last ? same + 1 : 0
    last = now
    if (same === 10) return now
  }
}

test('what is under way when a writer is closed leaves nothing open', async () => {
  const before = await connections()
  const { at, writer } = await fresh()
  await writer.commit(records(at, '1'), 1)
  const find = cluster.findGroupCoordinator
  const gate = Promise.withResolvers<void>()
  const spy = vi.spyOn(cluster, 'findGroupCoordinator').mockImplementation(async function (
    this: unknown,
    asked,
  ) {
    await gate.promise
    return find.call(this, asked)
  })
  const committed = expect(writer.commit(records(at, '2'), 2)).rejects.toMatchObject({
    code: 'WEIR_LOG_UNAVAILABLE',
  })
  await expect.poll(() => spy.mock.calls.length).toBe(2)
  await writer.close()
  expect(await connections()).toBe(before)
  gate.resolve()
  await committed
  expect(await connections()).toBe(before)
})

test('what is still waiting when a transaction fails does not connect again', async () => {
  const before = await connections()
  const { at, writer } = await fresh()
  await writer.commit(records(at, '1'), 1)
  const asked = vi.spyOn(broker, 'addOffsetsToTxn').mockImplementation(async () => {
    throw Object.assign(new Error('not yet'), { type: 'CONCURRENT_TRANSACTIONS' })
  })
  vi.spyOn(broker, 'addPartitionsToTxn').mockImplementation(async () => {
    throw Object.assign(new Error('no'), { type: 'TOPIC_AUTHORIZATION_FAILED' })
  })
  await expect(writer.commit(records(at, '2'), 2)).rejects.toMatchObject({ code: 'WEIR_LOG_DENIED' })
  expect(await connections()).toBe(before)
  const calls = asked.mock.calls.length
  expect(await connections()).toBe(before)
  expect(asked.mock.calls.length).toBe(calls)
})
