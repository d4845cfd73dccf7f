import type { SchemaElement } from 'hyparquet'
import type { CompiledFeatures } from '../core/features/compile.ts'
import type { Transaction } from '../core/types.ts'
import { createParquet, moment, text } from './parquet-file.ts'

/** Rows held in memory before they are written as one row group. */
const groupRows = 20_000

/**
 * Fields of the transaction that go into the table as they are, as tx_<field> since features have such names too: for
 * segments, embeddings and affinities.
 */
const transactionTexts = [
  'merchant_id',
  'merchant_name',
  'mcc',
  'terminal_id',
  'channel',
  'type',
  'country',
  'currency',
  'description',
] as const
const requiredTexts: ReadonlySet<string> = new Set(['merchant_id', 'channel', 'type', 'currency'])

const fixedColumns: readonly SchemaElement[] = [
  text('transaction_id', 'REQUIRED'),
  moment('event_time', 'REQUIRED'),
  text('customer_id', 'REQUIRED'),
  ...transactionTexts.map((name) => text(`tx_${name}`, requiredTexts.has(name) ? 'REQUIRED' : 'OPTIONAL')),
  { name: 'tx_amount', type: 'DOUBLE', repetition_type: 'REQUIRED' },
  { name: 'label', type: 'BOOLEAN', repetition_type: 'REQUIRED' },
  moment('label_known_time', 'OPTIONAL'),
  text('fraud_type', 'OPTIONAL'),
]

/** One row of the training table: a payment, its features as they were when it was decided, and what came out. */
export interface TrainingRow {
  readonly transaction: Transaction
  /** Major units of the reference currency. */
  readonly amount: number
  /** float32 in column order, NaN for missing: the very bits that are served. */
  readonly features: Float32Array
  /** Held to be fraud, by the last label known at the cut-off. */
  readonly label: boolean
  /** When that became known, epoch milliseconds; null for payments that nobody labelled. */
  readonly label_known_time: number | null
  readonly fraud_type: string | null
}

export interface TrainingTable {
  add(row: TrainingRow): void
  close(): void
  /** Leaves no table behind. */
  abandon(): void
}

/**
 * A Parquet file of training rows: the fixed columns, then one FLOAT column a feature, NaN for missing. The file's
 * metadata names the features in order (`weir.features`) and their hash (`weir.feature_hash`), and holds the text of the
 * lookups that the last columns come from (`weir.lookups`), so that a package trained on it takes these very ones along.
 *
 * @throws WeirError WEIR_CLI_INPUT when the file cannot be written: it appears whole or not at all.
 */
export function createTrainingTable(
  path: string,
  { names, hash }: Pick<CompiledFeatures, 'names' | 'hash'>,
  lookups: string | null,
): TrainingTable {
  const features = names.map((name): SchemaElement => ({ name, type: 'FLOAT', repetition_type: 'REQUIRED' }))
  const elements = [...fixedColumns, ...features]
  const parquet = createParquet(path, {
    schema: [{ name: 'transactions', num_children: elements.length }, ...elements],
    kvMetadata: [
      { key: 'weir.feature_hash', value: hash },
      { key: 'weir.features', value: JSON.stringify(names) },
      ...(lookups === null ? [] : [{ key: 'weir.lookups', value: lookups }]),
    ],
    createdBy: 'weir export',
  })
  let rows: TrainingRow[] = []

  function flush(): void {
    if (rows.length === 0) return
    const columnData = [
      { name: 'transaction_id', data: rows.map(({ transaction }) => transaction.transaction_id) },
      { name: 'event_time', data: rows.map(({ transaction }) => BigInt(transaction.event_time)) },
      { name: 'customer_id', data: rows.map(({ transaction }) => transaction.customer_id) },
      ...transactionTexts.map((name) => ({
        name: `tx_${name}`,
        data: rows.map(({ transaction }) => transaction[name]),
      })),
      { name: 'tx_amount', data: Float64Array.from(rows, ({ amount }) => amount) },
      { name: 'label', data: rows.map(({ label }) => label) },
      {
        name: 'label_known_time',
        data: rows.map(({ label_known_time: time }) => (time === null ? null : BigInt(time))),
      },
      { name: 'fraud_type', data: rows.map(({ fraud_type }) => fraud_type) },
      ...names.map((name, column) => ({
        name,
        data: Float32Array.from(rows, ({ features: f }) => f[column] as number),
      })),
    ]
    parquet.write(columnData)
    rows = []
  }

  return {
    add(row) {
      rows.push(row)
      if (rows.length === groupRows) flush()
    },
    close() {
      flush()
      parquet.finish()
    },
    abandon: parquet.abandon,
  }
}
