import { createTrainingTable, type TrainingRow } from '../adapters/parquet-table.ts'
import type { CompiledFeatures } from '../core/features/compile.ts'
import { History } from '../core/history.ts'
import type { DecidedChunk } from '../replay/decided-chunk.ts'
import { knownBy, newTally, Pass } from '../replay/pass.ts'
import type { Source } from '../replay/source.ts'

/** Of a table that was written. */
export interface Exported {
  readonly rows: number
  readonly frauds: number
  /** Payments that somebody labelled. */
  readonly labels: number
}

export interface ExportProgress {
  /** Called for each row of the source that cannot be read; what it throws ends the export. */
  onRejected(row: { readonly at: string; readonly reason: string }): void
  /** Called for so many payments more. */
  onRows(count: number): void
  onFraction?(done: number): void
}

/**
 * Writes the training table: features by the code that serves them, point in time, in the pass of a replay without a
 * model. States live in memory: some kilobytes a customer and entity. Duplicates give no row, nor do payments that the
 * live stream would refuse.
 *
 * @param cutOff labels observed later are not known yet, epoch milliseconds.
 * @param lookups text of the lookups that the last columns come from.
 */
export async function writeTrainingTable(
  path: string,
  source: Source,
  features: CompiledFeatures,
  cutOff: number,
  lookups: string | null,
  { onRejected, onRows, onFraction = () => {} }: ExportProgress,
): Promise<Exported> {
  const known = await knownBy(cutOff, source.labels())
  const table = createTrainingTable(path, features, lookups)
  const written = { rows: 0, frauds: 0, labels: 0 }
  const pass = new Pass({
    topic: '',
    candidates: [],
    histories: [new History(features)],
    known,
    cutOff,
    limit: Number.POSITIVE_INFINITY,
    tally: newTally(),
    onDecided(chunk) {
      for (const row of rowsOf(chunk, features.names.length)) {
        table.add(row)
        written.rows++
        if (row.label) written.frauds++
        if (row.label_known_time !== null) written.labels++
      }
      onRows(chunk.arrivals.length)
    },
    onRejected: (at, reason) => onRejected({ at, reason }),
  })
  try {
    for await (const items of source.items(onFraction)) await pass.take(items)
    await pass.settle()
    table.close()
  } catch (error) {
    table.abandon()
    throw error
  }
  return written
}

function* rowsOf(
  { arrivals, rows, amounts, truths }: DecidedChunk,
  width: number,
): Generator<TrainingRow, void, undefined> {
  for (const [i, { transaction, duplicateOf }] of arrivals.entries()) {
    if (duplicateOf >= 0) continue
    const truth = truths[i] ?? null
    yield {
      transaction,
      amount: amounts[i] as number,
      features: rows.subarray(i * width, (i + 1) * width),
      label: truth?.fraud ?? false,
      label_known_time: truth?.observed_time ?? null,
      fraud_type: truth?.fraud === true ? truth.fraud_type : null,
    }
  }
}
