import type { Column, TableRow } from '../files/table.ts'
import type { PartitionAccount } from './account.ts'

const number = (name: string): Column => ({ name, type: 'number' })
const text = (name: string): Column => ({ name, type: 'text' })

/** Of the table with a row for each partition; codes as JSON. */
export const accountColumns: readonly Column[] = [
  ...['partition', 'from', 'to', 'first', 'records', 'gaps', 'gaps_answered', 'decisions', 'duplicates'].map(
    number,
  ),
  ...['degraded', 'dead_letters', 'skipped', 'missing', 'double', 'out_of_order', 'stray', 'unproven'].map(
    number,
  ),
  ...['expected', 'found', 'missing', 'double', 'stray', 'unproven'].map((name) => number(`alerts_${name}`)),
  text('codes'),
]

export function accountRow({ codes, alerts, ...numbers }: PartitionAccount): TableRow {
  const ofAlerts = Object.entries(alerts).map(([name, value]) => [`alerts_${name}`, value])
  return { ...numbers, ...Object.fromEntries(ofAlerts), codes: JSON.stringify(codes) }
}

/** Of the table with a row for each offset: see Fate. */
export const fateColumns: readonly Column[] = [
  number('partition'),
  number('offset'),
  text('fate'),
  text('status'),
  text('outcome'),
  text('code'),
  number('alerts'),
]
