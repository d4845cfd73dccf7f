import { WeirError } from '../core/errors.ts'
import type { LogRecord } from '../core/ports.ts'
import { decompressors, maxUnpackedBytes, UnpacksToTooMuch } from './kafka-compression.ts'
import { noHeaders, RecordReader } from './kafka-record-reader.ts'
import { batchHeaderBytes } from './kafka-records.ts'

/**
 * Most records that are made of one batch in one fetch: each takes memory beside its bytes, and a few kilobytes could
 * unpack to millions. The next fetch goes on with the same batch.
 */
export const maxRecordsAtOnce = 4_000
/** No further batch of a partition is unpacked in the same fetch after this many bytes; the next fetch brings it. */
const enoughUnpackedBytes = 8 * 1024 * 1024

const [codecMask, appendTimeFlag, transactionalFlag, controlFlag] = [7, 8, 16, 32]

/** What the records of a batch share. */
interface Origin {
  readonly producerId: string
  readonly inTransaction: boolean
  /** Its records, unpacked; null where they cannot be had. */
  readonly bytes: Buffer | null
  /** Why each of them is refused unread. */
  readonly rejection?: LogRecord['rejection']
  /** Set where one record stands for a batch that cannot be read. */
  readonly unreadable?: WeirError
  /** Set where one record stands for a batch of more than `maxRecordsAtOnce`: its bytes. */
  readonly sealed?: Buffer
}

/**
 * A record on its way through kafkajs. A fetch brings thousands, of which most wait for their chunk: until then there
 * is of each only its place, since what waits is what garbage collection has to move.
 */
export class FetchedRecord {
  readonly offset: number
  readonly timestamp: number
  readonly origin: Origin
  /** Counts as read and reaches nobody. */
  isControlRecord: boolean
  /** Where its key begins. */
  readonly #at: number

  constructor(origin: Origin, offset: number, timestamp: number, isControlRecord: boolean, at = 0) {
    this.origin = origin
    this.offset = offset
    this.timestamp = timestamp
    this.isControlRecord = isControlRecord
    this.#at = at
  }

  /** As weir's log has it. Key and value are parts of the fetch's memory. */
  open(): LogRecord {
    const { offset, timestamp } = this
    const { bytes, rejection } = this.origin
    if (bytes === null) {
      const empty = { offset, timestamp, key: null, value: null, headers: noHeaders }
      return rejection === undefined ? empty : { ...empty, rejection }
    }
    const reader = new RecordReader(bytes, this.#at)
    return { offset, timestamp, key: reader.bytes(), value: reader.bytes(), headers: reader.headers() }
  }
}

/** The part of a batch that is wanted. */
interface Part {
  /** The first offset. */
  readonly from: number
  /** Of records. */
  readonly most: number
}
const whole: Part = { from: 0, most: Number.POSITIVE_INFINITY }

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
 * that is a bomb, records that are refused. One of very many records is left to `openSealed`, alone in its fetch.
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
    const batch = bytes.subarray(at, end)
    if (isLarge(batch)) {
      if (records.length === 0)
        records.push(new FetchedRecord({ ...nowhere, sealed: batch }, lastOffsetOf(batch), 0, true))
      break
    }
    try {
      unpackedBytes += await decodeBatch(batch, whole, records)
    } catch (error) {
      records.push(standIn(bytes.subarray(at), error as Error))
      break
    }
  }
  return records
}

/**
 * Puts in the place of a batch of very many records those of them that come first from an offset on; of the others it is
 * certain by then that they are there.
 *
 * @param from the offset that was asked for.
 */
export async function openSealed(
  fetched: { messages: readonly FetchedRecord[] },
  from: number,
): Promise<void> {
  const sealed = fetched.messages[0]?.origin.sealed
  if (sealed === undefined) return
  const records: FetchedRecord[] = []
  try {
    await decodeBatch(sealed, { from, most: maxRecordsAtOnce }, records)
  } catch (error) {
    records.push(standIn(sealed, error as Error))
  }
  fetched.messages = records
}

const isLarge = (batch: Buffer): boolean =>
  batch.length >= batchHeaderBytes && batch.readInt8(16) === 2 && batch.readInt32BE(57) > maxRecordsAtOnce

const lastOffsetOf = (batch: Buffer): number => Number(batch.readBigInt64BE(0)) + batch.readInt32BE(23)

/**
 * Appends the wanted records of a batch, or none where any of the batch cannot be read, and returns how many bytes were
 * unpacked for them. Where compaction took the last ones, a control record stands at the batch's last offset: else its
 * end would be asked for again.
 */
