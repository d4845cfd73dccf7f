import { gzipSync, zstdCompressSync } from 'node:zlib'
import { compressionsAlgorithms } from '@platformatic/kafka'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decompressors, maxUnpackedBytes } from '../../../src/adapters/kafka-compression.ts'

/**
 * @platformatic/wasm-utils keeps a view of its memory and loses it when the memory grows; it makes a new view for an
 * input larger than all before.
 */
function sturdy(compress: (bytes: Buffer) => Buffer): (bytes: Buffer) => Buffer {
  let larger = 1024 * 1024
  return (bytes) => {
    for (let tries = 0; ; tries++) {
      try {
        return compress(bytes)
      } catch (error) {
        if (tries === 5) throw error
        larger = 2 * Math.max(larger, bytes.length)
        compress(Buffer.alloc(larger))
      }
    }
  }
}

const compressors = {
  1: gzipSync,
  2: sturdy(compressionsAlgorithms.snappy.compressSync),
  3: sturdy(compressionsAlgorithms.lz4.compressSync),
  4: zstdCompressSync,
} as const

const codecs = [1, 2, 3, 4] as const

const text = fc
  .array(fc.oneof(fc.constantFrom('aaaaaaaaaaaa', 'transaction', '\0'), fc.string()), { maxLength: 2_000 })
  .map((parts) => Buffer.from(parts.join('')))

test.each(codecs)('codec %i unpacks what another library packed', async (codec) => {
  await fc.assert(
    fc.asyncProperty(text, async (bytes) => {
      const unpacked = await decompressors[codec](compressors[codec](bytes))
      expect(unpacked.equals(bytes)).toBe(true)
    }),
    { numRuns: 50 },
  )
})

test('Snappy in the framing of Java producers', async () => {
  const parts = ['first block', 'second block, second block, second block']
  const blocks = parts.map((part) => compressors[2](Buffer.from(part)))
  const framed = Buffer.concat([
    Buffer.from('\x82SNAPPY\0\0\0\0\x01\0\0\0\x01', 'latin1'),
    ...blocks.flatMap((block) => [uint32(block.length), block]),
  ])
  expect(String(await decompressors[2](framed))).toBe(parts.join(''))
})

test.each(codecs)('codec %i unpacks the largest batch and refuses one byte more', async (codec) => {
  const largest = Buffer.alloc(maxUnpackedBytes)
  const unpacked = await decompressors[codec](compressors[codec](largest))
  expect(unpacked.length).toBe(maxUnpackedBytes)
  const slack = codec === 3 ? 5 * 1024 * 1024 : 1
  const bomb = compressors[codec](Buffer.alloc(maxUnpackedBytes + slack))
  await expect(decompressors[codec](bomb)).rejects.toThrow(/larger than|more than/)
})

test('a Snappy bomb of many small blocks is refused', async () => {
  const block = compressors[2](Buffer.alloc(1024 * 1024))
  const blocks = Array.from({ length: 33 }, () => [uint32(block.length), block]).flat()
  const bomb = Buffer.concat([Buffer.from('\x82SNAPPY\0\0\0\0\x01\0\0\0\x01', 'latin1'), ...blocks])
  await expect(decompressors[2](bomb)).rejects.toThrow('more than')
})

test.each(codecs)('codec %i ends on damaged bytes, with an error or other bytes', async (codec) => {
  const whole = compressors[codec](Buffer.from('a transaction, a transaction, another one'.repeat(100)))
  const damage = fc.record({ cut: fc.nat(whole.length), at: fc.nat(whole.length - 1), byte: fc.nat(255) })
  await fc.assert(
    fc.asyncProperty(damage, async ({ cut, at, byte }) => {
      const bytes = Buffer.from(whole)
      bytes[at] = byte
      const unpacked = await decompressors[codec](bytes.subarray(0, cut)).catch((error: unknown) => error)
      if (unpacked instanceof Buffer) expect(unpacked.length).toBeLessThanOrEqual(maxUnpackedBytes)
      else expect(unpacked).toBeInstanceOf(Error)
    }),
    { numRuns: 300 },
  )
})

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}
