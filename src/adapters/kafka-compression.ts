import { promisify } from 'node:util'
import { unzip, zstdDecompress } from 'node:zlib'
import { snappyUncompress } from 'hyparquet'
import { decompressFrame } from 'lz4-napi'
import { WeirError } from '../core/errors.ts'

/**
 * What one batch may unpack to, in bytes: 32 times what Java's producer puts into one (`max.request.size` counts
 * before compression). A few kilobytes of Zstandard could else fill the memory.
 */
export const maxUnpackedBytes = 32 * 1024 * 1024
/** Most records of a batch. kafkajs hands them to one call as arguments, which fails at some 120,000. */
const maxBatchRecords = 100_000
/** No further batch of a partition is unpacked in the same fetch after this many bytes; the next fetch brings it. */
const enoughUnpackedBytes = 8 * 1024 * 1024

type Decompress = (packed: Buffer) => Promise<Buffer>

/** Decompression by the codec's number in the attributes of a batch; each rejects beyond `maxUnpackedBytes`. */
export const decompressors: Readonly<Record<1 | 2 | 3 | 4, Decompress>> = {
  1: limited(promisify(unzip)),
  2: unpackSnappy,
  3: unpackLz4,
  4: limited(promisify(zstdDecompress)),
}

function limited(
  unpack: (packed: Buffer, options: { maxOutputLength: number }) => Promise<Buffer>,
): Decompress {
  return (packed) => unpack(packed, { maxOutputLength: maxUnpackedBytes })
}

const xerialMagic = Buffer.from('\x82SNAPPY\0', 'latin1')

/** One raw block, or the framing of snappy-java: magic, two versions, then blocks after their length. */
async function unpackSnappy(packed: Buffer): Promise<Buffer> {
  if (!packed.subarray(0, 8).equals(xerialMagic)) return unpackSnappyBlock(packed, maxUnpackedBytes)
  const blocks: Buffer[] = []
  let left = maxUnpackedBytes
  for (let at = 16; at < packed.length; ) {
    const end = at + 4 + packed.readUInt32BE(at)
    const block = unpackSnappyBlock(packed.subarray(at + 4, end), left)
    blocks.push(block)
    left -= block.length
    at = end
  }
  return Buffer.concat(blocks)
}

/** A block begins with its unpacked length as a varint. */
function unpackSnappyBlock(packed: Buffer, limit: number): Buffer {
  let length = 0
  for (let at = 0, shift = 1; ; at++, shift *= 128) {
    const byte = packed.readUInt8(at)
    length += (byte & 127) * shift
    if (byte < 128) break
  }
  requireWithin(length, limit)
  const unpacked = Buffer.alloc(length)
  snappyUncompress(packed, unpacked)
  return unpacked
}

/** LZ4 frame format. The block headers are added up first: the library unpacks whatever there is. */
async function unpackLz4(packed: Buffer): Promise<Buffer> {
  const flags = packed.readUInt8(4)
  const blockBytes = 1 << (8 + 2 * ((packed.readUInt8(5) >> 4) & 7))
  const [hasBlockChecksum, hasSize, hasDictionary] = [flags & 16, flags & 8, flags & 1]
  const blocksAt = 7 + (hasSize ? 8 : 0) + (hasDictionary ? 4 : 0)
  let at = blocksAt
  let unpackedBytes = 0
  for (let size = blockSize(packed, at); size > 0; size = blockSize(packed, at)) {
    at += 4 + size + (hasBlockChecksum ? 4 : 0)
    unpackedBytes += blockBytes
    requireWithin(unpackedBytes, maxUnpackedBytes)
  }
  const checksumBytes = flags & 4
  return decompressFrame(packed.subarray(0, at + 4 + checksumBytes))
}

/** 0 is the end mark; the highest bit says that the block is not compressed. */
function blockSize(packed: Buffer, at: number): number {
  return packed.readUInt32LE(at) & 0x7fffffff
}

function requireWithin(bytes: number, limit: number): void {
  if (bytes > limit) throw new Error(`it unpacks to more than ${maxUnpackedBytes} bytes`)
}

/** Of a record batch, magic 2, up to its first record. */
const headerBytes = 61

/** Where kafkajs reads record batches from: all those of one fetched partition. */
interface Batches {
  readonly buffer: Buffer
  readonly offset: number
}

/** What a record of a batch needs to pass through kafkajs. */
export interface BatchRecord {
  readonly offset: string
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers?: object
  readonly timestamp: string
  readonly isControlRecord: boolean
  readonly batchContext: { readonly producerId: string; readonly inTransaction: boolean }
  /** Set in the one record that stands for a batch that cannot be read. */
  readonly unreadable?: WeirError
}

type DecodeBatch = (batches: Batches) => Promise<{ readonly records: readonly BatchRecord[] }>

/**
 * Wraps the batch decoder of kafkajs, whose failure fails a fetch with all its partitions, without a word of which.
 * Here a batch that cannot be read becomes one record with `unreadable`, the last of its partition in the fetch.
 */
export function guardBatches(decode: DecodeBatch): DecodeBatch {
  const unpacked = new WeakMap<Batches, number>()
  return async (batches) => {
    const { buffer, offset: at } = batches
    const before = unpacked.get(batches) ?? 0
    if (before >= enoughUnpackedBytes) throw new LaterError('The next fetch brings the rest.')
    // A tail that is cut off: kafkajs leaves it out, and the next fetch begins with it.
    if (buffer.length - at < headerBytes || buffer.length - at < 12 + buffer.readInt32BE(at + 8)) {
      return decode(batches)
    }
    const isCompressed = (buffer.readInt16BE(at + 21) & 7) !== 0
    try {
      if (buffer.readInt32BE(at + 57) > maxBatchRecords) {
        throw new Error(`it has more than ${maxBatchRecords} records`)
      }
      const batch = await decode(batches)
      if (isCompressed) unpacked.set(batches, before + sizeOf(batch.records))
      return batch
    } catch (error) {
      unpacked.set(batches, enoughUnpackedBytes)
      return { records: [standIn(buffer, at, error as Error)] }
    }
  }
}

/** kafkajs knows the name: what it has of the partition so far is a whole fetch. */
class LaterError extends Error {
  override readonly name = 'KafkaJSPartialMessageError'
}

/** At the batch's last offset: its first may lie before the one that was asked for, and kafkajs leaves such out. */
function standIn(buffer: Buffer, at: number, cause: Error): BatchRecord {
  const first = buffer.readBigInt64BE(at)
  const last = first + BigInt(buffer.readInt32BE(at + 23))
  return {
    offset: String(last),
    key: null,
    value: null,
    timestamp: '0',
    isControlRecord: false,
    // So that a batch of an aborted transaction is passed over unread.
    batchContext: {
      producerId: String(buffer.readBigInt64BE(at + 43)),
      inTransaction: (buffer.readInt16BE(at + 21) & 16) !== 0,
    },
    unreadable: new WeirError(
      'WEIR_LOG_BATCH',
      `The batch of offsets ${first} to ${last} cannot be read: ${cause.message}`,
      { cure: 'Look for its producer; to go on behind it: docs/reference/errors.md.', cause },
    ),
  }
}

function sizeOf(records: readonly BatchRecord[]): number {
  let bytes = 0
  for (const { key, value } of records) bytes += (key?.length ?? 0) + (value?.length ?? 0)
  return bytes
}
