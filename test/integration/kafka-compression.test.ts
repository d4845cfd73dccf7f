import { type CompressionAlgorithmValue, Producer, stringSerializers } from '@platformatic/kafka'
import { expect, inject, test } from 'vitest'
import { createKafkaAdmin } from '../../src/adapters/kafka-admin.ts'
import { createKafkaLog } from '../../src/adapters/kafka-log.ts'
import type { KafkaLogEvent } from '../../src/adapters/kafka-subscription.ts'
import type { LogRecord, RunHandler } from '../../src/core/ports.ts'

const brokers = inject('kafkaBrokers').split(',')
const prefix = `compression-${process.pid}-${Date.now()}`
const codecs = ['gzip', 'snappy', 'lz4', 'zstd'] as const

async function createTopic(topic: string, partitions: number, settings: Record<string, string> = {}) {
  const admin = await createKafkaAdmin({ brokers })
  await admin.createTopics([{ topic, partitions, replication: 1, settings }])
  await admin.close()
}

/** Each call is one batch, packed by another client than ours. */
async function send(
  topic: string,
  partition: number,
  values: readonly string[],
  compression: CompressionAlgorithmValue,
) {
  const producer = new Producer({
    clientId: prefix,
    bootstrapBrokers: brokers,
    serializers: stringSerializers,
    autocreateTopics: false,
  })
  await producer.send({ messages: values.map((value) => ({ topic, partition, value })), compression })
  await producer.close()
}

/** Takes every record and keeps what `describe` makes of it. */
function collect(describe: (value: Buffer) => string) {
  const seen: Record<number, string[]> = {}
  const handler: RunHandler = {
    onAssigned() {},
    async onRun({ partition, records }) {
      seen[partition] ??= []
      for (const { value } of records) seen[partition].push(describe(value ?? Buffer.alloc(0)))
      return (records.at(-1)?.offset ?? 0) + 1
    },
  }
  return { seen, handler }
}

test.each(codecs)(
  'every record of %s batches arrives, packed by a producer or by the broker',
  async (codec) => {
    const topic = `${prefix}-${codec}`
    const values = Array.from({ length: 5_000 }, (_, i) => `transaction ${i}, ${'x'.repeat(i % 300)}`)
    await createTopic(topic, 1, { 'compression.type': 'producer' })
    await createTopic(`${topic}-broker`, 1, { 'compression.type': codec })
    const log = createKafkaLog({ client: { brokers } })
    for (let at = 0; at < values.length; at += 1_000)
      await send(topic, 0, values.slice(at, at + 1_000), codec)
    await log.append(
      values.map((value) => ({
        topic: `${topic}-broker`,
        partition: 0,
        key: null,
        value: Buffer.from(value),
      })),
    )
    for (const name of [topic, `${topic}-broker`]) {
      const { seen, handler } = collect(String)
      const subscription = await log.subscribe(name, [name], handler)
      await subscription.idle()
      await subscription.stop()
      expect(seen[0]).toEqual(values)
    }
    await log.close()
  },
)

test('the records of a batch that unpacks to too much are refused, and its partition goes on', async () => {
  const topic = `${prefix}-bomb`
  // Snappy packs 20 bytes into one.
  await createTopic(topic, 2, { 'max.message.bytes': '8388608' })
  await send(topic, 0, ['before', 'it'], 'zstd')
  for (const codec of codecs) await send(topic, 0, ['in', '\0'.repeat(40 * 1024 * 1024)], codec)
  await send(topic, 0, ['behind'], 'none')
  await send(topic, 1, ['beside'], 'snappy')
  const events: KafkaLogEvent[] = []
  const log = createKafkaLog({ client: { brokers }, onEvent: (event) => events.push(event) })
  const records: LogRecord[] = []
  const subscription = await log.subscribe(topic, [topic], {
    onAssigned() {},
    async onRun(run) {
      if (run.partition === 0) records.push(...run.records)
      return (run.records.at(-1)?.offset ?? 0) + 1
    },
  })
  await subscription.idle()
  expect(records.map(({ offset }) => offset)).toEqual(records.map((_, i) => i))
  const seen = records.map(({ value, rejection }) => rejection?.code ?? String(value))
  const bombs = Array(2 * codecs.length).fill('WEIR_RECORD_TOO_LARGE')
  expect(seen).toEqual(['before', 'it', ...bombs, 'behind'])
  expect(events.map(({ type }) => type)).toEqual(['joined'])
  expect(log.healthy()).toBe(true)
  const read: LogRecord[] = []
  for await (const some of log.read({ topic, partition: 0 }, 0, records.length)) read.push(...some)
  expect(read.map(({ rejection }) => rejection)).toEqual(records.map(({ rejection }) => rejection))
  await log.close()
})

test('many batches that unpack to much are read a few at a time', async () => {
  const topic = `${prefix}-heavy`
  const mebibyte = 1024 * 1024
  await createTopic(topic, 1)
  for (let sent = 0; sent < 40; sent++) await send(topic, 0, ['\0'.repeat(16 * mebibyte)], 'zstd')
  const log = createKafkaLog({ client: { brokers } })
  let most = 0
  const { seen, handler } = collect((value) => {
    most = Math.max(most, process.memoryUsage().arrayBuffers)
    return String(value.length)
  })
  const subscription = await log.subscribe(topic, [topic], handler)
  await subscription.idle()
  expect(seen[0]).toEqual(Array.from({ length: 40 }, () => String(16 * mebibyte)))
  // All at once they would be 640 MiB.
  expect(most).toBeLessThan(320 * mebibyte)
  await log.close()
})
