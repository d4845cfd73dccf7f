import { connect } from 'node:net'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { createGzip, createZstdCompress, gzipSync } from 'node:zlib'
import { Producer } from '@platformatic/kafka'
import { crc32c } from '../src/adapters/kafka-crc.ts'
import { batchHeaderBytes, writeBatch } from '../src/adapters/kafka-records.ts'

const mebibyte = 1024 * 1024

/** Codecs of Kafka, by their numbers, and what a bomb of each unpacks to: what a batch of some megabytes can. */
export const bombs = {
  gzip: 900 * mebibyte,
  snappy: 48 * mebibyte,
  lz4: 200 * mebibyte,
  zstd: 1_024 * mebibyte,
} as const
export type BombCodec = keyof typeof bombs

/** What else is sent: a packed batch of so many records, and one of records that together unpack to too much. */
export const crowds = {
  many: { records: 110_000, bytes: 3 },
  wide: { records: 45_000, bytes: 1_024 },
} as const
export type Crowd = keyof typeof crowds

/** Sends a batch of very many records, none of which is a payment. */
export async function sendCrowd(
  broker: string,
  topic: string,
  partition: number,
  crowd: Crowd,
): Promise<void> {
  const { records, bytes } = crowds[crowd]
  const value = Buffer.alloc(bytes)
  const whole = Buffer.alloc(batchHeaderBytes + records * (bytes + 32))
  const end = writeBatch(whole, 0, { ...unowned, records: Array(records).fill({ value }), now: Date.now() })
  const body = gzipSync(whole.subarray(batchHeaderBytes, end))
  await produce(
    broker,
    topic,
    partition,
    sealed(whole.subarray(0, batchHeaderBytes), body, codecNumbers.gzip),
  )
}

const unowned = { transactional: false, producerId: -1n, producerEpoch: -1, firstSequence: -1 }

/** Sends a batch of one record that unpacks to hundreds of megabytes. */
export async function sendBomb(
  broker: string,
  topic: string,
  partition: number,
  codec: BombCodec,
): Promise<void> {
  const bytes = bombs[codec]
  if (codec === 'gzip' || codec === 'zstd')
    return produce(broker, topic, partition, await packedBatch(codec, bytes))
  // Of these two a library needs all of it at once, and so has it in another client.
  const producer = new Producer({ clientId: 'bombs', bootstrapBrokers: [broker], autocreateTopics: false })
  await producer.send({
    messages: [{ topic, partition, key: Buffer.from('bomb'), value: Buffer.alloc(bytes) }],
    compression: codec,
  })
  await producer.close()
}

const codecNumbers = { gzip: 1, zstd: 4 } as const

/** A record batch (magic 2) whose one record has a value of so many zeros, never held at once. */
async function packedBatch(codec: keyof typeof codecNumbers, bytes: number): Promise<Buffer> {
  const whole = Buffer.alloc(batchHeaderBytes + 64)
  writeBatch(whole, 0, { ...unowned, records: [{ value: 'x' }], now: Date.now() })
  const packer = codec === 'gzip' ? createGzip({ level: 9 }) : createZstdCompress()
  const body = await buffer(Readable.from(recordOf(bytes)).pipe(packer))
  return sealed(whole.subarray(0, batchHeaderBytes), body, codecNumbers[codec])
}

/** A batch of a header and packed records, with length, codec and checksum as they must be. */
function sealed(header: Buffer, body: Buffer, codec: number): Buffer {
  const batch = Buffer.concat([header, body])
  batch.writeInt32BE(batch.length - 12, 8)
  batch.writeInt16BE(codec, 21)
  batch.writeUInt32BE(crc32c(batch.subarray(21)), 17)
  return batch
}

/** Length, attributes, time, offset, no key, value, no headers. */
function* recordOf(bytes: number): Generator<Buffer> {
  const head = Buffer.concat([Buffer.from([0, 0, 0]), varint(-1), varint(bytes)])
  yield Buffer.concat([varint(head.length + bytes + 1), head])
  const zeros = Buffer.alloc(mebibyte)
  for (let left = bytes; left > 0; left -= mebibyte) yield zeros
  yield Buffer.from([0])
}

function varint(value: number): Buffer {
  const bytes: number[] = []
  let rest = value < 0 ? -2 * value - 1 : 2 * value
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128)
  bytes.push(rest)
  return Buffer.from(bytes)
}

const errorAt = (topic: string): number => 4 + 4 + 4 + 2 + Buffer.byteLength(topic) + 4 + 4

/** A produce request (version 7, the first that takes Zstandard) by hand: clients refuse to send what they have not packed themselves. */
async function produce(broker: string, topic: string, partition: number, batch: Buffer): Promise<void> {
  const text = (value: string) => Buffer.concat([int16(Buffer.byteLength(value)), Buffer.from(value)])
  const request = Buffer.concat([
    int16(0),
    int16(7),
    int32(1),
    text('bombs'),
    int16(-1),
    int16(-1),
    int32(60_000),
    int32(1),
    text(topic),
    int32(1),
    int32(partition),
    int32(batch.length),
    batch,
  ])
  const [host, port] = broker.split(':') as [string, string]
  const socket = connect({ host, port: Number(port) })
  socket.write(Buffer.concat([int32(request.length), request]))
  let answer = Buffer.alloc(0)
  for await (const some of socket) {
    answer = Buffer.concat([answer, some as Buffer])
    if (answer.length >= 4 && answer.length >= 4 + answer.readInt32BE(0)) break
  }
  const code = answer.readInt16BE(errorAt(topic))
  if (code !== 0) throw new Error(`the broker refused a bomb of ${batch.length} bytes with error ${code}`)
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeInt16BE(value)
  return bytes
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}
