import avsc, { type Resolver, type Type } from 'avsc'
import type { Checked, Rejection } from '../core/errors.ts'
import type { LogRecord } from '../core/ports.ts'
import { type Bounds, compileBounds } from './avro-bounds.ts'

/** Where the numbers that stand for schemas come from: files (avro-schema-files.ts) or a Schema Registry. */
export interface SchemaSource {
  /**
   * The id to write with.
   *
   * @param subject `<topic>-value`, the registry's name for what the topic's values are.
   * @param file the schema's file name in schemas/.
   */
  idOf(subject: string, file: string): Promise<number>
  /** The schema of an id as JSON text, null when there is none. Rejects with WEIR_SCHEMA_REGISTRY (retriable). */
  schemaOf(id: number): Promise<string | null>
}

/** Reads and writes the values of one topic. */
export interface Codec<T> {
  /** The value in Confluent wire format: byte 0, schema id as int32 big-endian, Avro. Never written to again. */
  encode(value: T): Buffer
  /**
   * One result a record, in order; bad bytes are data, never an exception. Rejects with WEIR_SCHEMA_REGISTRY
   * (retriable) while a schema that must be known cannot be fetched: then nothing is decided about any record.
   */
  decode(records: readonly LogRecord[]): Promise<Checked<T>[]>
}

interface CodecOptions<T> {
  /** The schema that is written with, and read with whatever the writer's was, JSON text. */
  readonly schema: string
  /** Its id. */
  readonly id: number
  /** Knows the schemas of other writers. */
  readonly source: Pick<SchemaSource, 'schemaOf'>
  /** Larger record values are refused, bytes. */
  readonly maxRecordBytes: number
  /** Checks what the schema cannot say. */
  readonly check: (value: T, record: LogRecord) => Checked<T>
}

/** How the values of one writer schema are read; null when they cannot be. */
type Reader = { readonly fits: Bounds; readonly resolver: Resolver | undefined } | null

const wireHeaderBytes = 5

function parseSchema(text: string): Type {
  // Fresh options each time: avsc keeps the names of one schema in them and then refuses the same ones in another.
  return avsc.Type.forSchema(JSON.parse(text), { omitRecordMethods: true })
}

/** @throws Error when `schema` is none: schemas are part of the program. */
export function createCodec<T>({ schema, id, source, maxRecordBytes, check }: CodecOptions<T>): Codec<T> {
  const type = parseSchema(schema)
  const readers = new Map<number, Reader>([[id, { fits: compileBounds(type), resolver: undefined }]])

  async function learn(records: readonly LogRecord[]): Promise<void> {
    const unknown = new Set<number>()
    for (const { value } of records) {
      if (value === null || !isFramed(value)) continue
      const writerId = value.readInt32BE(1)
      if (!readers.has(writerId)) unknown.add(writerId)
    }
    for (const writerId of unknown) {
      const text = await source.schemaOf(writerId)
      if (text !== null) readers.set(writerId, createReader(type, text))
    }
  }

  function decodeOne(record: LogRecord): Checked<T> {
    const { value } = record
    if (value === null || value.length === 0) return refuse('WEIR_RECORD_EMPTY', 'the record has no value')
    if (value.length > maxRecordBytes) {
      return refuse('WEIR_RECORD_TOO_LARGE', `the value has more than ${maxRecordBytes} bytes`)
    }
    if (!isFramed(value)) {
      return refuse('WEIR_RECORD_NOT_AVRO', 'the value does not begin with byte 0 and a schema id')
    }
    const writerId = value.readInt32BE(1)
    const reader = readers.get(writerId)
    if (reader === undefined) return refuse('WEIR_RECORD_UNKNOWN_SCHEMA', `no schema has the id ${writerId}`)
    if (reader === null) {
      return refuse('WEIR_RECORD_UNDECODABLE', `schema ${writerId} cannot be read as ${type.name}`)
    }
    if (!reader.fits(value, wireHeaderBytes)) {
      return refuse('WEIR_RECORD_UNDECODABLE', `the value is not what schema ${writerId} says`)
    }
    try {
      return check(type.decode(value, wireHeaderBytes, reader.resolver).value, record)
    } catch {
      // avsc's messages contain values. What is left to throw here: integers that a promotion cannot hold.
      return refuse('WEIR_RECORD_UNDECODABLE', `the value is not what schema ${writerId} says`)
    }
  }

  return {
    encode: createEncoder(type, id),
    async decode(records) {
      await learn(records)
      return records.map(decodeOne)
    },
  }
}

function isFramed(value: Buffer): boolean {
  return value.length >= wireHeaderBytes && value[0] === 0
}

function refuse(code: Rejection['code'], message: string): { ok: false; rejection: Rejection } {
  return { ok: false, rejection: { code, message, withhold: false } }
}

/** A writer's schema comes from outside: whatever is wrong with it is the record's fault, not ours. */
function createReader(type: Type, writerSchema: string): Reader {
  try {
    const writer = parseSchema(writerSchema)
    return { fits: compileBounds(writer), resolver: type.createResolver(writer) }
  } catch {
    return null
  }
}

const slabBytes = 64 * 1024

/** Records are cut from one slab after the other: no buffer and no copy a record. */
function createEncoder<T>(type: Type, id: number): (value: T) => Buffer {
  let slab = Buffer.allocUnsafe(slabBytes)
  let start = 0
  return (value) => {
    let end = type.encode(value, slab, start + wireHeaderBytes)
    if (end < 0) {
      // avsc says how many bytes were missing.
      const needed = slab.length - start - end
      slab = Buffer.allocUnsafe(Math.max(slabBytes, needed))
      start = 0
      end = type.encode(value, slab, wireHeaderBytes)
    }
    slab[start] = 0
    slab.writeInt32BE(id, start + 1)
    const record = slab.subarray(start, end)
    start = end
    return record
  }
}
