import { createReadStream, statSync } from 'node:fs'
import { PassThrough, type Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import avsc from 'avsc'
import { parse as parseCsv } from 'csv-parse'
import { WeirError } from '../core/errors.ts'
import type { Row } from './mapping.ts'

/** A row, or why it is none, with the line (CSV, JSON Lines) or number (Avro) at which it lies, from 1. */
export type FileRow = { readonly line: number } & ({ readonly row: Row } | { readonly error: string })

/**
 * Rows of a file in order, by the ending of its name: .csv and .jsonl (both also .gz), .avro (container file).
 * Memory stays bounded by the longest row.
 *
 * @param onFraction told now and then how much of the file has been read, 0 to 1.
 * @throws {WeirError} WEIR_CLI_INPUT when the file cannot be read or its kind is not known.
 */
export async function* readRows(
  path: string,
  onFraction: (fraction: number) => void = () => {},
): AsyncGenerator<FileRow, void, undefined> {
  const kind = /\.(csv|jsonl|avro)(\.gz)?$/.exec(path)?.[1]
  if (kind === undefined) {
    throw new WeirError('WEIR_CLI_INPUT', `${path}: what kind of file is this?`, {
      cure: 'name it .csv, .jsonl (either also .gz) or .avro',
    })
  }
  try {
    yield* readers[kind as keyof typeof readers](openFile(path, onFraction))
  } catch (cause) {
    if (cause instanceof WeirError) throw cause
    throw new WeirError('WEIR_CLI_INPUT', `cannot read ${path}: ${(cause as Error).message}`, { cause })
  }
}

/** The bytes, unzipped; an error on the way reaches whoever reads them. */
function openFile(path: string, onFraction: (fraction: number) => void): Readable {
  const { size } = statSync(path)
  const file = createReadStream(path)
  file.on('data', () => onFraction(file.bytesRead / size))
  const bytes = file.pipe(path.endsWith('.gz') ? createGunzip() : new PassThrough())
  file.on('error', (error) => bytes.destroy(error))
  return bytes
}

const readers = { csv: readCsv, jsonl: readJsonLines, avro: readAvro }

async function* readCsv(bytes: Readable): AsyncGenerator<FileRow, void, undefined> {
  const parser = parseCsv({
    columns: true,
    bom: true,
    info: true,
    relax_column_count: true,
    skip_empty_lines: true,
  })
  bytes.on('error', (error) => parser.destroy(error))
  for await (const { record, info } of bytes.pipe(parser) as AsyncIterable<CsvRecord>) {
    if (info.error === undefined) yield { line: info.lines, row: record }
    else yield { line: info.lines, error: 'the number of columns is not that of the first line' }
  }
}

interface CsvRecord {
  readonly record: Row
  readonly info: { readonly lines: number; readonly error?: Error }
}

async function* readJsonLines(bytes: Readable): AsyncGenerator<FileRow, void, undefined> {
  let line = 0
  for await (const text of readLines(bytes)) {
    line++
    if (text.trim() !== '') yield { line, ...parseJson(text) }
  }
}

/** node:readline loses errors of its input between two lines. */
async function* readLines(bytes: Readable): AsyncGenerator<string, void, undefined> {
  let rest = ''
  for await (const chunk of bytes.setEncoding('utf8')) {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() ?? ''
    yield* lines
  }
  if (rest !== '') yield rest
}

function parseJson(text: string): { readonly row: Row } | { readonly error: string } {
  try {
    const row: unknown = JSON.parse(text)
    if (typeof row === 'object' && row !== null && !Array.isArray(row)) return { row: row as Row }
    return { error: 'not a JSON object' }
  } catch {
    return { error: 'not JSON' }
  }
}

async function* readAvro(bytes: Readable): AsyncGenerator<FileRow, void, undefined> {
  const decoder = bytes.pipe(new avsc.streams.BlockDecoder())
  bytes.on('error', (error) => decoder.destroy(error))
  let line = 0
  for await (const row of decoder) {
    line++
    yield { line, row: { ...row } }
  }
}
