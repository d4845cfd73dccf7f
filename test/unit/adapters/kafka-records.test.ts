import { createRequire } from 'node:module'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { produceRequest } from '../../../src/adapters/kafka-produce.ts'

const kafkajs = createRequire(import.meta.url)('kafkajs/src/protocol/requests/produce/v3/request.js')

const text = (maxLength: number) => fc.string({ maxLength, unit: 'binary' })
const bytes = (maxLength: number) => fc.uint8Array({ maxLength }).map((all) => Buffer.from(all))
const key = fc.oneof(fc.constant(null), text(80), bytes(20))
const value = fc.oneof(fc.constant(null), text(200), bytes(9_000))
const headers = fc.dictionary(fc.string({ maxLength: 20 }), text(100))

const timestamp = fc.oneof(
  fc.constant(-1),
  fc.integer({ min: 1e12, max: 9e12 }),
  fc.integer({ min: 1e12, max: 1e12 + 500 }),
)

/** Headers of a record are its own, or those of others, as they are in a chunk. */
const records = fc
  .tuple(
    fc.array(fc.record({ key, value, timestamp, headers: fc.oneof(headers, fc.nat(2)) }), {
      minLength: 1,
      maxLength: 80,
    }),
    fc.array(headers, { minLength: 2, maxLength: 2 }),
  )
  .map(([all, shared]) =>
    all.map(({ headers: own, ...record }) => {
      const chosen = typeof own === 'number' ? shared[own] : own
      return chosen === undefined ? record : { ...record, headers: chosen }
    }),
  )

const partition = fc.record({
  partition: fc.nat(1_000),
  firstSequence: fc.nat(2 ** 31 - 1),
  messages: records,
})

const request = fc.record({
  acks: fc.constant(-1),
  timeout: fc.nat(60_000),
  transactionalId: fc.option(text(30), { nil: undefined }).filter((id) => id !== ''),
  producerId: fc.bigInt({ min: -1n, max: 2n ** 63n - 1n }).map(String),
  producerEpoch: fc.nat(32_767),
  topicData: fc.array(
    fc.record({ topic: text(40), partitions: fc.array(partition, { minLength: 1, maxLength: 3 }) }),
    {
      maxLength: 3,
    },
  ),
})

test('a produce request has the bytes that kafkajs gives it', async () => {
  await fc.assert(
    fc.asyncProperty(request, async (asked) => {
      const theirs = await kafkajs(asked).encode()
      const ours = await produceRequest(asked).encode()
      expect(ours.buffer.toString('hex')).toBe(theirs.buffer.toString('hex'))
    }),
  )
})

test('records without a timestamp have that of the request', async () => {
  const asked = (timestamp?: number) => ({
    acks: -1,
    timeout: 30_000,
    producerId: '7',
    producerEpoch: 1,
    topicData: [
      {
        topic: 't',
        partitions: [
          { partition: 0, firstSequence: 0, messages: [{ value: 'v', ...(timestamp && { timestamp }) }] },
        ],
      },
    ],
  })
  const before = Date.now()
  const { buffer } = await produceRequest(asked()).encode()
  const after = Date.now()
  const times = Array.from({ length: after - before + 1 }, (_, i) => before + i)
  const possible = await Promise.all(times.map((time) => produceRequest(asked(time)).encode()))
  expect(possible.map((one) => one.buffer.toString('hex'))).toContain(buffer.toString('hex'))
})
