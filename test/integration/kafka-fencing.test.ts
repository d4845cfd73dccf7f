import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { Kafka, logLevel, type Producer } from 'kafkajs'
import { afterAll, beforeAll, expect, inject, test, vi } from 'vitest'
import { createKafkaAdmin, type KafkaAdmin } from '../../src/adapters/kafka-admin.ts'
import { createKafkaLog } from '../../src/adapters/kafka-log.ts'
import { type ErrorCode, WeirError } from '../../src/core/errors.ts'
import type { Log } from '../../src/core/ports.ts'

const brokers = inject('kafkaBrokers').split(',')
const unique = randomUUID().slice(0, 8)

let admin: KafkaAdmin
let log: Log
let count = 0

beforeAll(async () => {
  admin = await createKafkaAdmin({ brokers })
  log = createKafkaLog({ client: { brokers } })
})
afterAll(async () => {
  await log.close()
  await admin.close()
})

async function fresh(partitions = 1): Promise<{ group: string; input: string; output: string }> {
  const name = `fencing-${unique}-${++count}`
  const names = { group: name, input: `${name}-in`, output: `${name}-out` }
  await admin.createTopics(
    [names.input, names.output].map((topic) => ({ topic, partitions, replication: 1, settings: {} })),
  )
  // A broker that has just been started makes its group coordinator ready with the first question.
  await vi.waitFor(() => log.committed(name, { topic: names.input, partition: 0 }), 30_000)
  return names
}

/** A producer of kafkajs itself, with the transactional id that the log gives this lane. */
async function bareProducer(group: string, input: string): Promise<Producer> {
  const kafka = new Kafka({
    brokers,
    logLevel: logLevel.NOTHING,
    retry: { initialRetryTime: 10, retries: 12 },
  })
  const producer = kafka.producer({
    transactionalId: `${group}-${input}-0`,
    idempotent: true,
    maxInFlightRequests: 1,
  })
  await producer.connect()
  return producer
}

async function readAll(topic: string): Promise<string[]> {
  const values: string[] = []
  const subscription = await log.subscribe(`reader-${unique}-${++count}`, [topic], {
    onAssigned() {},
    async onRun({ records }) {
      values.push(...records.map(({ value }) => String(value)))
      return (records.at(-1)?.offset ?? 0) + 1
    },
  })
  await subscription.idle()
  await subscription.stop()
  return values
}

/** Begins a transaction, writes into it and leaves it open. */
async function openTransaction(
  producer: Producer,
  group: string,
  input: string,
  output: string,
  offset: number,
) {
  const transaction = await producer.transaction()
  await transaction.send({ topic: output, messages: [{ partition: 0, value: 'zombie' }] })
  await transaction.sendOffsets({
    consumerGroupId: group,
    topics: [{ topic: input, partitions: [{ partition: 0, offset: String(offset) }] }],
  })
  return transaction
}

test('the trap: connect() of a new kafkajs producer leaves the old one able to commit', async () => {
  const { group, input, output } = await fresh()
  const zombie = await bareProducer(group, input)
  const transaction = await openTransaction(zombie, group, input, output, 5)
  const successor = await bareProducer(group, input)
  await transaction.commit()
  // Its marker may still be on its way.
  await expect.poll(() => readAll(output), { timeout: 30_000 }).toEqual(['zombie'])
  await Promise.all([zombie.disconnect(), successor.disconnect()])
})

test('our fence aborts the open transaction of the old producer, which can never commit again', async () => {
  const { group, input, output } = await fresh()
  const zombie = await bareProducer(group, input)
  const transaction = await openTransaction(zombie, group, input, output, 5)
  const writer = await log.fence(group, { topic: input, partition: 0 })
  expect(await log.committed(group, { topic: input, partition: 0 })).toBeNull()
  await expect(transaction.commit()).rejects.toThrow()
  await writer.commit([{ topic: output, partition: 0, key: null, value: Buffer.from('mine') }], 7)
  // Without another fence the marker may still be on its way to the position.
  await expect.poll(() => log.committed(group, { topic: input, partition: 0 }), { timeout: 30_000 }).toBe(7)
  expect(await readAll(output)).toEqual(['mine'])
  await Promise.all([writer.close(), zombie.disconnect()])
})

test('the position read after a fence is final: it includes a commit whose markers were still on their way', async () => {
  // Many output partitions make the markers of a commit slow; the fence comes while they are being written.
  const partitions = 30
  const { group, input, output } = await fresh(partitions)
  const at = { topic: input, partition: 0 }
  let expected = 0
  for (let round = 0; round < 25; round++) {
    const writer = await log.fence(group, at)
    expect(await log.committed(group, at)).toBe(expected === 0 ? null : expected)
    const records = Array.from({ length: partitions }, (_, partition) => {
      return { topic: output, partition, key: null, value: Buffer.from(String(round)) }
    })
    await writer.commit(records, ++expected)
    await writer.close()
  }
})

test('a writer that is fenced in the middle of its commit did it wholly or not at all', async () => {
  const { group, input, output } = await fresh()
  const at = { topic: input, partition: 0 }
  const survivors: string[] = []
  let writer = await log.fence(group, at)
  for (let round = 0; round < 20; round++) {
    const value = `r${round}`
    const committing = writer.commit(
      [{ topic: output, partition: 0, key: null, value: Buffer.from(value) }],
      round + 1,
    )
    const outcome = committing.then(
      () => 'committed',
      (error) => error.code,
    )
    await sleep(round * 0.7)
    const successor = await log.fence(group, at)
    const position = await log.committed(group, at)
    // What the new owner reads decides, whatever the old one was told.
    if (position === round + 1) survivors.push(value)
    const told = await outcome
    if (told === 'committed') expect(position).toBe(round + 1)
    else expect(told).toMatch(/^WEIR_LOG_/)
    if (position !== round + 1) await successor.commit([], round + 1)
    await writer.close()
    writer = successor
  }
  await writer.close()
  expect(await readAll(output)).toEqual(survivors)
})

/** How long it takes, in milliseconds, until a run that was refused for a reason comes again. */
async function redeliveredAfter(code: ErrorCode): Promise<number> {
  const { group, input } = await fresh()
  await log.append([{ topic: input, partition: 0, key: null, value: Buffer.from('x') }])
  const runs: number[] = []
  const subscription = await log.subscribe(group, [input], {
    onAssigned() {},
    async onRun({ records }) {
      runs.push(performance.now())
      if (runs.length === 1) throw new WeirError(code, 'by the test')
      return (records.at(-1)?.offset ?? 0) + 1
    },
  })
  await vi.waitFor(() => expect(runs).toHaveLength(2), 20_000)
  await subscription.stop()
  return (runs[1] as number) - (runs[0] as number)
}

test('a partition that another took over is not tried again at once', async () => {
  expect(await redeliveredAfter('WEIR_LOG_FENCED')).toBeGreaterThan(990)
  expect(await redeliveredAfter('WEIR_STORE_NOT_OWNER')).toBeGreaterThan(990)
})
