import type { Transform } from 'node:stream'
import { createUnzip, createZstdDecompress } from 'node:zlib'
import { snappyUncompress } from 'hyparquet'
import { decompressFrame } from 'lz4-napi'

/**
 * What one batch may unpack to, in bytes: 32 times what Java's producer puts into one (`max.request.size` counts
 * before compression). A few kilobytes of Zstandard could else fill the memory.
 */
export const maxUnpackedBytes = 32 * 1024 * 1024
type Decompress = (packed: Buffer) => Promise<Buffer>

/** A batch unpacks to more than `maxUnpackedBytes`: so much is certain of its bytes, whoever reads them how often. */
export class UnpacksToTooMuch extends Error {
  constructor() {
    super(`it unpacks to more than ${maxUnpackedBytes} bytes`)
  }
}

/** Decompression by the codec's number in the attributes of a batch; each rejects with UnpacksToTooMuch where it does. */
export const decompressors: Readonly<Record<1 | 2 | 3 | 4, Decompress>> = {
  1: limited(createUnzip),
  2: unpackSnappy,
  3: unpackLz4,
  4: limited(createZstdDecompress),
}

/** Small pieces: the last of a bomb is left to the garbage collector. */
const pieces = { chunkSize: 64 * 1024 }

function limited(create: (options: typeof pieces) => Transform): Decompress {
  return async (packed) => {
    const stream = create(pieces)
    const chunks: Buffer[] = []
    let bytes = 0
    stream.end(packed)
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      chunks.push(chunk)
      bytes += chunk.length
      if (bytes <= maxUnpackedBytes) continue
      release(chunks)
      throw new UnpacksToTooMuch()
    }
    return Buffer.concat(chunks, bytes)
  }
}

/**
 * Gives memory back at once: left to the garbage collector, which does not see how much it is, each bomb would hold its 32
 * MiB for long. Into the piece of the last chunk zlib may still be writing.
 */
function release(chunks: readonly Buffer[]): void {
  const last = chunks.at(-1)?.buffer
  for (const buffer of new Set(chunks.map((chunk) => chunk.buffer as ArrayBuffer))) {
    if (buffer !== last) buffer.transfer(0)
  }
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
  if (bytes > limit) throw new UnpacksToTooMuch()
}
