import type { SchemaElement } from 'hyparquet'
import { fileWriter, ParquetWriter } from 'hyparquet-writer'
import { stage } from '../files/write-whole.ts'

type Repetition = 'REQUIRED' | 'OPTIONAL'

export const text = (name: string, repetition_type: Repetition): SchemaElement => ({
  name,
  type: 'BYTE_ARRAY',
  converted_type: 'UTF8',
  repetition_type,
})

/** Epoch milliseconds. */
export const moment = (name: string, repetition_type: Repetition): SchemaElement => ({
  name,
  type: 'INT64',
  repetition_type,
})

type Options = ConstructorParameters<typeof ParquetWriter>[0]
type Columns = Parameters<ParquetWriter['write']>[0]['columnData']

/** As a timestamp, which every tool shows as one; read back it is a Date. */
export const timestamp = (name: string, repetition_type: Repetition): SchemaElement => ({
  ...moment(name, repetition_type),
  converted_type: 'TIMESTAMP_MILLIS',
})

/** Appears whole or not at all: it is written beside its place, as .part. */
export interface ParquetFile {
  /** One row group. */
  write(columns: Columns): void
  finish(): void
  /** Leaves nothing behind of a file that is not finished. */
  abandon(): void
}

/** @throws WeirError WEIR_CLI_INPUT when the file cannot be written, now or later; nothing of it is left then. */
export function createParquet(path: string, options: Omit<Options, 'writer'>): ParquetFile {
  const { part, attempt, finish, abandon } = stage(path)
  const parquet = attempt(() => new ParquetWriter({ ...options, writer: fileWriter(part) }))
  return {
    // Without a promise from the writer below, and that one writes at once.
    write: (columnData) =>
      attempt(() => {
        void parquet.write({ columnData, rowGroupSize: columnData[0]?.data.length ?? 0 })
      }),
    finish: () =>
      finish(() => {
        void parquet.finish()
      }),
    abandon,
  }
}
