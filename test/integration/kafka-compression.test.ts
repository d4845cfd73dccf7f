import { type CompressionAlgorithmValue, Producer, stringSerializers } from '@platformatic/kafka'
import { expect, inject, test, vi } from 'vitest'
import { createKafkaAdmin } from '../../src/adapters/kafka-admin.ts'
import { createKafkaLog } from '../../src/adapters/kafka-log.ts'
import type { KafkaLogEvent } from '../../src/adapters/kafka-subscription.ts'
import type { WeirError } from '../../src/core/errors.ts'
import type { RunHandler } from '../../src/core/ports.ts'

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

test('a batch that unpacks to too much stops its partition only, aloud, and nothing is left out', async () => {
  const topic = `${prefix}-bomb`
  await createTopic(topic, 2)
  await send(topic, 0, ['before', 'it'], 'zstd')
  await send(topic, 0, ['\0'.repeat(40 * 1024 * 1024)], 'zstd')
  await send(topic, 0, ['behind'], 'none')
  await send(topic, 1, ['beside'], 'snappy')
  const events: KafkaLogEvent[] = []
  const log = createKafkaLog({ client: { brokers }, onEvent: (event) => events.push(event) })
  const { seen, handler } = collect(String)
  await log.subscribe(topic, [topic], handler)
  await vi.waitFor(() => expect(events.some(({ type }) => type === 'blocked')).toBe(true), 20_000)
  await vi.waitFor(() => expect(seen).toEqual({ 0: ['before', 'it'], 1: ['beside'] }), 20_000)
  const blocked = events.find((event) => event.type === 'blocked')
  const error = blocked?.error as WeirError
  expect(blocked?.at).toEqual({ topic, partition: 0 })
  expect(error).toMatchObject({ code: 'WEIR_LOG_BATCH', retriable: false })
  expect(error.message).toContain('offsets 2 to 2 cannot be read')
  expect(log.healthy()).toBe(false)
  await send(topic, 1, ['later'], 'lz4')
  await vi.waitFor(() => expect(seen[1]).toEqual(['beside', 'later']), 20_000)
  expect(events.filter(({ type }) => type === 'restarting')).toEqual([])
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
