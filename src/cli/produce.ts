import { type Command, Option } from 'commander'
import { withConnection } from '../apps/connect.ts'
import { WeirError } from '../core/errors.ts'
import type { Row } from '../files/cells.ts'
import { Columns, notRead } from '../files/inputs.ts'
import { columnsOf } from '../files/mapping.ts'
import { labelColumns, labelOf, mappingOf, paymentReader, paymentsAdvice } from '../files/payments.ts'
import { Readable } from '../files/readable.ts'
import { readRows } from '../files/rows.ts'
import { configOf, count, refuseFlags } from './flags.ts'
import { grouped, note, type Progress, startProgress } from './output.ts'
import { createTopicSink, holdLabels, type Sink } from './sink.ts'
import { BadRows, onErrorOption } from './source.ts'

interface Flags {
  readonly as: 'transactions' | 'labels'
  readonly map?: string
  readonly limit: number
  readonly rate: number
  readonly onError: 'stop' | 'skip'
}

export function registerProduce(program: Command): void {
  program
    .command('produce')
    .description('send a file of payments (.csv, .jsonl, either also .gz, .avro or .parquet) to the topics')
    .argument('<file>', 'payments, one a row; record timestamps are event times')
    .option('--map <mapping>', 'mapping file, or the name of one in mappings/ (default: columns are fields)')
    .addOption(
      new Option('--as <what>', 'what rows are').choices(['transactions', 'labels']).default('transactions'),
    )
    .addOption(
      new Option('--limit <n>', 'rows to read at most')
        .argParser(count)
        .default(Number.POSITIVE_INFINITY, 'all'),
    )
    .option('--rate <n>', 'records a second; 0: as fast as possible', count, 0)
    .addOption(onErrorOption('stop'))
    .action(async (file: string, flags: Flags, command: Command) => {
      if (flags.as === 'labels') refuseFlags(command, ['map'], 'with --as labels: columns are fields')
      const { config } = configOf(command)
      const futureMs = config.limits.event_time_future_ms
      const rows = flags.as === 'labels' ? labelRows(futureMs) : paymentRows(flags.map, futureMs)
      await withConnection(config, async (connection) => {
        const progress = startProgress('records', flags.limit)
        try {
          const sink = await createTopicSink(connection, config.topics, { rate: flags.rate, progress })
          await produce(file, flags, rows, flags.map === undefined ? sink : holdLabels(sink), progress)
        } finally {
          const { count: sent, seconds } = progress.stop()
          note(`${grouped(sent)} records in ${seconds.toFixed(1)} s`)
        }
      })
    })
}

/** What the rows of a file are. */
interface Rows {
  /** The columns that are read; false: rows may lack it. */
  readonly columns: ReadonlyMap<string, boolean>
  /** What a column that is not read is none of; null: a mapping reads what it wants to. */
  readonly fieldsOf: 'a payment' | 'a label' | null
  /** What to do where a column is missing, or no row can be read. */
  readonly cure: string
  /** Sends what a row says; throws an Error that tells what is wrong with the row. */
  send(row: Row, line: number, sink: Sink): Promise<void>
}

function paymentRows(map: string | undefined, futureMs: number): Rows {
  const mapping = mappingOf(map)
  const paymentOf = paymentReader(mapping)
  const send: Rows['send'] = async (row, line, sink) => {
    const { transaction, label } = paymentOf(row, line)
    refuseFuture('event_time', transaction.event_time, futureMs)
    if (label !== null) refuseFuture("observed_time of the row's label", label.observed_time, futureMs)
    await sink.transaction(transaction, transaction.event_time)
    if (label !== null) await sink.label(label, label.observed_time)
  }
  return {
    columns: columnsOf(mapping),
    fieldsOf: map === undefined ? 'a payment' : null,
    cure: paymentsAdvice,
    send,
  }
}

function labelRows(futureMs: number): Rows {
  const send: Rows['send'] = async (row, line, sink) => {
    const label = labelOf(row, line)
    refuseFuture('observed_time', label.observed_time, futureMs)
    await sink.label(label, label.observed_time)
  }
  const cure = 'give a file whose columns are the fields of schemas/label.avsc'
  return { columns: labelColumns, fieldsOf: 'a label', cure, send }
}

/** Times are record timestamps here: the topics take none that lie further ahead, nor what is sent beside such a record. */
function refuseFuture(field: string, time: number, futureMs: number): void {
  if (time - Date.now() <= futureMs) return
  throw new Error(`${field} lies more than ${futureMs} ms after now (limits.event_time_future_ms)`)
}

/** Sends the rows of a file. */
async function produce(
  file: string,
  { limit, onError }: Pick<Flags, 'limit' | 'onError'>,
  { columns, fieldsOf, cure, send }: Rows,
  sink: Sink,
  progress: Progress,
): Promise<void> {
  const bad = new BadRows(onError)
  const readable = new Readable()
  let rows = 0
  const onColumns = (found: readonly string[]) => {
    const unread = new Columns(columns, cure).check(file, found)
    if (fieldsOf === null || unread.length === 0) return
    note(notRead(file, unread, fieldsOf))
  }
  const only = new Set(columns.keys())
  for await (const batch of readRows(file, { only, onColumns, onFraction: progress.reach })) {
    for (const read of batch.slice(0, limit - rows)) {
      const error = 'error' in read ? read.error : await tryToSend(() => send(read.row, read.line, sink))
      if (error === undefined) readable.good()
      else {
        const at = `${file}, line ${read.line}`
        readable.bad(at, error)
        if (onError === 'stop') await sink.close()
        bad.add({ at, reason: error }, '; the rows before it were sent')
      }
      rows++
    }
    if (rows >= limit) break
  }
  await sink.close()
  if (limit > 0) readable.check(file, cure)
  bad.end(rows)
}

/** What is wrong with the row, or undefined when it was sent. A log that fails is no fault of the row. */
async function tryToSend(send: () => Promise<void>): Promise<string | undefined> {
  try {
    await send()
    return undefined
  } catch (error) {
    if (error instanceof WeirError) throw error
    return (error as Error).message
  }
}
