type Bytes = string | Buffer | null | undefined

/** A record of a batch as kafkajs hands it to its encoder. */
interface BatchedRecord {
  readonly offsetDelta: number
  /** Milliseconds. */
  readonly timestampDelta: number
  readonly key?: Bytes
  readonly value?: Bytes
  readonly headers?: Readonly<Record<string, Bytes>>
}

/** What kafkajs reads of an encoder: the bytes; it looks at `buf` only to see that it is one. */
interface Encoded {
  readonly buf: Buffer
  readonly buffer: Buffer
}

/**
 * One record of a record batch (Kafka protocol, magic 2), byte for byte what kafkajs makes of it, into one buffer of
 * the right size. kafkajs takes a zeroed buffer of 512 bytes for each record and each header, an array and a buffer for
 * each number, and BigInts for the time.
 */
export function encodeRecord({
  offsetDelta,
  timestampDelta,
  key,
  value,
  headers = {},
}: BatchedRecord): Encoded {
  const names = Object.keys(headers)
  let size = 1 + varintSize(timestampDelta) + varintSize(offsetDelta) + sizeOf(key) + sizeOf(value)
  size += varintSize(names.length)
  for (const name of names) size += sizeOf(name) + sizeOf(headers[name])
  const bytes = Buffer.allocUnsafe(varintSize(size) + size)
  let at = writeVarint(bytes, 0, size)
  bytes[at++] = 0
  at = writeVarint(bytes, at, timestampDelta)
  at = writeVarint(bytes, at, offsetDelta)
  at = write(bytes, at, key)
  at = write(bytes, at, value)
  at = writeVarint(bytes, at, names.length)
  for (const name of names) at = write(bytes, write(bytes, at, name), headers[name])
  return { buf: bytes, buffer: bytes }
}

const zigzag = (value: number): number => (value < 0 ? -2 * value - 1 : 2 * value)

function varintSize(value: number): number {
  let size = 1
  for (let rest = zigzag(value); rest >= 128; rest = Math.floor(rest / 128)) size++
  return size
}

function writeVarint(bytes: Buffer, from: number, value: number): number {
  let at = from
  let rest = zigzag(value)
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes[at++] = (rest % 128) | 128
  bytes[at++] = rest
  return at
}

function sizeOf(content: Bytes): number {
  if (content === null || content === undefined) return 1
  const size = Buffer.byteLength(content)
  return varintSize(size) + size
}

function write(bytes: Buffer, from: number, content: Bytes): number {
  if (content === null || content === undefined) return writeVarint(bytes, from, -1)
  const at = writeVarint(bytes, from, Buffer.byteLength(content))
  return at + (typeof content === 'string' ? bytes.write(content, at) : content.copy(bytes, at))
}
