import { z } from 'zod'
import { dayMs } from '../core/days.ts'
import { claimants } from '../core/labels-view.ts'
import type { Label, Transaction } from '../core/types.ts'
import { type Cell, cell, cellReader, fieldsReader, partsOf, type Row } from './cells.ts'

const unmapped = cell.default({ constant: null })

const transactionFields = z.strictObject({
  transaction_id: cell,
  event_time: cell,
  customer_id: cell,
  amount_minor: cell,
  currency: cell,
  merchant_id: cell,
  type: cell.default({ constant: 'purchase' }),
  channel: cell.default({ constant: 'pos' }),
  entry_mode: unmapped,
  merchant_name: unmapped,
  mcc: unmapped,
  terminal_id: unmapped,
  device_id: unmapped,
  ip: unmapped,
  country: unmapped,
  latitude: unmapped,
  longitude: unmapped,
  utc_offset_minutes: unmapped,
  card_token: unmapped,
  card_bin: unmapped,
  card_last4: unmapped,
  counterparty_id: unmapped,
  email_hash: unmapped,
  description: unmapped,
})

/** A mapping file: which column of a foreign file is which field of the contract. See mappings/handbook.yaml. */
export const mappingSchema = z.strictObject({
  transaction: transactionFields,
  /** Present: rows also make labels. */
  label: z
    .strictObject({
      /** True makes a label, false makes none. */
      fraud: cell,
      fraud_type: unmapped,
      source: z.enum([...claimants, 'issuer']).default('analyst'),
      /** Days from the payment to the moment at which its fraud became known. */
      delay_days: z.number().min(0),
    })
    .optional(),
  /** What `weir train`, `weir replay` and `weir export` take when nothing else is said; paths from the mapping file. */
  defaults: z
    .strictObject({
      features: z.string().optional(),
      policy: z.string().optional(),
      recipe: z.string().optional(),
    })
    .optional(),
})

export type Mapping = z.output<typeof mappingSchema>

export interface Mapped {
  readonly transaction: Transaction
  readonly label: Label | null
}

/** Makes a payment, and where it is known to be fraud its label, of a row. It throws an Error that names the column. */
export function rowMapper({ transaction: fields, label }: Mapping): (row: Row, line: number) => Mapped {
  const readTransaction = fieldsReader(fields)
  if (label === undefined)
    return (row, line) => ({ transaction: readTransaction(row, line) as unknown as Transaction, label: null })
  const isFraud = cellReader(label.fraud)
  const readType = cellReader(label.fraud_type)
  const delayMs = Math.round(label.delay_days * dayMs)
  return (row, line) => {
    const transaction = readTransaction(row, line) as unknown as Transaction
    if (isFraud(row, line) !== true) return { transaction, label: null }
    const { transaction_id, customer_id, merchant_id, terminal_id, device_id, event_time } = transaction
    return {
      transaction,
      label: {
        label_id: transaction_id,
        transaction_id,
        customer_id,
        merchant_id,
        terminal_id,
        device_id,
        fraud: true,
        state: 'reported',
        source: label.source,
        fraud_type: readType(row, line) as string | null,
        effective_time: event_time,
        observed_time: event_time + delayMs,
      },
    }
  }
}

/** The columns that a mapping reads; false: rows may lack it. */
export function columnsOf({ transaction, label }: Mapping): Map<string, boolean> {
  return columnsOfCells([
    ...Object.values(transaction),
    ...(label === undefined ? [] : [label.fraud, label.fraud_type]),
  ])
}

/** The columns that cells read; false: rows may lack it. */
export function columnsOfCells(cells: readonly Cell[]): Map<string, boolean> {
  const columns = new Map<string, boolean>()
  const add = (column: string, needed: boolean) => columns.set(column, needed || columns.get(column) === true)
  for (const cell of cells) {
    if (typeof cell === 'string') add(cell, true)
    else if ('column' in cell) add(cell.column, !cell.optional)
    else if ('template' in cell) for (const { column } of partsOf(cell.template)) add(column, !cell.optional)
  }
  return columns
}
