import { closeSync, openSync, writeSync } from 'node:fs'
import type { SchemaElement } from 'hyparquet'
import { createParquet, text } from '../adapters/parquet-file.ts'
import { WeirError } from '../core/errors.ts'
import { quoted } from './write.ts'
import { stage } from './write-whole.ts'

/** A column of whole numbers or of texts, which may be null. */
export interface Column {
  readonly name: string
  readonly type: 'number' | 'text'
}

export type TableRow = Readonly<Record<string, number | string | null>>

/** A table that is written row by row, and appears whole or not at all. */
export interface Table {
  add(row: TableRow): void
  finish(): void
  /** Leaves nothing behind of a table that is not finished. */
  abandon(): void
}

/** Rows that are held in memory. */
const rowsAtOnce = 10_000

/**
 * A file of .csv, .json (a list of objects) or .parquet, by the ending of its name.
 *
 * @throws WeirError WEIR_CLI_INPUT when the kind is not known or the file cannot be written, now or later.
 */
export function createTable(path: string, columns: readonly Column[]): Table {
  const kind = /\.(csv|json|parquet)$/.exec(path)?.[1]
  if (kind === undefined) {
    throw new WeirError('WEIR_CLI_INPUT', `${path}: what kind of file is to be written?`, {
      cure: 'name it .csv, .json or .parquet',
    })
  }
  const file =
    kind === 'parquet' ? parquetFile(path, columns) : textFile(path, kind === 'csv' ? csv(columns) : json)
  let rows: TableRow[] = []
  const flush = () => {
    if (rows.length > 0) file.write(rows)
    rows = []
  }
  return {
    add(row) {
      rows.push(row)
      if (rows.length === rowsAtOnce) flush()
    },
    finish() {
      flush()
      file.finish()
    },
    abandon: file.abandon,
  }
}

interface TableFile {
  write(rows: readonly TableRow[]): void
  finish(): void
  abandon(): void
}

function parquetFile(path: string, columns: readonly Column[]): TableFile {
  const elements = columns.map(({ name, type }): SchemaElement => {
    return type === 'text' ? text(name, 'OPTIONAL') : { name, type: 'INT64', repetition_type: 'OPTIONAL' }
  })
  const schema = [{ name: 'rows', num_children: elements.length }, ...elements]
  const parquet = createParquet(path, { schema, createdBy: 'weir' })
  const cellOf = (value: number | string | null | undefined) =>
    typeof value === 'number' ? BigInt(value) : (value ?? null)
  return {
    ...parquet,
    write: (rows) =>
      parquet.write(columns.map(({ name }) => ({ name, data: rows.map((row) => cellOf(row[name])) }))),
  }
}

/** How rows are written as text: what comes before and after all, and each of them. */
interface TextForm {
  readonly head: string
  readonly tail: string
  readonly between: string
  readonly row: (row: TableRow) => string
}

const csv = (columns: readonly Column[]): TextForm => ({
  head: `${columns.map(({ name }) => quoted(name)).join(',')}\n`,
  tail: '\n',
  between: '\n',
  row: (row) => columns.map(({ name }) => quoted(row[name])).join(','),
})

const json: TextForm = { head: '[\n', tail: '\n]\n', between: ',\n', row: (row) => JSON.stringify(row) }

function textFile(path: string, { head, tail, between, row }: TextForm): TableFile {
  const { part, attempt, finish, abandon } = stage(path)
  const file = attempt(() => openSync(part, 'w'))
  const append = (content: string) =>
    attempt(() => {
      const bytes = Buffer.from(content)
      // The system may take less than all at a time.
      for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done)
    })
  append(head)
  let isFirst = true
  return {
    write(rows) {
      append(`${isFirst ? '' : between}${rows.map(row).join(between)}`)
      isFirst = false
    },
    finish() {
      append(isFirst ? tail.trimStart() : tail)
      finish(() => closeSync(file))
    },
    abandon,
  }
}
