import { createRequire } from 'node:module'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { maxUnpackedBytes } from '../../../src/adapters/kafka-compression.ts'
import {
  decodeFetched,
  type FetchedRecord,
  maxRecordsAtOnce,
  openSealed,
} from '../../../src/adapters/kafka-fetch.ts'
import { type BatchedRecord, batchHeaderBytes, writeBatch } from '../../../src/adapters/kafka-records.ts'

const require = createRequire(import.meta.url)
const Decoder = require('kafkajs/src/protocol/decoder.js')
const kafkajs = require('kafkajs/src/protocol/requests/fetch/v4/decodeMessages.js')

interface KafkaJsMessage {
  readonly offset: string
  readonly timestamp: string
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: Record<string, unknown>
  readonly isControlRecord: boolean
  readonly batchContext: { readonly producerId: string; readonly inTransaction: boolean }
}

interface BatchOptions {
  readonly firstOffset?: bigint
  readonly flags?: number
  readonly producerId?: bigint
}

/** A batch as it comes from a broker: at its offset, its attributes perhaps set by it. */
function batchOf(
  records: readonly BatchedRecord[],
  { firstOffset = 0n, flags = 0, producerId = 7n }: BatchOptions = {},
): Buffer {
  const whole = Buffer.alloc(1_000_000)
  const end = writeBatch(whole, 0, {
    records,
    transactional: false,
    producerId,
    producerEpoch: 1,
    firstSequence: 0,
    now: 1_700_000_000_000,
  })
  whole.writeBigInt64BE(firstOffset)
  whole.writeInt16BE(flags, 21)
  return whole.subarray(0, end)
}

const packed = (batch: Buffer, codec: number, pack: (bytes: Buffer) => Buffer): Buffer => {
  const whole = Buffer.concat([batch.subarray(0, batchHeaderBytes), pack(batch.subarray(batchHeaderBytes))])
  whole.writeInt32BE(whole.length - 12, 8)
  whole.writeInt16BE(whole.readInt16BE(21) | codec, 21)
  return whole
}

/** What a fetch holds of a partition: its size, then batches. */
function fetched(...batches: Buffer[]): unknown {
  const size = Buffer.alloc(4)
  size.writeInt32BE(batches.reduce((sum, { length }) => sum + length, 0))
  return new Decoder(Buffer.concat([size, ...batches]))
}

const decode = (...batches: Buffer[]) => decodeFetched(fetched(...batches) as never)

const content = fc.oneof(
  fc.constant(null),
  fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
)
// kafkajs takes what every object inherits for a header of that name.
const headerName = fc.string({ maxLength: 20 }).filter((name) => !(name in {}))
const record = fc.record({
  key: content,
  value: content,
  timestamp: fc.integer({ min: 0, max: 9e12 }),
  headers: fc.dictionary(headerName, fc.string({ maxLength: 50, unit: 'binary' })),
})
const batch = fc
  .record({
    records: fc.array(record, { minLength: 1, maxLength: 70 }),
    firstOffset: fc.bigInt({ min: 0n, max: 2n ** 50n }),
    flags: fc.integer({ min: 0, max: 7 }).map((bits) => bits << 3),
    producerId: fc.bigInt({ min: -1n, max: 2n ** 40n }),
    isPacked: fc.boolean(),
  })
  .map(({ records, isPacked, ...options }) => {
    const plain = batchOf(records, options)
    return isPacked ? packed(plain, 1, gzipSync) : plain
  })

test('a fetched partition has the records that kafkajs finds in it, a torn end left out', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(batch, { minLength: 1, maxLength: 4 }), fc.nat(100), async (batches, torn) => {
      const last = batches[0] as Buffer
      batches.push(last.subarray(0, Math.min(torn, last.length - 1)))
      const theirs: KafkaJsMessage[] = await kafkajs(fetched(...batches))
      const ours = (await decode(...batches)).map((record) => ({
        ...record.open(),
        isControlRecord: record.isControlRecord,
        producerId: record.origin.producerId,
        inTransaction: record.origin.inTransaction,
      }))
      expect(ours).toEqual(
        theirs.map(({ offset, timestamp, key, value, headers, isControlRecord, batchContext }) => ({
          offset: Number(offset),
          timestamp: Number(timestamp),
          key,
          value,
          headers: Object.fromEntries(Object.entries(headers).map(([name, text]) => [name, String(text)])),
          isControlRecord,
          producerId: batchContext.producerId,
          inTransaction: batchContext.inTransaction,
        })),
      )
    }),
    { numRuns: 100 },
  )
})

