import { type Command, Option } from 'commander'
import { withConnection } from '../apps/connect.ts'
import { WeirError } from '../core/errors.ts'
import type { Row } from '../files/cells.ts'
import { labelOf, mappingOf, paymentReader } from '../files/payments.ts'
import { readRows } from '../files/rows.ts'
import { configOf, count } from './flags.ts'
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
      const { config } = configOf(command)
      const futureMs = config.limits.event_time_future_ms
      const send = flags.as === 'labels' ? labelSender(futureMs) : paymentSender(flags.map, futureMs)
      await withConnection(config, async (connection) => {
        const progress = startProgress('records', flags.limit)
        try {
          const sink = await createTopicSink(connection, config.topics, { rate: flags.rate, progress })
          await produce(file, flags, send, flags.map === undefined ? sink : holdLabels(sink), progress)
        } finally {
          const { count: sent, seconds } = progress.stop()
          note(`${grouped(sent)} records in ${seconds.toFixed(1)} s`)
        }
      })
    })
}

/** Sends what a row says; throws an Error that tells what is wrong with the row. */
type Send = (row: Row, line: number, sink: Sink) => Promise<void>

function paymentSender(map: string | undefined, futureMs: number): Send {
  const paymentOf = paymentReader(mappingOf(map))
  return async (row, line, sink) => {
    const { transaction, label } = paymentOf(row, line)
    refuseFuture('event_time', transaction.event_time, futureMs)
    if (label !== null) refuseFuture("observed_time of the row's label", label.observed_time, futureMs)
    await sink.transaction(transaction, transaction.event_time)
    if (label !== null) await sink.label(label, label.observed_time)
  }
}

function labelSender(futureMs: number): Send {
  return async (row, line, sink) => {
    const label = labelOf(row, line)
    refuseFuture('observed_time', label.observed_time, futureMs)
    await sink.label(label, label.observed_time)
  }
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
  send: Send,
  sink: Sink,
  progress: Progress,
): Promise<void> {
  const bad = new BadRows(onError)
  let rows = 0
  for await (const batch of readRows(file, { onFraction: progress.reach })) {
    for (const read of batch.slice(0, limit - rows)) {
      const error = 'error' in read ? read.error : await tryToSend(() => send(read.row, read.line, sink))
      if (error !== undefined) {
        if (onError === 'stop') await sink.close()
        bad.add({ at: `${file}, line ${read.line}`, reason: error }, '; the rows before it were sent')
      }
      rows++
    }
    if (rows >= limit) break
  }
  await sink.close()
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
