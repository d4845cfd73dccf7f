import type { Readable } from 'node:stream'
import { type CsvError, parse } from 'csv-parse'
import type { Row } from './cells.ts'
import type { FileRow, RowOptions } from './rows.ts'
import { shown } from './shown.ts'
import { Unreadable } from './unreadable.ts'

/** RFC 4180, with a first line that names the columns. */
export async function* readCsv(bytes: Readable, { only, onColumns }: RowOptions): AsyncGenerator<FileRow[]> {
  const bad: FileRow[] = []
  const parser = parse({
    bom: true,
    info: true,
    relax_column_count: true,
    skip_empty_lines: true,
    skip_records_with_error: true,
    on_skip(error) {
      const row = badQuote(error as CsvError)
      // The rest of such a row may tell of the same quote again.
      if (bad.at(-1)?.line !== row.line)
        bad.push(row)
        // Else it would go on within quotes and swallow the rows after this one.
      ;(parser as unknown as { readonly state: { quoting: boolean } }).state.quoting = false
      return undefined
    },
  })
  bytes.on('error', (error) => parser.destroy(error))
  let endsInLine = false
  bytes.on('data', (chunk: Buffer) => {
    endsInLine = chunk.at(-1) !== newline
  })
  let rowOf: ((record: readonly string[]) => Row | undefined) | undefined
  // A short last row is told apart from one that was cut off when all has been read.
  let held: FileRow[] = []
  for await (const records of gathered<CsvRecord>(bytes.pipe(parser))) {
    if (rowOf === undefined) {
      const columns = records.shift()?.record ?? []
      onColumns(columns)
      rowOf = rowMaker(columns, only)
    }
    const rows = held
    for (const { record, info } of records) {
      const row = rowOf(record)
      rows.push(row === undefined ? { line: info.lines, error: otherWidth } : { line: info.lines, row })
    }
    const last = rows.at(-1)
    held = last !== undefined && 'error' in last ? rows.splice(-1) : []
    const until = bad.findIndex(({ line }) => line > (rows.at(-1)?.line ?? 0))
    yield inOrder(rows, bad.splice(0, until < 0 ? bad.length : until))
  }
  if (rowOf === undefined) {
    throw new Unreadable('it is empty: there is no line that names the columns', namesFirst)
  }
  yield inOrder(endsInLine ? held.map(({ line }) => ({ line, error: cutOff })) : held, bad)
}

const newline = 0x0a
const otherWidth = 'the number of columns is not that of the first line'
const cutOff = 'the file ends within this line, it was cut off'

const namesFirst = 'write the names of the columns into its first line, with commas between'
const quoteRule =
  'a quote stands within a field; a field that holds quotes needs quotes around it and each of them twice'

const inOrder = (rows: FileRow[], bad: readonly FileRow[]): FileRow[] =>
  bad.length === 0 ? rows : [...rows, ...bad].sort((a, b) => a.line - b.line)

/** csv-parse's own words quote the row. @throws Unreadable where no row after it could be read. */
function badQuote({ code, lines, records }: CsvError & { lines?: number; records?: number }): FileRow {
  const read = records ?? 0
  if (code === 'CSV_QUOTE_NOT_CLOSED') {
    throw new Unreadable(
      `a quote that begins after record ${read} (the line of the columns is the first) is not closed up to its end`,
      'close the quote, or copy the file again, whole',
    )
  }
  if (read === 0) throw new Unreadable(`the names of its columns cannot be read: ${quoteRule}`, namesFirst)
  return { line: lines ?? 0, error: quoteRule }
}

interface CsvRecord {
  readonly record: readonly string[]
  readonly info: { readonly lines: number }
}

/** csv-parse makes such rows, too, at four times the cost. */
function rowMaker(columns: readonly string[], only: RowOptions['only']) {
  const twice = columns.find((column, i) => columns.indexOf(column) !== i)
  if (twice !== undefined) {
    throw new Unreadable(
      `its first line names column ${shown(twice)} twice`,
      'give each column a name of its own',
    )
  }
  const wanted = [...columns.entries()].filter(([, column]) => only === null || only.has(column))
  return (record: readonly string[]): Row | undefined => {
    if (record.length !== columns.length) return undefined
    const row: Record<string, unknown> = {}
    for (const [at, column] of wanted) row[column] = record[at]
    return row
  }
}

export async function* readJsonLines(bytes: Readable): AsyncGenerator<FileRow[]> {
  let line = 0
  let rest = ''
  const rowsOf = (texts: readonly string[]): FileRow[] => {
    const rows: FileRow[] = []
    for (const text of texts) {
      line++
      if (text.trim() !== '') rows.push({ line, ...parseJson(text) })
    }
    return rows
  }
  // node:readline loses errors of its input between two lines.
  for await (const chunk of bytes.setEncoding('utf8')) {
    const texts = (rest + chunk).split('\n')
    rest = texts.pop() ?? ''
    yield rowsOf(texts)
  }
  yield rowsOf([rest]).map((row) => ('error' in row ? { line: row.line, error: cutOff } : row))
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

/** What an object stream gives at once comes as one list: a turn of the event loop an object would cost too much. */
export async function* gathered<T>(objects: Readable): AsyncGenerator<T[]> {
  for await (const first of objects) {
    const batch = [first]
    for (let next = objects.read(); next !== null; next = mostAtOnce > batch.length ? objects.read() : null) {
      batch.push(next)
    }
    yield batch
  }
}

const mostAtOnce = 2_000
