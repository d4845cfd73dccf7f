import avsc, { type Type } from 'avsc'
import type { Checked, Rejection } from '../core/errors.ts'
import type { LogRecord } from '../core/ports.ts'
import { compileBounds } from './avro-bounds.ts'
import { compileReader, compileWriter, type Read } from './avro-compile.ts'
import { malformed } from './avro-input.ts'

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

/** Of a value in Confluent wire format, before Avro's bytes. */
export const wireHeaderBytes = 5

export function parseSchema(text: string): Type {
  // Fresh options each time: avsc keeps the names of one schema in them and then refuses the same ones in another.
  return avsc.Type.forSchema(JSON.parse(text), { omitRecordMethods: true })
}

/** @throws Error when `schema` is none: schemas are part of the program. */
export function createCodec<T>({ schema, id, source, maxRecordBytes, check }: CodecOptions<T>): Codec<T> {
  const type = parseSchema(schema)
  const readOwn = compileReader<T>(type)
  /** By the writer's schema; null when its values cannot be read as ours. */
  const readOthers = new Map<number, Read<T> | null>()

  async function learn(records: readonly LogRecord[]): Promise<void> {
    const unknown = new Set<number>()
    for (const { value } of records) {
      if (value === null || !isFramed(value)) continue
      const writerId = schemaId(value)
      if (writerId !== id && !readOthers.has(writerId)) unknown.add(writerId)
    }
    for (const writerId of unknown) {
      const text = await source.schemaOf(writerId)
      if (text !== null) readOthers.set(writerId, readerOf<T>(type, text))
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
    const writerId = schemaId(value)
    const read = writerId === id ? readOwn : readOthers.get(writerId)
    if (read === undefined) return refuse('WEIR_RECORD_UNKNOWN_SCHEMA', `no schema has the id ${writerId}`)
    if (read === null) {
      return refuse('WEIR_RECORD_UNDECODABLE', `schema ${writerId} cannot be read as ${type.name}`)
    }
    try {
      return check(read(value, wireHeaderBytes), record)
    } catch {
      // avsc's messages contain values.
      return refuse('WEIR_RECORD_UNDECODABLE', `the value is not what schema ${writerId} says`)
    }
  }

  return {
    encode: compileWriter<T>(type, id),
    async decode(records) {
      await learn(records)
      return records.map(decodeOne)
    },
  }
}

export function isFramed(value: Buffer): boolean {
  return value.length >= wireHeaderBytes && value[0] === 0
}

/** Of a value that is framed: int32, big-endian. */
export function schemaId(value: Buffer): number {
  return (
    ((value[1] as number) << 24) |
    ((value[2] as number) << 16) |
    ((value[3] as number) << 8) |
    (value[4] as number)
  )
}

function refuse(code: Rejection['code'], message: string): { ok: false; rejection: Rejection } {
  return { ok: false, rejection: { code, message, withhold: false } }
}

/**
 * Values of other schemas are read by avsc, which fits them to ours, once it is known that they end in their bytes.
 * A writer's schema comes from outside: whatever is wrong with it is the record's fault, not ours.
 */
function readerOf<T>(type: Type, writerSchema: string): Read<T> | null {
  try {
    const writer = parseSchema(writerSchema)
    const fits = compileBounds(writer)
    const resolver = type.createResolver(writer)
    return (bytes, at) => {
      if (!fits(bytes, at)) throw malformed
      return type.decode(bytes, at, resolver).value
    }
  } catch {
    return null
  }
}
