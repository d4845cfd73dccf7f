import { createTrainingTable, type TrainingRow } from '../adapters/parquet-table.ts'
import { currencyFactor, type Enriched } from '../core/enrich.ts'
import type { CompiledFeatures } from '../core/features/compile.ts'
import { convertedAmount } from '../core/features/event.ts'
import { History, type PlacedLabel } from '../core/history.ts'
import type { Arrival } from '../core/parties.ts'
import type { Label, Transaction } from '../core/types.ts'

/** History in the order in which it reached the log: payments by arrival, labels when they became known. */
export type HistoryItem =
  | { readonly transaction: Transaction; readonly label?: never }
  | { readonly label: Label; readonly transaction?: never }

/** What became known of each labelled transaction: the last label before the cut-off. */
export type KnownLabels = ReadonlyMap<string, Pick<Label, 'fraud' | 'observed_time' | 'fraud_type'>>

/** @param cutOff epoch milliseconds; labels observed later are not known yet. */
async function collectLabels(
  history: AsyncIterable<HistoryItem> | Iterable<HistoryItem>,
  cutOff: number,
): Promise<KnownLabels> {
  const known = new Map<string, Pick<Label, 'fraud' | 'observed_time' | 'fraud_type'>>()
  for await (const { label } of history) {
    if (label === undefined || label.observed_time > cutOff) continue
    const { fraud, observed_time, fraud_type } = label
    known.set(label.transaction_id, { fraud, observed_time, fraud_type })
  }
  return known
}

/** Of a table that was written. */
export interface Exported {
  readonly rows: number
  readonly frauds: number
  readonly labels: number
}

/**
 * Writes the training table.
 *
 * @param history can be read twice: once for what became known of each payment, once for the rows.
 * @param cutOff see `collectLabels`.
 * @param lookups text of the lookups that the last columns come from.
 * @param onRow called for each row.
 */
export async function writeTrainingTable(
  path: string,
  history: () => AsyncIterable<HistoryItem> | Iterable<HistoryItem>,
  features: CompiledFeatures,
  cutOff: number,
  lookups: string | null,
  onRow: () => void,
): Promise<Exported> {
  const known = await collectLabels(history(), cutOff)
  const table = createTrainingTable(path, features, lookups)
  let [rows, frauds] = [0, 0]
  for await (const row of trainingRows(history(), known, features)) {
    table.add(row)
    rows++
    if (row.label) frauds++
    onRow()
  }
  table.close()
  return { rows, frauds, labels: known.size }
}

/** Payments that are enriched together. */
const chunkRecords = 1_000

/**
 * The training table: features by the code that serves them, point in time, in one pass. States live in memory: some
 * kilobytes a customer and entity. Duplicates and currencies without a rate give no row.
 */
async function* trainingRows(
  history: AsyncIterable<HistoryItem> | Iterable<HistoryItem>,
  known: KnownLabels,
  features: CompiledFeatures,
): AsyncGenerator<TrainingRow, void, undefined> {
  const states = new History(features)
  let chunk: Arrival[] = []
  let labels: PlacedLabel[] = []
  let offset = 0
  for await (const { transaction, label } of history) {
    if (label !== undefined) labels.push({ before: chunk.length, label })
    else if (currencyFactor(features, transaction.currency) !== undefined) {
      chunk.push({ partition: 0, offset: offset++, transaction })
    }
    if (chunk.length < chunkRecords) continue
    yield* rowsOf(states.enrich(chunk, labels), known, features)
    chunk = []
    labels = []
  }
  yield* rowsOf(states.enrich(chunk, labels), known, features)
}

function* rowsOf(
  { arrivals, rows }: Enriched,
  known: KnownLabels,
  features: CompiledFeatures,
): Generator<TrainingRow, void, undefined> {
  const width = features.names.length
  for (const [row, { transaction, duplicateOf }] of arrivals.entries()) {
    if (duplicateOf >= 0) continue
    const label = known.get(transaction.transaction_id)
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