test('headers of one name are put behind each other, and a null is told', async () => {
  const headers = { a: 'first', b: 'second', toString: null }
  const bytes = batchOf([{ value: null, headers }])
  bytes[bytes.indexOf('b\x0csecond')] = 'a'.charCodeAt(0)
  const [decoded] = await decode(bytes)
  expect(decoded?.open().headers).toEqual({ a: 'first,second', toString: 'null' })
})

test('no name of a header is lost', async () => {
  const headers = Object.fromEntries([['__proto__', 'kept']])
  const [decoded] = await decode(batchOf([{ value: null, headers }]))
  const { headers: read = {} } = decoded?.open() ?? {}
  expect(Object.entries(read)).toEqual([['__proto__', 'kept']])
  expect(Object.getPrototypeOf(read)).toBe(Object.prototype)
})

test('the records of a bomb are refused one by one; where their number is not sure, it cannot be read', async () => {
  const two = batchOf([{ value: 'a' }, { value: 'b' }], { firstOffset: 10n })
  const bomb = packed(two, 1, () => gzipSync(Buffer.alloc(maxUnpackedBytes + 1)))
  const after = batchOf([{ value: 'c' }], { firstOffset: 12n })
  const refused = { key: null, value: null, headers: {}, timestamp: 1_700_000_000_000 }
  const rejection = { code: 'WEIR_RECORD_TOO_LARGE', withhold: true }
  // What follows comes with the next fetch: one bomb is enough for one.
  const records = await decode(bomb, after)
  expect(records.map((record) => record.open())).toMatchObject([
    { ...refused, offset: 10, rejection },
    { ...refused, offset: 11, rejection },
  ])
  expect(records.some(({ isControlRecord }) => isControlRecord)).toBe(false)
  bomb.writeInt32BE(4, 23)
  expect(await decode(bomb)).toMatchObject([{ origin: { unreadable: { code: 'WEIR_LOG_BATCH' } } }])
})

describe('a batch of very many records', () => {
  const count = 2.5 * maxRecordsAtOnce
  const many = batchOf(
    Array.from({ length: count }, (_, i) => ({ value: String(i) })),
    { firstOffset: 1_000n },
  )
  const after = batchOf([{ value: 'c' }], { firstOffset: BigInt(1_000 + count) })

  /** As a reader goes on: each fetch begins where the one before ended. */
  async function fetches(from: number, ...batches: Buffer[]): Promise<(readonly FetchedRecord[])[]> {
    const found: (readonly FetchedRecord[])[] = []
    for (let next = from; found.length < 9; ) {
      const fetched = { messages: (await decode(...batches)) as readonly FetchedRecord[] }
      await openSealed(fetched, next)
      const wanted = fetched.messages.filter(({ offset }) => offset >= next)
      if (wanted.length === 0) break
      found.push(wanted)
      next = (wanted.at(-1) as FetchedRecord).offset + 1
    }
    return found
  }

  const offsets = Array.from({ length: count }, (_, i) => 1_000 + i)

  test.each([
    ['as it is', many],
    ['packed', packed(many, 1, gzipSync)],
  ])('is read in parts, %s, each record once', async (_, batch) => {
    const found = await fetches(1_000, batch)
    expect(found.map(({ length }) => length)).toEqual([
      maxRecordsAtOnce,
      maxRecordsAtOnce,
      maxRecordsAtOnce / 2,
    ])
    expect(found.flat().map(({ offset }) => offset)).toEqual(offsets)
    expect(found.flat().map((record) => String(record.open().value))).toEqual(
      offsets.map((offset) => String(offset - 1_000)),
    )
  })

  test('is read from the middle, and alone: what lies around it comes with other fetches', async () => {
    const [first] = await fetches(1_000 + maxRecordsAtOnce + 5, many, after)
    expect(first?.[0]?.offset).toBe(1_000 + maxRecordsAtOnce + 5)
    expect(first).toHaveLength(maxRecordsAtOnce)
    const before = batchOf([{ value: 'a' }, { value: 'b' }], { firstOffset: 998n })
    expect((await decode(before, many)).map(({ offset }) => offset)).toEqual([998, 999])
  })

  test('that unpacks to too much is refused record by record, in parts', async () => {
    const bomb = packed(many, 1, () => gzipSync(Buffer.alloc(maxUnpackedBytes + 1)))
    const found = await fetches(1_000, bomb)
    expect(found).toHaveLength(3)
    expect(found.flat().map(({ offset }) => offset)).toEqual(offsets)
    expect(found.flat().every((record) => record.open().rejection?.code === 'WEIR_RECORD_TOO_LARGE')).toBe(
      true,
    )
  })

  test('of which the last is damaged is refused whole, before any is read', async () => {
    const spoilt = Buffer.from(many.subarray(0, many.length - 3))
    spoilt.writeInt32BE(spoilt.length - 12, 8)
    const [found] = await fetches(1_000, spoilt)
    expect(found).toMatchObject([
      { offset: 1_000 + count - 1, origin: { unreadable: { code: 'WEIR_LOG_BATCH' } } },
    ])
  })

  test('whose last ones compaction took is passed over to its end', async () => {
    const compacted = Buffer.from(many)
    compacted.writeInt32BE(count + 9, 23)
    const last = (await fetches(1_000, compacted)).at(-1)
    expect(last?.at(-1)).toMatchObject({ offset: 1_000 + count + 9, isControlRecord: true })
  })
})

