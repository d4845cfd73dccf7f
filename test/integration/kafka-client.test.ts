import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, expect, inject, test, vi } from 'vitest'
import { createKafkaAdmin } from '../../src/adapters/kafka-admin.ts'
import { createKafkaLog } from '../../src/adapters/kafka-log.ts'

const brokers = inject('kafkaBrokers').split(',')
const topic = `client-${process.pid}-${Date.now()}`
const warnings: string[] = []
process.on('warning', ({ name }) => warnings.push(name))

afterAll(() => vi.restoreAllMocks())

test('an idle consumer sets few timers, none of them negative, and prints no warning', async () => {
  const admin = await createKafkaAdmin({ brokers })
  await admin.createTopics([{ topic, partitions: 3, replication: 1, settings: {} }])
  await admin.close()
  const log = createKafkaLog({ client: { brokers } })
  const subscription = await log.subscribe(topic, [topic], {
    onAssigned() {},
    onRun: async ({ records }) => (records.at(-1)?.offset ?? 0) + 1,
  })
  await log.append([{ topic, partition: 0, key: null, value: Buffer.from('x') }])
  await subscription.idle()
  const timers = vi.spyOn(globalThis, 'setTimeout')
  await sleep(3_000)
  const delays = timers.mock.calls.map(([, delay]) => delay ?? 0)
  expect(log.healthy()).toBe(true)
  await log.close()
  // Without the patch of the request queue: 1,000 a second for each connection, all of them negative.
  expect(delays.length).toBeLessThan(60)
  expect(delays.filter((delay) => delay <= 0)).toEqual([])
  expect(warnings).not.toContain('TimeoutNegativeWarning')
})

test('a position that the log no longer holds is read from the first record, and stays the group’s own', async () => {
  const gone = `${topic}-gone`
  const at = { topic: gone, partition: 0 }
  const admin = await createKafkaAdmin({ brokers })
  await admin.createTopics([{ topic: gone, partitions: 1, replication: 1, settings: {} }])
  await admin.close()
  const log = createKafkaLog({ client: { brokers } })
  await log.append([1, 2, 3].map((value) => ({ ...at, key: null, value: Buffer.from(String(value)) })))
  const writer = await log.fence(gone, at)
  await writer.commit([], 50)
  const froms: number[] = []
  const subscription = await log.subscribe(gone, [gone], {
    onAssigned() {},
    async onRun({ from, records }) {
      froms.push(from)
      return (records.at(-1)?.offset ?? 0) + 1
    },
  })
  await subscription.idle()
  expect(froms).toEqual([0])
  expect(await log.committed(gone, at)).toBe(50)
  await writer.close()
  await log.close()
})

test('a partition whose run does not end holds up no other', async () => {
  const slow = `${topic}-slow`
  const admin = await createKafkaAdmin({ brokers })
  await admin.createTopics([{ topic: slow, partitions: 2, replication: 1, settings: {} }])
  await admin.close()
  const log = createKafkaLog({ client: { brokers } })
  const put = (partition: number) =>
    log.append([{ topic: slow, partition, key: null, value: Buffer.from('x') }])
  const hold = Promise.withResolvers<void>()
  const handled: string[] = []
  const subscription = await log.subscribe(slow, [slow], {
    onAssigned() {},
    async onRun({ partition, from, records }) {
      if (partition === 0) await hold.promise
      handled.push(`${partition}/${from}`)
      return (records.at(-1)?.offset ?? 0) + 1
    },
  })
  await put(0)
  for (let i = 0; i < 3; i++) {
    await put(1)
    await expect.poll(() => handled.at(-1), { timeout: 5_000 }).toBe(`1/${i}`)
  }
  await put(0)
  hold.resolve()
  await subscription.idle()
  // Whether the second came with the first hangs on when it was fetched.
  expect(handled.filter((one) => one.startsWith('0'))[0]).toBe('0/0')
  expect(handled.filter((one) => one.startsWith('1'))).toEqual(['1/0', '1/1', '1/2'])
  await log.close()
})

test('without a broker every call fails soon, as unavailable and retriable', async () => {
  const log = createKafkaLog({ client: { brokers: ['127.0.0.1:1'] } })
  const at = { topic, partition: 0 }
  const unavailable = { code: 'WEIR_LOG_UNAVAILABLE', retriable: true }
  await expect(log.partitions(topic)).rejects.toMatchObject(unavailable)
  await expect(log.append([{ ...at, key: null, value: Buffer.from('x') }])).rejects.toMatchObject(unavailable)
  await expect(log.fence('g', at)).rejects.toMatchObject(unavailable)
  await log.close()
})
