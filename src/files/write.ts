import avsc from 'avsc'
import { readSchema } from '../adapters/avro-schema-files.ts'
import { WeirError } from '../core/errors.ts'
import { openWritten, type Written } from './written.ts'

/** Writes records of one contract to a file. */
export type RecordFile = Written<object>

/**
 * A file of .csv, .jsonl or .avro (container file) by the ending of its name; `weir produce` reads each back.
 *
 * @param schema the contract's file in schemas/: gives the columns and, for Avro, the schema.
 * @throws {WeirError} WEIR_CLI_INPUT when the kind is not known or the file cannot be written, now or later.
 */
export async function createRecordFile(path: string, schema: string): Promise<RecordFile> {
  const kind = /\.(csv|jsonl|avro)$/.exec(path)?.[1]
  if (kind === undefined) {
    throw new WeirError('WEIR_CLI_INPUT', `${path}: what kind of file is to be written?`, {
      cure: 'name it .csv, .jsonl or .avro',
    })
  }
  if (kind === 'avro') return openWritten(path, avroEncoder(schema))
  return mapped(await openWritten(path), kind === 'csv' ? csvLines(schema) : jsonLine)
}

const mapped = (file: Written<string>, toText: (record: object) => string): RecordFile => ({
  ...file,
  write: (record) => file.write(toText(record)),
})

/** A line of a .jsonl file. */
export const jsonLine = (record: object): string => `${JSON.stringify(record)}\n`

function csvLines(schema: string): (record: object) => string {
  const { fields } = JSON.parse(readSchema(schema)) as { fields: { name: string }[] }
  const columns = fields.map(({ name }) => name)
  let head = `${columns.join(',')}\n`
  return (record) => {
    const line = columns.map((name) => quoted((record as Record<string, unknown>)[name])).join(',')
    const text = `${head}${line}\n`
    head = ''
    return text
  }
}

/** A value of a CSV line, by RFC 4180. */
export function quoted(value: unknown): string {
  const text = value === null || value === undefined ? '' : String(value)
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

const avroEncoder = (schema: string) =>
  new avsc.streams.BlockEncoder(avsc.Type.forSchema(JSON.parse(readSchema(schema))))
