import { randomUUID } from 'node:crypto'
import { Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { createKafkaAdmin } from '../../src/adapters/kafka-admin.ts'
import { createKafkaLog } from '../../src/adapters/kafka-log.ts'

const brokers = inject('kafkaBrokers').split(',')
const topic = `aborted-${randomUUID().slice(0, 8)}`
const log = createKafkaLog({ client: { brokers } })
const producers = [0, 1, 2].map((n) =>
  new Kafka({ brokers, logLevel: logLevel.NOTHING }).producer({
    transactionalId: `${topic}-${n}`,
    idempotent: true,
    maxInFlightRequests: 1,
  }),
)

beforeAll(async () => {
  const admin = await createKafkaAdmin({ brokers })
  await admin.createTopics([{ topic, partitions: 1, replication: 1, settings: {} }])
  await admin.close()
  await Promise.all(producers.map((producer) => producer.connect()))
})
afterAll(async () => {
  await Promise.all([log.close(), ...producers.map((producer) => producer.disconnect())])
})

test('aborted records stay hidden where transactions of several writers lie between each other', async () => {
  const [outer, inner, third] = await Promise.all(producers.map((producer) => producer.transaction()))
  const send = (transaction: typeof outer, value: string) =>
    transaction?.send({ topic, messages: [{ value, partition: 0 }] })
  await send(outer, 'outer 1')
  await send(inner, 'inner 1')
  await send(third, 'kept 1')
  await send(outer, 'outer 2')
  // The one that began last ends first: the broker lists it first.
  await inner?.abort()
  await send(third, 'kept 2')
  await outer?.abort()
  await third?.commit()

  const values: string[] = []
  const subscription = await log.subscribe(`${topic}-reader`, [topic], {
    onAssigned() {},
    async onRun({ records }) {
      values.push(...records.map(({ value }) => String(value)))
      return (records.at(-1)?.offset ?? 0) + 1
    },
  })
  await subscription.idle()
  await subscription.stop()
  expect(values).toEqual(['kept 1', 'kept 2'])
})
