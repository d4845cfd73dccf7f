import { type Command, Option } from 'commander'
import { withConnection } from '../apps/connect.ts'
import { WeirError } from '../core/errors.ts'
import { labelOf, mappingOf, paymentOf } from '../files/history.ts'
import type { Row } from '../files/mapping.ts'
import { readRows } from '../files/rows.ts'
import { configOf, count } from './flags.ts'
import { grouped, note, type Progress, startProgress } from './output.ts'
import { createTopicSink, holdLabels, type Sink } from './sink.ts'

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
    .description('send a file of payments (.csv, .jsonl, either also .gz, or .avro) to the topics')
    .argument('<file>', 'payments, one a row; record timestamps are event times')
    .option('--map <mapping>', 'mapping file, or the name of one in mappings/ (default: columns are fields)')
    .addOption(
      new Option('--as <what>', 'what rows are').choices(['transactions', 'labels']).default('transactions'),
    )
    .option('--limit <n>', 'rows to read at most', count, Number.POSITIVE_INFINITY)
    .option('--rate <n>', 'records a second; 0: as fast as possible', count, 0)
    .addOption(new Option('--on-error <do>', 'what a bad row does').choices(['stop', 'skip']).default('stop'))
    .action(async (file: string, flags: Flags, command: Command) => {
      const { config } = configOf(command)
      const send = flags.as === 'labels' ? labelSender() : paymentSender(flags.map)
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
type Send = (row: Row, sink: Sink) => Promise<void>

function paymentSender(map: string | undefined): Send {
  const mapping = mappingOf(map)
  return async (row, sink) => {
    const { transaction, label } = paymentOf(mapping, row)
    await sink.transaction(transaction, transaction.event_time)
    if (label !== null) await sink.label(label, label.observed_time)
  }
}

function labelSender(): Send {
  return async (row, sink) => {
    const label = labelOf(row)
    await sink.label(label, label.observed_time)
  }
}

const mostShown = 10

/** Sends the rows of a file. Bad ones stop it, or are shown by line and counted, at most ten of them in full. */
async function produce(
  file: string,
  { limit, onError }: Pick<Flags, 'limit' | 'onError'>,
  send: Send,
  sink: Sink,
  progress: Progress,
): Promise<void> {
  let rows = 0
  let bad = 0
  if (limit === 0) return
  for await (const read of readRows(file, progress.reach)) {
    const error = 'error' in read ? read.error : await tryToSend(send, read.row, sink)
    if (error !== undefined) {
      if (onError === 'stop') {
        await sink.close()
        throw badRow(file, read.line, error)
      }
      if (++bad <= mostShown) note(`${file}, line ${read.line}: ${error}`)
    }
    if (++rows >= limit) break
  }
  await sink.close()
  if (bad > 0) note(`${grouped(bad)} of ${grouped(rows)} rows were skipped`)
}

function badRow(file: string, line: number, error: string): WeirError {
  return new WeirError('WEIR_CLI_INPUT', `${file}, line ${line}: ${error}; the rows before it were sent`, {
    cure: 'mend the row or the mapping, or skip bad rows with --on-error skip',
  })
}

/** What is wrong with the row, or undefined when it was sent. A log that fails is no fault of the row. */
async function tryToSend(send: Send, row: Row, sink: Sink): Promise<string | undefined> {
  try {
    await send(row, sink)
    return undefined
  } catch (error) {
    if (error instanceof WeirError) throw error
    return (error as Error).message
  }
}
