import type { Type, types } from 'avsc'
import { isFramed, parseSchema, type SchemaSource, schemaId, wireHeaderBytes } from './avro.ts'
import { compileEnd } from './avro-bounds.ts'

/** What can be read of a value that was refused. */
export interface Inspected {
  readonly schemaId: number
  /** By the writer's schema, in its order, as far as the bytes go. */
  readonly fields: Readonly<Record<string, unknown>>
  /** The first field that the bytes do not hold; null when they hold all. */
  readonly brokenAt: string | null
  /** Bytes behind what was read. */
  readonly bytesLeft: number
}

/**
 * Reads a value field by field, by the schema that it names, until one is not what the schema says.
 *
 * @returns null where the value names no schema, or one that is not known or no record.
 */
export async function inspectValue(
  value: Buffer,
  source: Pick<SchemaSource, 'schemaOf'>,
): Promise<Inspected | null> {
  if (!isFramed(value)) return null
  const id = schemaId(value)
  const text = await source.schemaOf(id)
  const record = text === null ? null : recordOf(text)
  if (record === null) return null
  const fields: Record<string, unknown> = {}
  let at = wireHeaderBytes
  for (const { name, type } of record.fields) {
    const read = readField(type, value, at)
    if (read === null) return { schemaId: id, fields, brokenAt: name, bytesLeft: value.length - at }
    fields[name] = read.value
    at = read.end
  }
  return { schemaId: id, fields, brokenAt: null, bytesLeft: value.length - at }
}

function recordOf(schema: string): types.RecordType | null {
  try {
    const type = parseSchema(schema)
    return type.typeName === 'record' ? (type as types.RecordType) : null
  } catch {
    return null
  }
}

/** Null also for a type that `compileEnd` refuses, since its values could take no bytes and have no end. */
function readField(type: Type, value: Buffer, at: number): { value: unknown; end: number } | null {
  try {
    const end = compileEnd(type)(value, at)
    return end < 0 ? null : { value: (type.decode(value, at) as { value: unknown }).value, end }
  } catch {
    return null
  }
}
