import type { Label } from '../core/types.ts'
import { type EventTimeLimits, type Unchecked, validateLabel, validateTransaction } from '../core/validate.ts'
import { fieldsReader, type Row } from './cells.ts'
import { contractFields, contractMapping, loadMapping } from './contract.ts'
import { columnsOfCells, type Mapped, type Mapping, rowMapper } from './mapping.ts'

/** Times lie as far back as the file does; the limits are for live traffic. */
export const anyTime: EventTimeLimits = {
  eventTimePastMs: Number.POSITIVE_INFINITY,
  eventTimeFutureMs: Number.POSITIVE_INFINITY,
}

/** What to do with a file of payments of which nothing can be read. */
export const paymentsAdvice =
  'check that these are payments, and that the mapping, --map, is the one for them'

/** Reads the payment of a row, and the label that the mapping makes of it. It throws an Error that tells what is wrong. */
export function paymentReader(mapping: Mapping): (row: Row, line: number) => Mapped {
  const map = rowMapper(mapping)
  return (row, line) => {
    const mapped = map(row, line)
    const checked = validateTransaction(mapped.transaction, mapped.transaction.event_time, anyTime)
    if (!checked.ok) throw new Error(checked.rejection.message)
    return mapped
  }
}

const labelCells = contractFields('label.avsc')
const labelFields = fieldsReader(labelCells)

/** The columns of a file of labels; false: rows may lack it. */
export const labelColumns: ReadonlyMap<string, boolean> = columnsOfCells(Object.values(labelCells))

/** The label of a row whose columns are the contract's fields. Throws an Error that tells what is wrong. */
export function labelOf(row: Row, line: number): Label {
  const label = labelFields(row, line) as unknown as Label
  const checked = validateLabel(label as Unchecked<Label>, label.observed_time, anyTime)
  if (!checked.ok) throw new Error(checked.rejection.message)
  return label
}

/** `--map NAME`, or a file whose columns are the fields of the contract. */
export const mappingOf = (name: string | undefined): Mapping =>
  name === undefined ? contractMapping() : loadMapping(name)
