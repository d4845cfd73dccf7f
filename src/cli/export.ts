import type { Command } from 'commander'
import { readLookups } from '../adapters/model-package.ts'
import { writeTrainingTable } from '../apps/export.ts'
import { loadFeatures } from '../config/definitions.ts'
import { withLookups } from '../core/features/lookups.ts'
import { refuseOverlap } from '../files/outputs.ts'
import { mappingOf } from '../files/payments.ts'
import { configOf, count, time, wantsJson } from './flags.ts'
import { grouped, note, printJson, startProgress } from './output.ts'
import { interruptible } from './shutdown.ts'
import { addFileFlags, BadRows, filesRead, type SourceFlags, withSource } from './source.ts'

interface Flags extends SourceFlags {
  readonly out: string
  readonly labelsUntil: number
  readonly features?: string
  readonly lookups?: string
}

export function registerExport(program: Command): void {
  const command = program
    .command('export')
    .description('write the training table: features exactly as served, and labels, as Parquet')
    .argument('[source...]', 'files of payments (globs too), - for standard input, or topic')
    .requiredOption('--out <file>', 'the Parquet file to write')
  addFileFlags(command, 'stop')
    .option('--features <file>', 'feature file (default: that of the mapping, else of the configuration)')
    .option('--events <n>', 'in place of files: so many generated payments', count)
    .option('--seed <n>', 'seed for --events', count, 1)
    .option(
      '--labels-until <time>',
      'labels known by then, ISO 8601 (default: all)',
      time,
      Number.POSITIVE_INFINITY,
    )
    .option('--lookups <file>', 'columns of learned tables after the features (docs/models.md)')
    .action(async (given: string[], flags: Flags, command: Command) => {
      const { config } = configOf(command)
      const files = filesRead(given, flags)
      refuseOverlap(flags.lookups === undefined ? files : [...files, flags.lookups], [
        { flag: '--out', path: flags.out },
      ])
      const suggested = mappingOf(flags.map).defaults
      const featureFile = flags.features ?? suggested?.features ?? config.features
      const looked = flags.lookups === undefined ? null : await readLookups(flags.lookups)
      const features = withLookups(loadFeatures(featureFile), looked?.lookups ?? null)
      const progress = startProgress('rows', flags.events ?? Number.POSITIVE_INFINITY)
      const bad = new BadRows(flags.onError)
      const { out, labelsUntil } = flags
      const written = await interruptible((signal) =>
        withSource(given, flags, config, command, async (source) => {
          const table = await writeTrainingTable(out, source, features, labelsUntil, looked?.text ?? null, {
            onRejected: (row) => bad.add(row),
            onRows(rows) {
              signal.throwIfAborted()
              progress.add(rows)
            },
            onFraction: progress.reach,
          })
          source.notes().forEach(note)
          return table
        }),
      )
      const { seconds } = progress.stop()
      bad.end(written.rows + bad.count)
      const summary = { ...written, feature_hash: features.hash, out }
      if (wantsJson(command)) return printJson(summary)
      note(
        `${grouped(written.rows)} rows, ${grouped(written.frauds)} of them fraud, in ${seconds.toFixed(1)} s: ${out}`,
      )
    })
}
