import { basename } from 'node:path'
import { WeirError } from '../core/errors.ts'
import type { Label } from '../core/types.ts'
import type { Row } from '../files/cells.ts'
import { Columns, type InputFile, inputFiles, notRead } from '../files/inputs.ts'
import { columnsOf, type Mapped, type Mapping } from '../files/mapping.ts'
import { labelColumns, labelOf, mappingOf, paymentReader, paymentsAdvice } from '../files/payments.ts'
import { Readable } from '../files/readable.ts'
import { type FileRow, readRows, type StreamFormat, standardInput } from '../files/rows.ts'
import { Arrivals } from './arrivals.ts'
import { LabelsBetween } from './labels-between.ts'
import { type HistoryItem, Numbering, type Source } from './source.ts'

export interface FileSourceOptions {
  /** Mapping of the payments; without one, columns are fields of the contract. */
  readonly map?: string | undefined
  /** File or glob of labels whose columns are fields of the contract. They are held in memory. */
  readonly labels?: string | undefined
  /** Of the topic that the payments would lie in. */
  readonly partitions: number
  /** What comes from standard input. */
  readonly format?: StreamFormat | undefined
  /**
   * Where the rows of a file are not in the order of their times: `refuse` them (late ones are fine), `sort` all
   * payments in memory, or `allow` any order.
   */
  readonly order?: 'refuse' | 'sort' | 'allow' | undefined
}

/** Most payments that are sorted: some 500 bytes each. */
const mostSorted = 3_000_000

type Rejected = Extract<HistoryItem, { kind: 'rejected' }>
/** What was read at a line. */
type At<T> = { readonly line: number; readonly value: T }
type Payment = At<Mapped>

/**
 * History from files, in their order: CSV, JSON Lines, Avro, Parquet, globs of them, or standard input (`-`).
 *
 * @throws WeirError WEIR_CLI_INPUT where a file, a glob or the mapping is not there; later, where a file cannot be read.
 */
export function fileSource(paths: readonly string[], options: FileSourceOptions): Source {
  const files = inputFiles(paths)
  const mapping = mappingOf(options.map)
  if (files.length > 1 && hasLineIds(mapping)) {
    throw new WeirError(
      'WEIR_CLI_INPUT',
      `lines are the ids of mapping ${options.map}, so it reads one file`,
      {
        cure: 'join the files to one, or give their rows an id',
      },
    )
  }
  const labelFiles = options.labels === undefined ? [] : inputFiles([options.labels])
  let known: Promise<{ labels: Label[]; rejected: Rejected[] }> | undefined
  const readLabels = () => {
    known ??= loadLabels(labelFiles)
    return known
  }
  const notes: string[] = []
  return {
    name: nameOf(files),
    async *items(onFraction = () => {}) {
      notes.length = 0
      const { labels, rejected } = await readLabels()
      if (rejected.length > 0) yield rejected
      const between = new LabelsBetween(labels)
      const numbering = new Numbering(options.partitions)
      const read = readPayments(files, mapping, options, notes, onFraction)
      let isWhole = false
      // Whoever has seen enough leaves at a yield.
      try {
        for await (const batch of options.order === 'sort' ? sorted(read) : read) {
          yield itemsOf(batch, between, numbering)
        }
        isWhole = true
        yield between.rest()
      } finally {
        notes.push(...between.notes(isWhole))
      }
    },
    async *labels() {
      yield (await readLabels()).labels
    },
    notes: () => notes,
  }
}

function itemsOf(
  batch: readonly (Payment | Rejected)[],
  between: LabelsBetween,
  numbering: Numbering,
): HistoryItem[] {
  const items: HistoryItem[] = []
  for (const one of batch) {
    if ('kind' in one) items.push(one)
    else {
      const { transaction, label } = one.value
      between.before(transaction, items)
      items.push(numbering.item(transaction, label === null ? [] : [label]))
      if (label !== null) between.add(label)
    }
  }
  return items
}

