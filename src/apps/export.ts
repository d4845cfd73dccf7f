import { createTrainingTable, type TrainingRow } from '../adapters/parquet-table.ts'
import { currencyFactor, type Enriched } from '../core/enrich.ts'
import type { CompiledFeatures } from '../core/features/compile.ts'
import { convertedAmount } from '../core/features/event.ts'
import { History } from '../core/history.ts'
import type { Arrival } from '../core/parties.ts'
import type { Label } from '../core/types.ts'
import type { HistoryItem, Source } from '../replay/source.ts'

type Known = Pick<Label, 'fraud' | 'observed_time' | 'fraud_type'>

/**
 * What became known of each labelled transaction: the last label before the cut-off.
 *
 * @param cutOff epoch milliseconds; labels observed later are not known yet.
 */
async function collectLabels(source: Source, cutOff: number): Promise<Map<string, Known>> {
  const known = new Map<string, Known>()
  for await (const labels of source.labels()) {
    for (const { transaction_id, fraud, observed_time, fraud_type } of labels) {
      if (observed_time <= cutOff) known.set(transaction_id, { fraud, observed_time, fraud_type })
    }
  }
  return known
}

/** Of a table that was written. */
export interface Exported {
  readonly rows: number
  readonly frauds: number
  readonly labels: number
}

export interface ExportProgress {
  /** Called for each row of the source that cannot be read; what it throws ends the export. */
  onRejected(row: Extract<HistoryItem, { kind: 'rejected' }>): void
  /** Called for so many payments more. */
  onRows(count: number): void
  onFraction?(done: number): void
}

/**
 * Writes the training table: features by the code that serves them, point in time, in one pass. States live in memory:
 * some kilobytes a customer and entity. Duplicates and currencies without a rate give no row.
 *
 * @param cutOff see `collectLabels`.
 * @param lookups text of the lookups that the last columns come from.
 */
export async function writeTrainingTable(
  path: string,
  source: Source,
  features: CompiledFeatures,
  cutOff: number,
  lookups: string | null,
  { onRejected, onRows, onFraction }: ExportProgress,
): Promise<Exported> {
  const known = await collectLabels(source, cutOff)
  const states = new History(features)
  const table = createTrainingTable(path, features, lookups)
  const written = { rows: 0, frauds: 0, labels: known.size }
  let chunk: Arrival[] = []
  let own = new Map<string, Known>()
  const flush = (): void => {
    if (chunk.length === 0) return
    for (const row of rowsOf(states.enrich(chunk), (id) => known.get(id) ?? own.get(id), features)) {
      table.add(row)
      written.rows++
      if (row.label) written.frauds++
    }
    onRows(chunk.length)
    chunk = []
    own = new Map()
  }
  for await (const items of source.items(onFraction)) {
    for (const item of items) {
      if (item.kind === 'rejected') onRejected(item)
      else if (item.kind === 'label') {
        flush()
        states.apply(item.label)
      } else if (currencyFactor(features, item.transaction.currency) !== undefined) {
        chunk.push(item)
        const { label } = item
        if (label === null || label.observed_time > cutOff) continue
        own.set(label.transaction_id, label)
        if (!known.has(label.transaction_id)) written.labels++
      }
    }
    flush()
  }
  table.close()
  return written
}

function* rowsOf(
  { arrivals, rows }: Enriched,
  known: (transactionId: string) => Known | undefined,
  features: CompiledFeatures,
): Generator<TrainingRow, void, undefined> {
  const width = features.names.length
  for (const [row, { transaction, duplicateOf }] of arrivals.entries()) {
    if (duplicateOf >= 0) continue
    const label = known(transaction.transaction_id)
    const factor = currencyFactor(features, transaction.currency) as number
    yield {
      transaction,
      amount: convertedAmount(transaction, factor) / 100,
      features: rows.subarray(row * width, (row + 1) * width),
      label: label?.fraud ?? false,
      label_known_time: label?.observed_time ?? null,
      fraud_type: label?.fraud === true ? label.fraud_type : null,
    }
  }
}
