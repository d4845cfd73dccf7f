import type { HistoryItem } from '../apps/export.ts'
import { WeirError } from '../core/errors.ts'
import type { Label } from '../core/types.ts'
import { type EventTimeLimits, type Unchecked, validateLabel, validateTransaction } from '../core/validate.ts'
import { contractFields, contractMapping, loadMapping } from './contract.ts'
import { type Mapped, type Mapping, mapRow, type Row, readFields } from './mapping.ts'
import { readRows } from './rows.ts'

/** Times lie as far back as the file does; the limits are for live traffic. */
const anyTime: EventTimeLimits = {
  eventTimePastMs: Number.POSITIVE_INFINITY,
  eventTimeFutureMs: Number.POSITIVE_INFINITY,
}

/** The payment of a row, and the label that the mapping makes of it. Throws an Error that tells what is wrong. */
export function paymentOf(mapping: Mapping, row: Row): Mapped {
  const mapped = mapRow(mapping, row)
  const checked = validateTransaction(mapped.transaction, mapped.transaction.event_time, anyTime)
  if (!checked.ok) throw new Error(checked.rejection.message)
  return mapped
}

const labelFields = contractFields('label.avsc')

/** The label of a row whose columns are the contract's fields. Throws an Error that tells what is wrong. */
export function labelOf(row: Row): Label {
  const label = readFields(labelFields, row) as unknown as Label
  const checked = validateLabel(label as Unchecked<Label>, label.observed_time, anyTime)
  if (!checked.ok) throw new Error(checked.rejection.message)
  return label
}

/** `--map NAME`, or a file whose columns are the fields of the contract. */
export const mappingOf = (name: string | undefined): Mapping =>
  name === undefined ? contractMapping() : loadMapping(name)

/**
 * The payments of a file in its order, and between them the labels when they became known: those that the mapping
 * makes, and those of a second file in order of observed_time.
 *
 * @throws WeirError WEIR_CLI_INPUT that names the line of the first bad row.
 */
export async function* readHistory(
  file: string,
  { map, labels }: { readonly map?: string | undefined; readonly labels?: string | undefined },
): AsyncGenerator<HistoryItem, void, undefined> {
  const mapping = mappingOf(map)
  const labelRows = labels === undefined ? null : readFile(labels, labelOf)
  let fromFile = await labelRows?.next()
  let made: Label[] = []
  for await (const { transaction, label } of readFile(file, (row) => paymentOf(mapping, row))) {
    for (
      ;
      fromFile?.value && fromFile.value.observed_time <= transaction.event_time;
      fromFile = await labelRows?.next()
    ) {
      yield { label: fromFile.value }
    }
    const waiting = made.findIndex(({ observed_time }) => observed_time > transaction.event_time)
    const due = waiting === -1 ? made.length : waiting
    if (due > 0) {
      for (const one of made.slice(0, due)) yield { label: one }
      made = made.slice(due)
    }
    yield { transaction }
    if (label !== null) made.push(label)
  }
  for (const one of made) yield { label: one }
  for (; fromFile?.value; fromFile = await labelRows?.next()) yield { label: fromFile.value }
}

async function* readFile<T>(path: string, read: (row: Row) => T): AsyncGenerator<T, void, undefined> {
  for await (const found of readRows(path)) {
    try {
      if ('error' in found) throw new Error(found.error)
      yield read(found.row)
    } catch (error) {
      throw new WeirError('WEIR_CLI_INPUT', `${path}, line ${found.line}: ${(error as Error).message}`, {
        cure: 'mend the row or the mapping',
      })
    }
  }
}
