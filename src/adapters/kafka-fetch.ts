import { WeirError } from '../core/errors.ts'
import type { Headers, LogRecord } from '../core/ports.ts'
import { decompressors, maxUnpackedBytes, UnpacksToTooMuch } from './kafka-compression.ts'
import { batchHeaderBytes } from './kafka-records.ts'

/** Most records of a batch: each takes memory beside its bytes, and a few kilobytes could unpack to millions. */
const maxBatchRecords = 100_000
/** No further batch of a partition is unpacked in the same fetch after this many bytes; the next fetch brings it. */
const enoughUnpackedBytes = 8 * 1024 * 1024

const [codecMask, appendTimeFlag, transactionalFlag, controlFlag] = [7, 8, 16, 32]
const noHeaders: Headers = Object.freeze({})

/** A record on its way through kafkajs, as weir's log has it from the beginning. */
export interface FetchedRecord extends LogRecord {
  /** Counts as read and reaches nobody. */
  isControlRecord: boolean
  readonly batchContext: { readonly producerId: string; readonly inTransaction: boolean }
  /** Set in the one record that stands for a batch that cannot be read. */
  readonly unreadable?: WeirError
}

/** Where kafkajs reads a response from. */
interface Decoder {
  readInt32(): number
  canReadBytes(length: number): boolean
  readBytes(length: number): Buffer
}

/**
 * The records of one fetched partition, in place of kafkajs's own decoder, which makes objects of every number, reads
 * gzip only and unpacks without a limit; a batch that it cannot read fails the fetch with all its partitions, without
 * a word of which. Here such a batch becomes one record with `unreadable`, the last of its partition in the fetch; one
 * that is a bomb, records that are refused.
 */
export async function decodeFetched(decoder: Decoder): Promise<FetchedRecord[]> {
  const size = decoder.readInt32()
  if (size <= 0 || !decoder.canReadBytes(size)) return []
  const bytes = decoder.readBytes(size)
  const records: FetchedRecord[] = []
  let unpackedBytes = 0
  for (let at = 0, end = 0; bytes.length - at >= batchHeaderBytes; at = end) {
    end = at + 12 + bytes.readInt32BE(at + 8)
    // A tail that is cut off: the next fetch begins with it.
    if (end > bytes.length || unpackedBytes >= enoughUnpackedBytes) break
    try {
      unpackedBytes += await decodeBatch(bytes.subarray(at, end), records)
    } catch (error) {
      records.push(standIn(bytes, at, error as Error))
      break
    }
  }
  return records
}

/**
 * Appends the records of a batch, all or none, and returns how many bytes were unpacked for them. Where compaction took
 * the last ones, a control record stands at the batch's last offset: else its end would be asked for again.
 */
async function decodeBatch(batch: Buffer, into: FetchedRecord[]): Promise<number> {
  const magic = batch.readInt8(16)
  if (magic !== 2) throw new Error(`it is of format ${magic}, which ended with Kafka 0.11`)
  const count = batch.readInt32BE(57)
  if (count > maxBatchRecords) throw new Error(`it has more than ${maxBatchRecords} records`)
  const codec = batch.readInt16BE(21) & codecMask
  const packed = batch.subarray(batchHeaderBytes)
  if (codec === 0 || count <= 0) {
    decodeRecords(batch, packed, count, into)
    passOver(batch, into)
    return 0
  }
  const decompress = decompressors[codec as keyof typeof decompressors]
  if (decompress === undefined) throw new Error(`it is packed by codec ${codec}, which does not exist`)
  const unpacked = await unpackOrRefuse(batch, () => decompress(packed), into)
  if (unpacked === null) return maxUnpackedBytes
  decodeRecords(batch, unpacked, count, into)
  passOver(batch, into)
  return unpacked.length
}

/**
 * Null for a bomb, in whose place stand as many records, each with a rejection: they can be answered like any record that
 * cannot be decided, and the partition goes on. Brokers count the records of a compressed batch when they accept it.
 */
async function unpackOrRefuse(
  batch: Buffer,
  unpack: () => Promise<Buffer>,
  into: FetchedRecord[],
): Promise<Buffer | null> {
  try {
    return await unpack()
  } catch (error) {
    const count = batch.readInt32BE(57)
    // Where compaction took some, nobody knows which are left.
    if (!(error instanceof UnpacksToTooMuch) || batch.readInt32BE(23) !== count - 1) throw error
  }
  const first = Number(batch.readBigInt64BE(0))
  const shared = {
    // The latest of the batch's: those of its records are packed.
    timestamp: Number(batch.readBigInt64BE(35)),
    key: null,
    value: null,
    headers: noHeaders,
    batchContext: contextOf(batch, 0),
    rejection: bomb,
  }
  for (let i = 0; i < batch.readInt32BE(57); i++) {
    into.push({ offset: first + i, ...shared, isControlRecord: false })
  }
  return null
}

const bomb = {
  code: 'WEIR_RECORD_TOO_LARGE',
  message: `its batch unpacks to more than ${maxUnpackedBytes} bytes`,
  withhold: true,
} as const

const noContext = { producerId: '-1', inTransaction: false }

function passOver(batch: Buffer, into: FetchedRecord[]): void {
  const offset = Number(batch.readBigInt64BE(0)) + batch.readInt32BE(23)
  if ((into.at(-1)?.offset ?? -1) >= offset) return
  const nothing = { key: null, value: null, headers: noHeaders }
  into.push({ offset, timestamp: 0, ...nothing, isControlRecord: true, batchContext: noContext })
}

