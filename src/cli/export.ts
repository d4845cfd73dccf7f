import type { Command } from 'commander'
import { readLookups } from '../adapters/model-package.ts'
import { type HistoryItem, writeTrainingTable } from '../apps/export.ts'
import { loadFeatures } from '../config/definitions.ts'
import { WeirError } from '../core/errors.ts'
import { withLookups } from '../core/features/lookups.ts'
import { readHistory } from '../files/history.ts'
import { generate } from '../generator/generate.ts'
import { configOf, count, time, wantsJson } from './flags.ts'
import { grouped, note, printJson, startProgress } from './output.ts'

interface Flags {
  readonly out: string
  readonly map?: string
  readonly labels?: string
  readonly events?: number
  readonly seed: number
  readonly labelsUntil: number
  readonly lookups?: string
}

export function registerExport(program: Command): void {
  program
    .command('export')
    .description('write the training table: features exactly as served, and labels, as Parquet')
    .argument('[file]', 'history of payments: .csv, .jsonl (either also .gz) or .avro, in order of arrival')
    .requiredOption('--out <file>', 'the Parquet file to write')
    .option('--map <mapping>', 'mapping file, or the name of one in mappings/')
    .option('--labels <file>', 'labels, in order of observed_time, where the mapping makes none')
    .option('--events <n>', 'in place of a file: so many generated payments', count)
    .option('--seed <n>', 'seed for --events', count, 1)
    .option(
      '--labels-until <time>',
      'labels known by then, ISO 8601 (default: all)',
      time,
      Number.POSITIVE_INFINITY,
    )
    .option('--lookups <file>', 'columns of learned tables after the features (docs/models.md)')
    .action(async (file: string | undefined, flags: Flags, command: Command) => {
      const { config } = configOf(command)
      const looked = flags.lookups === undefined ? null : await readLookups(flags.lookups)
      const features = withLookups(loadFeatures(config.features), looked?.lookups ?? null)
      const progress = startProgress('rows', flags.events ?? Number.POSITIVE_INFINITY)
      const { out, labelsUntil } = flags
      const written = await writeTrainingTable(
        out,
        historyOf(file, flags),
        features,
        labelsUntil,
        looked?.text ?? null,
        () => progress.add(1),
      )
      const { seconds } = progress.stop()
      const summary = { ...written, feature_hash: features.hash, out }
      if (wantsJson(command)) return printJson(summary)
      note(
        `${grouped(written.rows)} rows, ${grouped(written.frauds)} of them fraud, in ${seconds.toFixed(1)} s: ${out}`,
      )
    })
}

/** History can be read twice: once for what became known of each payment, once for the rows. */
function historyOf(
  file: string | undefined,
  flags: Flags,
): () => AsyncIterable<HistoryItem> | Iterable<HistoryItem> {
  const { events, seed } = flags
  if ((file === undefined) === (events === undefined)) {
    throw new WeirError('WEIR_CLI_USAGE', 'export takes either a file or --events', {
      cure: 'weir export payments.jsonl --labels labels.jsonl --out table.parquet, or weir export --events 100000 --out table.parquet',
    })
  }
  if (file !== undefined) return () => readHistory(file, flags)
  return () => generated(events as number, seed)
}

function* generated(events: number, seed: number): Generator<HistoryItem, void, undefined> {
  for (const item of generate({ events, seed })) {
    if (item.kind === 'transaction') yield { transaction: item.transaction }
    else if (item.kind === 'label') yield { label: item.label }
  }
}