test('damaged batches end in records or in one that says what cannot be read', async () => {
  const damage = fc.record({ at: fc.nat(10_000), byte: fc.nat(255) })
  let unreadable = 0
  await fc.assert(
    fc.asyncProperty(batch, damage, async (bytes, { at, byte }) => {
      const spoilt = Buffer.from(bytes)
      spoilt[at % spoilt.length] = byte
      for (const one of await decode(spoilt)) {
        expect([one.offset, one.timestamp]).not.toContain(Number.NaN)
        expect(() => one.open()).not.toThrow()
        if (one.origin.unreadable !== undefined) unreadable++
      }
    }),
    { numRuns: 1_000 },
  )
  expect(unreadable).toBeGreaterThan(0)
})

test.each([
  ['a format of before Kafka 0.11', (bytes: Buffer) => bytes.writeInt8(1, 16), 'it is of format 1'],
  ['more records than it holds', (bytes: Buffer) => bytes.writeInt32BE(3, 57), 'ends behind its batch'],
  ['an unknown codec', (bytes: Buffer) => bytes.writeInt16BE(5, 21), 'codec 5'],
  ['a length of nothing', (bytes: Buffer) => bytes.writeInt32BE(0, 8), 'cannot be read'],
])('a batch of %s is refused whole, and nothing after it is read', async (_, spoil, why) => {
  const values = [{ value: Buffer.from('1') }, { value: Buffer.from('2') }]
  const [before, spoilt, after] = [10n, 12n, 14n].map((firstOffset) => batchOf(values, { firstOffset })) as [
    Buffer,
    Buffer,
    Buffer,
  ]
  spoil(spoilt)
  const records = await decode(before, spoilt, after)
  expect(records.map(({ offset }) => offset)).toEqual([10, 11, 13])
  expect(records[2]?.origin.unreadable).toMatchObject({ code: 'WEIR_LOG_BATCH' })
  expect(records[2]?.origin.unreadable?.message).toContain('offsets 12 to 13 cannot be read')
  expect(records[2]?.origin.unreadable?.message).toContain(why)
})

test('where compaction took the last records of a batch, or all, its end is passed over', async () => {
  const kept = batchOf([{ value: 'a' }, { value: 'b' }], { firstOffset: 10n })
  kept.writeInt32BE(4, 23)
  const emptied = Buffer.from(batchOf([{ value: 'c' }], { firstOffset: 15n }).subarray(0, batchHeaderBytes))
  emptied.writeInt32BE(batchHeaderBytes - 12, 8)
  emptied.writeInt32BE(2, 23)
  emptied.writeInt32BE(0, 57)
  const records = await decodeFetched(fetched(kept, emptied) as never)
  expect(records.map(({ offset, isControlRecord }) => [offset, isControlRecord])).toEqual([
    [10, false],
    [11, false],
    [14, true],
    [17, true],
  ])
})