function decodeRecords(batch: Buffer, bytes: Buffer, count: number, into: FetchedRecord[]): void {
  const attributes = batch.readInt16BE(21)
  const isControlRecord = (attributes & controlFlag) !== 0
  const hasAppendTime = (attributes & appendTimeFlag) !== 0
  const firstOffset = Number(batch.readBigInt64BE(0))
  const firstTime = Number(batch.readBigInt64BE(27))
  const lastTime = Number(batch.readBigInt64BE(35))
  const batchContext = contextOf(batch, 0)
  const reader = new RecordReader(bytes)
  const before = into.length
  try {
    for (let i = 0; i < count; i++) {
      const end = reader.varint() + reader.at
      reader.at++
      const time = firstTime + reader.varint()
      into.push({
        offset: reader.varint() + firstOffset,
        timestamp: hasAppendTime ? lastTime : time,
        key: reader.bytes(),
        value: reader.bytes(),
        headers: reader.headers(),
        isControlRecord,
        batchContext,
      })
      reader.at = end
    }
  } catch (error) {
    into.length = before
    throw error
  }
}

function contextOf(bytes: Buffer, at: number): FetchedRecord['batchContext'] {
  return {
    producerId: String(bytes.readBigInt64BE(at + 43)),
    inTransaction: (bytes.readInt16BE(at + 21) & transactionalFlag) !== 0,
  }
}

/** Of 64 bits the tenth byte, which counts units of this, has the last. */
const longestVarint = 2 ** 63

/** An assignment to this name would be to the prototype, and the header lost. */
const asUsual = { enumerable: true, configurable: true, writable: true }

/** What records consist of, from any place on. Throws RangeError behind the end. */
class RecordReader {
  readonly #bytes: Buffer
  at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  /** Exact up to 2^53, in either direction. */
  varint(): number {
    let byte = this.#byte()
    if (byte < 128) return (byte >>> 1) ^ -(byte & 1)
    let value = byte & 127
    for (let unit = 128; byte >= 128; unit *= 128) {
      if (unit > longestVarint) throw new RangeError('a number of a record is too long')
      byte = this.#byte()
      value += (byte & 127) * unit
    }
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2
  }

  bytes(): Buffer | null {
    const length = this.varint()
    if (length < 0) return null
    const from = this.#skip(length)
    return this.#bytes.subarray(from, this.at)
  }

  /** Values as text: those of one name behind each other, a null by its name. */
  headers(): Headers {
    const count = this.varint()
    if (count <= 0) return noHeaders
    const headers: Record<string, string> = {}
    for (let i = 0; i < count; i++) {
      const name = this.#text() ?? ''
      const value = this.#text() ?? 'null'
      if (Object.hasOwn(headers, name)) headers[name] = `${headers[name]},${value}`
      else if (name === '__proto__') Object.defineProperty(headers, name, { ...asUsual, value })
      else headers[name] = value
    }
    return headers
  }

  #text(): string | null {
    const length = this.varint()
    if (length < 0) return null
    const from = this.#skip(length)
    return this.#bytes.toString('utf8', from, this.at)
  }

  #byte(): number {
    const byte = this.#bytes[this.at++]
    if (byte === undefined) throw new RangeError('a record ends behind its batch')
    return byte
  }

  #skip(length: number): number {
    const from = this.at
    this.at += length
    if (this.at > this.#bytes.length) throw new RangeError('a record ends behind its batch')
    return from
  }
}

/** At the batch's last offset: its first may lie before the one that was asked for, and kafkajs leaves such out. */
function standIn(bytes: Buffer, at: number, cause: Error): FetchedRecord {
  const first = Number(bytes.readBigInt64BE(at))
  const last = first + Math.max(0, bytes.readInt32BE(at + 23))
  return {
    offset: last,
    timestamp: 0,
    key: null,
    value: null,
    headers: noHeaders,
    isControlRecord: false,
    // So that a batch of an aborted transaction is passed over unread.
    batchContext: contextOf(bytes, at),
    unreadable: new WeirError(
      'WEIR_LOG_BATCH',
      `The batch of offsets ${first} to ${last} cannot be read: ${cause.message}`,
      { cure: 'Look for its producer; to go on behind it: docs/reference/errors.md.', cause },
    ),
  }
}

/** One partition of a fetch as kafkajs has decoded it. */
export interface FetchedPartition {
  abortedTransactions: { readonly producerId: string; readonly firstOffset: string }[] | null
  readonly messages: readonly FetchedRecord[]
}

/**
 * A fetch lists the aborted transactions in the order in which they ended. kafkajs takes them for ordered by their
 * beginning, and begins one a message at most: where transactions of several writers lie between each other, it shows
 * records of aborted ones. Marked as control records they count as read and reach nobody.
 */
export function hideAborted(fetched: FetchedPartition): void {
  const coming = (fetched.abortedTransactions ?? [])
    .map(({ producerId, firstOffset }) => ({ producerId, first: Number(firstOffset) }))
    .sort((a, b) => a.first - b.first)
  fetched.abortedTransactions = []
  if (coming.length === 0) return
  const open = new Set<string>()
  for (const message of fetched.messages) {
    const { producerId, inTransaction } = message.batchContext
    for (let next = coming[0]; next !== undefined && next.first <= message.offset; next = coming[0]) {
      open.add(next.producerId)
      coming.shift()
    }
    if (message.isControlRecord) open.delete(producerId)
    else if (inTransaction && open.has(producerId)) message.isControlRecord = true
  }
}
