import { lengthOf, unitAt } from '../core/text.ts'
import { crc32c } from './kafka-crc.ts'

type Bytes = string | Buffer | null | undefined
type HeaderValues = Readonly<Record<string, Bytes>>

/** What a batch needs of a record: a `NewRecord`, or a message as kafkajs knows it. */
export interface BatchedRecord {
  readonly key?: Bytes
  readonly value?: Bytes
  readonly headers?: HeaderValues
  /** Epoch milliseconds; that of the batch when absent. */
  readonly timestamp?: number | string
}

export interface RecordBatch {
  readonly records: readonly BatchedRecord[]
  readonly transactional: boolean
  readonly producerId: bigint
  readonly producerEpoch: number
  readonly firstSequence: number
  /** Epoch milliseconds, for records without a timestamp. */
  readonly now: number
}

/** Of a batch, up to its first record. */
export const batchHeaderBytes = 61
const checkedFrom = 21
const transactionalFlag = 16
/** Of a record: its length, attributes, time and offset. */
const mostNumberBytes = 5 + 1 + 10 + 5
const noHeaders: HeaderValues = Object.freeze({})

/** Measures what each record takes in a batch at most: some 20 bytes more than it does. */
export function recordMeter(): (record: BatchedRecord) => number {
  let headers: HeaderValues | undefined
  let headersSize = 0
  return ({ key, value, headers: own = noHeaders }) => {
    if (own !== headers) headersSize = sizeOfHeaders(own)
    headers = own
    return mostNumberBytes + sizeOf(key) + sizeOf(value) + headersSize
  }
}

/**
 * Writes a record batch (Kafka protocol, magic 2), byte for byte what kafkajs makes of it, and returns its end. Each
 * payload is copied once, to its place; headers that are those of the record before are copied from there.
 */
export function writeBatch(bytes: Buffer, from: number, batch: RecordBatch): number {
  const { records, transactional, producerId, producerEpoch, firstSequence, now } = batch
  const times: number[] = []
  let first = Infinity
  let last = -Infinity
  for (const { timestamp } of records) {
    const time = Number(timestamp ?? now)
    times.push(time)
    first = Math.min(first, time)
    last = Math.max(last, time)
  }
  const end = writeRecords(bytes, from + batchHeaderBytes, records, times, first)
  bytes.writeBigInt64BE(0n, from)
  bytes.writeInt32BE(end - from - 12, from + 8)
  bytes.writeInt32BE(0, from + 12)
  bytes.writeInt8(2, from + 16)
  bytes.writeInt16BE(transactional ? transactionalFlag : 0, from + checkedFrom)
  bytes.writeInt32BE(records.length - 1, from + 23)
  bytes.writeBigInt64BE(BigInt(first), from + 27)
  bytes.writeBigInt64BE(BigInt(last), from + 35)
  bytes.writeBigInt64BE(producerId, from + 43)
  bytes.writeInt16BE(producerEpoch, from + 51)
  bytes.writeInt32BE(firstSequence, from + 53)
  bytes.writeInt32BE(records.length, from + 57)
  bytes.writeUInt32BE(crc32c(bytes.subarray(from + checkedFrom, end)), from + 17)
  return end
}

function writeRecords(
  bytes: Buffer,
  from: number,
  records: readonly BatchedRecord[],
  times: readonly number[],
  first: number,
): number {
  let at = from
  let headers: HeaderValues | undefined
  let headersFrom = 0
  let headersSize = 0
  for (let i = 0; i < records.length; i++) {
    const record = records[i] as BatchedRecord
    const { key, value } = record
    const timestampDelta = (times[i] as number) - first
    const ownHeaders = record.headers ?? noHeaders
    const isRepeated = ownHeaders === headers
    if (!isRepeated) headersSize = sizeOfHeaders(ownHeaders)
    const size = 1 + varintSize(timestampDelta) + varintSize(i) + sizeOf(key) + sizeOf(value) + headersSize
    at = writeVarint(bytes, at, size)
    bytes[at++] = 0
    at = writeVarint(bytes, at, timestampDelta)
    at = writeVarint(bytes, at, i)
    at = write(bytes, at, key)
    at = write(bytes, at, value)
    if (isRepeated) bytes.copyWithin(at, headersFrom, headersFrom + headersSize)
    else writeHeaders(bytes, at, ownHeaders)
    headers = ownHeaders
    headersFrom = at
    at += headersSize
  }
  return at
}

function sizeOfHeaders(headers: HeaderValues): number {
  let count = 0
  let size = 0
  for (const name in headers) {
    count++
    size += sizeOf(name) + sizeOf(headers[name])
  }
  return varintSize(count) + size
}

function writeHeaders(bytes: Buffer, from: number, headers: HeaderValues): void {
  let at = writeVarint(bytes, from, Object.keys(headers).length)
  for (const name in headers) at = write(bytes, write(bytes, at, name), headers[name])
}

const zigzag = (value: number): number => (value < 0 ? -2 * value - 1 : 2 * value)

/** Shifts know 32 bits; only times of payments that lie far apart need more. */
const shiftable = 2 ** 28

function varintSize(value: number): number {
  let size = 1
  let rest = zigzag(value)
  for (; rest >= shiftable; rest = Math.floor(rest / 128)) size++
  for (let small = rest | 0; small >= 128; small >>>= 7) size++
  return size
}

function writeVarint(bytes: Buffer, from: number, value: number): number {
  let at = from
  let rest = zigzag(value)
  for (; rest >= shiftable; rest = Math.floor(rest / 128)) bytes[at++] = (rest % 128) | 128
  let small = rest | 0
  for (; small >= 128; small >>>= 7) bytes[at++] = (small & 127) | 128
  bytes[at++] = small
  return at
}

function sizeOf(content: Bytes): number {
  if (content === null || content === undefined) return 1
  const size = Buffer.byteLength(content)
  return varintSize(size) + size
}

/** Up to here a loop is faster than a call. */
const shortText = 32

function write(bytes: Buffer, from: number, content: Bytes): number {
  if (content === null || content === undefined) return writeVarint(bytes, from, -1)
  const size = Buffer.byteLength(content)
  const at = writeVarint(bytes, from, size)
  if (typeof content !== 'string') bytes.set(content, at)
  else if (size > shortText || size !== lengthOf(content)) bytes.write(content, at)
  else for (let i = 0; i < size; i++) bytes[at + i] = unitAt(content, i)
  return at + size
}
