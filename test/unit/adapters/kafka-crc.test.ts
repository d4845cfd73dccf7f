import { createRequire } from 'node:module'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { crc32c } from '../../../src/adapters/kafka-crc.ts'

const kafkajs = createRequire(import.meta.url)('kafkajs/src/protocol/recordBatch/crc32C/index.js')

// RFC 3720, appendix B.4, and the check value of the catalogues.
test.each([
  ['no byte', [], 0],
  ['123456789', [...Buffer.from('123456789')], 0xe3069283],
  ['32 zeroes', Array(32).fill(0), 0x8a9136aa],
  ['32 ones', Array(32).fill(255), 0x62a8ab43],
  ['32 ascending', Array.from({ length: 32 }, (_, i) => i), 0x46dd794e],
  ['32 descending', Array.from({ length: 32 }, (_, i) => 31 - i), 0x113fdb5c],
])('the published value of %s', (_, bytes, published) => {
  expect(crc32c(Buffer.from(bytes))).toBe(published)
})

test('every length at every alignment has the checksum that kafkajs gives it', () => {
  const bytes = Buffer.from(Array.from({ length: 120 }, (_, i) => (i * i * 7 + 13 * i) & 255))
  for (let from = 0; from < 20; from++) {
    for (let to = from; to <= bytes.length; to++) {
      const part = bytes.subarray(from, to)
      expect([from, to, crc32c(part)]).toEqual([from, to, kafkajs(part)])
    }
  }
})

test('and so have any bytes', () => {
  const bytes = fc.uint8Array({ maxLength: 5_000 })
  fc.assert(
    fc.property(bytes, fc.nat(16), (all, from) => {
      const part = Buffer.from(all).subarray(from)
      expect(crc32c(part)).toBe(kafkajs(part))
    }),
  )
})
