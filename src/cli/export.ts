import type { Command } from 'commander'
import { readLookups } from '../adapters/model-package.ts'
import { writeTrainingTable } from '../apps/export.ts'
import { loadFeatures } from '../config/definitions.ts'
import { WeirError } from '../core/errors.ts'
import { withLookups } from '../core/features/lookups.ts'
import { generatedSource, type Source } from '../replay/source.ts'
import { configOf, count, time, wantsJson } from './flags.ts'
import { grouped, note, printJson, startProgress } from './output.ts'
import { addFileFlags, BadRows, type FileFlags, openFiles } from './source.ts'

interface Flags extends FileFlags {
  readonly out: string
  readonly events?: number
  readonly seed: number
  readonly labelsUntil: number
  readonly lookups?: string
}

export function registerExport(program: Command): void {
  const command = program
    .command('export')
    .description('write the training table: features exactly as served, and labels, as Parquet')
    .argument(
      '[files...]',
      'history of payments: .csv, .jsonl (either also .gz), .avro, .parquet, globs, or -',
    )
    .requiredOption('--out <file>', 'the Parquet file to write')
  addFileFlags(command, 'stop')
    .option('--events <n>', 'in place of files: so many generated payments', count)
    .option('--seed <n>', 'seed for --events', count, 1)
    .option(
      '--labels-until <time>',
      'labels known by then, ISO 8601 (default: all)',
      time,
      Number.POSITIVE_INFINITY,
    )
    .option('--lookups <file>', 'columns of learned tables after the features (docs/models.md)')
    .action(async (files: string[], flags: Flags, command: Command) => {
      const { config } = configOf(command)
      const looked = flags.lookups === undefined ? null : await readLookups(flags.lookups)
      const features = withLookups(loadFeatures(config.features), looked?.lookups ?? null)
      const source = sourceOf(files, flags, config.topics.partitions)
      const progress = startProgress('rows', flags.events ?? Number.POSITIVE_INFINITY)
      const bad = new BadRows(flags.onError)
      const { out, labelsUntil } = flags
      const written = await writeTrainingTable(out, source, features, labelsUntil, looked?.text ?? null, {
        onRejected: (row) => bad.add(row),
        onRows: progress.add,
        onFraction: progress.reach,
      })
      const { seconds } = progress.stop()
      source.notes().forEach(note)
      bad.end(written.rows + bad.count)
      const summary = { ...written, feature_hash: features.hash, out }
      if (wantsJson(command)) return printJson(summary)
      note(
        `${grouped(written.rows)} rows, ${grouped(written.frauds)} of them fraud, in ${seconds.toFixed(1)} s: ${out}`,
      )
    })
}

function sourceOf(files: readonly string[], flags: Flags, partitions: number): Source {
  const { events, seed } = flags
  if ((files.length === 0) === (events === undefined)) {
    throw new WeirError('WEIR_CLI_USAGE', 'export takes either files or --events', {
      cure: 'weir export payments.jsonl --labels labels.jsonl --out table.parquet, or weir export --events 100000 --out table.parquet',
    })
  }
  if (events === undefined) return openFiles(files, flags, partitions)
  return generatedSource({ events, seed, partitions })
}