async function decodeBatch(batch: Buffer, part: Part, into: FetchedRecord[]): Promise<number> {
  const magic = batch.readInt8(16)
  if (magic !== 2) throw new Error(`it is of format ${magic}, which ended with Kafka 0.11`)
  const count = batch.readInt32BE(57)
  const codec = batch.readInt16BE(21) & codecMask
  const packed = batch.subarray(batchHeaderBytes)
  if (codec === 0 || count <= 0) {
    decodeRecords(batch, packed, count, part, into)
    return 0
  }
  const decompress = decompressors[codec as keyof typeof decompressors]
  if (decompress === undefined) throw new Error(`it is packed by codec ${codec}, which does not exist`)
  const unpacked = await unpackOrRefuse(batch, () => decompress(packed), part, into)
  if (unpacked === null) return maxUnpackedBytes
  decodeRecords(batch, unpacked, count, part, into)
  return unpacked.length
}

/**
 * Null for a bomb, in whose place stand as many records, each with a rejection: they can be answered like any record that
 * cannot be decided, and the partition goes on. Brokers count the records of a compressed batch when they accept it.
 */
async function unpackOrRefuse(
  batch: Buffer,
  unpack: () => Promise<Buffer>,
  { from, most }: Part,
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
  // The latest of the batch's: those of its records are packed.
  const time = Number(batch.readBigInt64BE(35))
  const origin = { ...originOf(batch, null), rejection: bomb }
  const begin = Math.max(first, from)
  const end = Math.min(first + batch.readInt32BE(57), begin + most)
  for (let offset = begin; offset < end; offset++) into.push(new FetchedRecord(origin, offset, time, false))
  return null
}

const bomb = {
  code: 'WEIR_RECORD_TOO_LARGE',
  message: `its batch unpacks to more than ${maxUnpackedBytes} bytes`,
  withhold: true,
} as const

const nowhere: Origin = { producerId: '-1', inTransaction: false, bytes: null }

/** What counts as read and reaches nobody. */
const nothingAt = (offset: number): FetchedRecord => new FetchedRecord(nowhere, offset, 0, true)

function decodeRecords(
  batch: Buffer,
  bytes: Buffer,
  count: number,
  { from, most }: Part,
  into: FetchedRecord[],
): void {
  const attributes = batch.readInt16BE(21)
  const isControlRecord = (attributes & controlFlag) !== 0
  const hasAppendTime = (attributes & appendTimeFlag) !== 0
  const firstOffset = Number(batch.readBigInt64BE(0))
  const firstTime = Number(batch.readBigInt64BE(27))
  const lastTime = Number(batch.readBigInt64BE(35))
  const origin = originOf(batch, bytes)
  const reader = new RecordReader(bytes)
  const before = into.length
  let left = most
  try {
    for (let i = 0; i < count; i++) {
      const size = reader.varint()
      if (size < 0) throw new RangeError('a record is of less than nothing')
      const end = size + reader.at
      if (left > 0) {
        reader.at++
        const time = firstTime + reader.varint()
        const offset = reader.varint() + firstOffset
        if (offset >= from) {
          left--
          const timestamp = hasAppendTime ? lastTime : time
          into.push(new FetchedRecord(origin, offset, timestamp, isControlRecord, reader.at))
          // Whether the batch can be read must be known before any of it is taken up.
          reader.skipContents()
        }
      }
      reader.goTo(end)
    }
  } catch (error) {
    into.length = before
    throw error
  }
  const last = lastOffsetOf(batch)
  if (left > 0 && (into.at(-1)?.offset ?? -1) < last) into.push(nothingAt(last))
}

const originOf = (batch: Buffer, bytes: Buffer | null): Origin => ({
  producerId: String(batch.readBigInt64BE(43)),
  inTransaction: (batch.readInt16BE(21) & transactionalFlag) !== 0,
  bytes,
})

/** At the batch's last offset: its first may lie before the one that was asked for, and kafkajs leaves such out. */
function standIn(batch: Buffer, cause: Error): FetchedRecord {
  const first = Number(batch.readBigInt64BE(0))
  const last = Math.max(first, lastOffsetOf(batch))
  const unreadable = new WeirError(
    'WEIR_LOG_BATCH',
    `The batch of offsets ${first} to ${last} cannot be read: ${cause.message}`,
    { cure: 'Look for its producer; to go on behind it: docs/reference/errors.md.', cause },
  )
  // It has a producer, so that a batch of an aborted transaction is passed over unread.
  return new FetchedRecord({ ...originOf(batch, null), unreadable }, last, 0, false)
}

/** One partition of a fetch as kafkajs has decoded it. */
export interface FetchedPartition {
  readonly partition: number
  abortedTransactions: { readonly producerId: string; readonly firstOffset: string }[] | null
  messages: readonly FetchedRecord[]
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
    const { producerId, inTransaction } = message.origin
    for (let next = coming[0]; next !== undefined && next.first <= message.offset; next = coming[0]) {
      open.add(next.producerId)
      coming.shift()
    }
    if (message.isControlRecord) open.delete(producerId)
    else if (inTransaction && open.has(producerId)) message.isControlRecord = true
  }
}
