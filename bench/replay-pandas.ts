import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { findPython } from '../src/apps/python.ts'
import { currencyFactor } from '../src/core/enrich.ts'
import type { CompiledFeatures } from '../src/core/features/compile.ts'
import type { HistoryItem } from '../src/replay/source.ts'
import type { Turn } from './replay-contestants.ts'

/** A turn of pandas, and how its features compare with weir's. */
export interface PandasTurn extends Turn {
  readonly cells: number
  readonly differing: number
  /** By feature, where any differ. */
  readonly columns: Readonly<Record<string, number>>
}

export interface Pandas {
  run(): Promise<PandasTurn>
  close(): void
}

const script = join(import.meta.dirname, 'peers/pandas_features.py')

const paymentFields = [
  ...([
    'transaction_id',
    'event_time',
    'customer_id',
    'amount_minor',
    'currency',
    'type',
    'channel',
  ] as const),
  ...(['merchant_id', 'mcc', 'terminal_id', 'device_id', 'country', 'latitude', 'longitude'] as const),
  'utc_offset_minutes',
] as const
const labelFields = [
  'transaction_id',
  'merchant_id',
  'terminal_id',
  'device_id',
  'observed_time',
  'fraud',
] as const

/**
 * Lays out for pandas what weir has seen and the features that it found: text of our own making, without commas.
 *
 * @throws WeirError WEIR_TRAIN_PYTHON that says how to make the environment where there is none.
 */
export async function openPandas(
  items: readonly HistoryItem[],
  found: Float32Array,
  features: CompiledFeatures,
): Promise<Pandas> {
  const { path } = await findPython({ signal: new AbortController().signal, onLine: () => {} })
  const folder = mkdtempSync(join(tmpdir(), 'weir-bench-'))
  const payments = items.flatMap((item) => (item.kind === 'transaction' ? [item.transaction] : []))
  const labels = items.flatMap((item) => (item.kind === 'label' ? [item.label] : []))
  writeCsv(
    join(folder, 'payments.csv'),
    [...paymentFields, 'factor'],
    payments.map((one) => [
      ...paymentFields.map((name) => one[name]),
      currencyFactor(features, one.currency) as number,
    ]),
  )
  writeCsv(
    join(folder, 'labels.csv'),
    labelFields,
    labels.map((one) => labelFields.map((name) => one[name])),
  )
  writeFileSync(join(folder, 'features.f32'), found)
  writeFileSync(join(folder, 'names.json'), JSON.stringify(features.names))
  return {
    async run() {
      const { stdout } = await promisify(execFile)(path, [script, folder])
      const { cpu_seconds, ...turn } = JSON.parse(stdout) as PandasTurn & { cpu_seconds: number }
      return { ...turn, cpu_s: cpu_seconds }
    },
    close: () => rmSync(folder, { recursive: true }),
  }
}

function writeCsv(
  path: string,
  head: readonly string[],
  rows: readonly (readonly (string | number | boolean | null)[])[],
): void {
  const lines = [head, ...rows].map((row) => row.map((cell) => cell ?? '').join(','))
  writeFileSync(path, `${lines.join('\n')}\n`)
}
