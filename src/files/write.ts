import { once } from 'node:events'
import { createWriteStream, type WriteStream } from 'node:fs'
import { finished } from 'node:stream/promises'
import avsc from 'avsc'
import { readSchema } from '../adapters/avro-schema-files.ts'
import { WeirError } from '../core/errors.ts'
import { unwritable } from './write-whole.ts'

/** Writes records of one contract to a file. */
export interface RecordFile {
  write(record: object): Promise<void>
  /** Resolves when everything is on disk. */
  close(): Promise<void>
}

/**
 * A file of .csv, .jsonl or .avro (container file) by the ending of its name; `weir produce` reads each back.
 *
 * @param schema the contract's file in schemas/: gives the columns and, for Avro, the schema.
 * @throws {WeirError} WEIR_CLI_INPUT when the kind is not known or the file cannot be opened.
 */
export async function createRecordFile(path: string, schema: string): Promise<RecordFile> {
  const kind = /\.(csv|jsonl|avro)$/.exec(path)?.[1]
  if (kind === undefined) {
    throw new WeirError('WEIR_CLI_INPUT', `${path}: what kind of file is to be written?`, {
      cure: 'name it .csv, .jsonl or .avro',
    })
  }
  const file = createWriteStream(path)
  try {
    await once(file, 'open')
  } catch (cause) {
    throw unwritable(path, cause)
  }
  return kind === 'avro'
    ? avroFile(file, schema)
    : textFile(file, kind === 'csv' ? csvLines(schema) : jsonLine)
}

async function textFile(file: WriteStream, toText: (record: object) => string): Promise<RecordFile> {
  return {
    async write(record) {
      if (!file.write(toText(record))) await once(file, 'drain')
    },
    async close() {
      file.end()
      await finished(file)
    },
  }
}

const jsonLine = (record: object): string => `${JSON.stringify(record)}\n`

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

async function avroFile(file: WriteStream, schema: string): Promise<RecordFile> {
  const encoder = new avsc.streams.BlockEncoder(avsc.Type.forSchema(JSON.parse(readSchema(schema))))
  encoder.pipe(file)
  return {
    async write(record) {
      if (!encoder.write(record)) await once(encoder, 'drain')
    },
    async close() {
      encoder.end()
      await finished(file)
    },
  }
}
