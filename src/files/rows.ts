import { createReadStream, statSync } from 'node:fs'
import { PassThrough, type Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { WeirError } from '../core/errors.ts'
import type { Row } from './cells.ts'
import { readAvro } from './rows-avro.ts'
import { readParquet } from './rows-parquet.ts'
import { readCsv, readJsonLines } from './rows-text.ts'
import { unreadable } from './unreadable.ts'

/** A row, or why it is none, with the line (CSV, JSON Lines) or number (Avro, Parquet) at which it lies, from 1. */
export type FileRow = { readonly line: number } & ({ readonly row: Row } | { readonly error: string })

export interface RowOptions {
  /** The columns that are wanted; null: all. Rows of JSON Lines have all that they have. */
  readonly only: ReadonlySet<string> | null
  /** Told the columns of a file that names them (not JSON Lines), before its first row. */
  readonly onColumns: (columns: readonly string[]) => void
  /** Told now and then how much of the file has been read, 0 to 1; not of standard input. */
  readonly onFraction: (fraction: number) => void
}

export const streamFormats = ['csv', 'jsonl', 'avro'] as const
export type StreamFormat = (typeof streamFormats)[number]

/** What `-` stands for among file names. */
export const standardInput = '-'

/**
 * Rows in order, many at a time, by the ending of the file's name: .csv and .jsonl (both also .gz), .avro (container
 * file), .parquet. Memory stays bounded by the longest row, of Parquet by the largest row group.
 *
 * @param path a file, or `-` for standard input.
 * @param options.format what comes from standard input.
 * @throws {WeirError} WEIR_CLI_INPUT when the file cannot be read, is cut off or of no known kind.
 */
export async function* readRows(
  path: string,
  {
    format = 'csv',
    only = null,
    onColumns = () => {},
    onFraction = () => {},
  }: Partial<RowOptions> & { readonly format?: StreamFormat | undefined } = {},
): AsyncGenerator<readonly FileRow[], void, undefined> {
  const options = { only, onColumns, onFraction }
  const kind = path === standardInput ? format : /\.(?:(csv|jsonl)(?:\.gz)?|avro|parquet)$/.exec(path)?.[0]
  try {
    if (kind === undefined) throw unknownKind(path)
    if (kind === '.parquet') yield* readParquet(path, options)
    else yield* readers[kind.replace(/^\.|\.gz$/g, '') as StreamFormat](open(path, onFraction), options)
  } catch (cause) {
    if (cause instanceof WeirError) throw cause
    throw unreadable(path === standardInput ? 'standard input' : path, cause)
  }
}

const readers = { csv: readCsv, jsonl: readJsonLines, avro: readAvro }

/** The bytes, unzipped; an error on the way reaches whoever reads them. */
function open(path: string, onFraction: (fraction: number) => void): Readable {
  if (path === standardInput) return process.stdin
  const { size } = statSync(path)
  const file = createReadStream(path)
  file.on('data', () => onFraction(file.bytesRead / size))
  const bytes = file.pipe(path.endsWith('.gz') ? createGunzip({ chunkSize: 65_536 }) : new PassThrough())
  file.on('error', (error) => bytes.destroy(error))
  return bytes
}

const unknownKind = (path: string): WeirError =>
  new WeirError('WEIR_CLI_INPUT', `${path}: what kind of file is this?`, {
    cure: 'name it .csv, .jsonl (either also .gz), .avro or .parquet',
  })
