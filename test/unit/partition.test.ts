import fc from 'fast-check'
import { Partitioners } from 'kafkajs'
import { describe, expect, it } from 'vitest'
import { murmur2, partitionOf } from '../../src/core/partition.ts'

describe('the partition of a key', () => {
  // Golden values of Apache Kafka's own test, clients/.../common/utils/UtilsTest.java, testMurmur2.
  it.each<[string, number]>([
    ['21', -973932308],
    ['foobar', -790332482],
    ['a-little-bit-long-string', -985981536],
    ['a-little-bit-longer-string', -1486304829],
    ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
    ['abc', 479470107],
  ])('hashes %s as the Java client does', (key, hash) => {
    expect(murmur2(Buffer.from(key))).toBe(hash)
  })

  it('is the one of the default partitioner of kafkajs', () => {
    const partitioner = Partitioners.DefaultPartitioner()
    fc.assert(
      fc.property(
        fc.string({ minLength: 1, unit: 'grapheme' }),
        fc.integer({ min: 1, max: 64 }),
        (key, count) => {
          const partitionMetadata = Array.from({ length: count }, (_, partitionId) => ({
            partitionId,
            partitionErrorCode: 0,
            leader: 0,
            replicas: [],
            isr: [],
          }))
          const theirs = partitioner({ topic: 't', partitionMetadata, message: { key, value: null } })
          expect(partitionOf(key, count)).toBe(theirs)
        },
      ),
    )
  })
})