async function* readPayments(
  files: readonly InputFile[],
  mapping: Mapping,
  { map, format, order }: FileSourceOptions,
  notes: string[],
  onFraction: (done: number) => void,
): AsyncGenerator<(Payment | Rejected)[]> {
  const wanted = columnsOf(mapping)
  const columns = new Columns(wanted)
  const paymentOf = paymentReader(mapping)
  const arrivals = new Arrivals(order === undefined || order === 'refuse')
  const total = files.reduce((sum, { size }) => sum + size, 0)
  const readable = new Readable()
  let before = 0
  for (const { path, size } of files) {
    const file = fileName(path)
    arrivals.open(file)
    const rows = readRows(path, {
      format,
      only: new Set(wanted.keys()),
      onFraction: (done) => onFraction((before + done * size) / total),
      onColumns(found) {
        const unread = columns.check(file, found)
        if (map !== undefined || unread.length === 0) return
        notes.push(notRead(file, unread, 'a payment'))
      },
    })
    try {
      for await (const batch of rows) {
        const read = readBatch(file, batch, paymentOf, readable)
        for (const one of read) if (!('kind' in one)) arrivals.add(one.line, one.value.transaction.event_time)
        arrivals.check(false)
        yield read
      }
      arrivals.check(true)
    } finally {
      const note = arrivals.note()
      if (note !== undefined && order !== 'sort') notes.push(note)
    }
    before += size
  }
  readable.check(nameOf(files), paymentsAdvice)
}

/** Each row read, or why it cannot be; `readable` is told of both. */
function readBatch<T>(
  file: string,
  rows: readonly FileRow[],
  read: (row: Row, line: number) => T,
  readable: Readable,
): (At<T> | Rejected)[] {
  return rows.map((found) => {
    const { line } = found
    try {
      if ('error' in found) throw new Error(found.error)
      const value = read(found.row, line)
      readable.good()
      return { line, value }
    } catch (error) {
      const [at, reason] = [`${file}, line ${line}`, (error as Error).message]
      readable.bad(at, reason)
      return { kind: 'rejected', at, reason }
    }
  })
}

const labelAdvice = 'give --labels a file whose columns are the fields of schemas/label.avsc'

async function loadLabels(files: readonly InputFile[]): Promise<{ labels: Label[]; rejected: Rejected[] }> {
  const labels: Label[] = []
  const rejected: Rejected[] = []
  const columns = new Columns(labelColumns, labelAdvice)
  const readable = new Readable()
  for (const { path } of files) {
    const file = fileName(path)
    for await (const rows of readRows(path, { onColumns: (found) => columns.check(file, found) })) {
      for (const one of readBatch(file, rows, labelOf, readable)) {
        if ('kind' in one) rejected.push(one)
        else labels.push(one.value)
      }
    }
  }
  if (files.length > 0) readable.check(nameOf(files), `${labelAdvice}, or leave it out`)
  return { labels: labels.sort((a, b) => a.observed_time - b.observed_time), rejected }
}

/** All payments by event time, those of one time as they came. */
async function* sorted(
  batches: AsyncIterable<readonly (Payment | Rejected)[]>,
): AsyncGenerator<(Payment | Rejected)[]> {
  const payments: Payment[] = []
  for await (const batch of batches) {
    for (const one of batch) if (!('kind' in one)) payments.push(one)
    yield batch.filter((one) => 'kind' in one)
    if (payments.length <= mostSorted) continue
    throw new WeirError('WEIR_CLI_INPUT', `more than ${mostSorted} payments are too many to sort in memory`, {
      cure: 'sort the files by time with a tool that does it on disk, or replay them one after the other',
    })
  }
  payments.sort((a, b) => a.value.transaction.event_time - b.value.transaction.event_time)
  for (let at = 0; at < payments.length; at += 1_000) yield payments.slice(at, at + 1_000)
}

const hasLineIds = ({ transaction: { transaction_id: id } }: Mapping): boolean =>
  typeof id === 'object' && 'line' in id

const fileName = (path: string): string => (path === standardInput ? 'standard input' : path)

function nameOf(files: readonly InputFile[]): string {
  const names = files.map(({ path }) => (path === standardInput ? fileName(path) : basename(path)))
  return names.length <= 3 ? names.join(', ') : `${names[0]} to ${names.at(-1)} (${names.length} files)`
}
