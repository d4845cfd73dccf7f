import { createRequire } from 'node:module'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { encodeRecord } from '../../../src/adapters/kafka-records.ts'

const kafkajs = createRequire(import.meta.url)('kafkajs/src/protocol/recordBatch/record/v0/index.js')

const content = fc.oneof(
  fc.constant(null),
  fc.string({ maxLength: 200, unit: 'binary' }),
  fc.uint8Array({ maxLength: 9_000 }).map((bytes) => Buffer.from(bytes)),
)

test('a record has the bytes that kafkajs gives it', () => {
  const record = fc.record(
    {
      offsetDelta: fc.nat(),
      timestampDelta: fc.oneof(fc.integer(), fc.integer({ min: -(2 ** 50), max: 2 ** 50 })),
      key: content,
      value: content,
      headers: fc.dictionary(fc.string({ maxLength: 20 }), fc.string({ maxLength: 100, unit: 'binary' })),
    },
    { requiredKeys: ['offsetDelta', 'timestampDelta'] },
  )
  fc.assert(
    fc.property(record, (one) => {
      expect(encodeRecord(one).buffer.toString('hex')).toBe(kafkajs(one).buffer.toString('hex'))
    }),
  )
})
