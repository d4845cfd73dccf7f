import { readListChanges } from '../config/control-texts.ts'
import type { Config } from '../config/schema.ts'
import { bodyOf } from '../core/control.ts'
import { unlessRefused, WeirError } from '../core/errors.ts'
import { ListBook, type ListChange, type ListEntry, strengths } from '../core/lists.ts'
import { listNames, listTypes } from '../core/verdict.ts'
import type { Row } from '../files/cells.ts'
import { parseTime } from '../files/conversions.ts'
import { readRows } from '../files/rows.ts'
import { readChanges } from '../stream/control-changes.ts'
import type { Connection } from './connect.ts'
import { type Author, publishChange } from './control.ts'

/** One record of the control topic holds no more. */
const changesARecord = 2_000

/** The lists as the control topic has them now. */
export async function readLists({ log, contracts }: Connection, { topics }: Config): Promise<ListBook> {
  let book = ListBook.empty
  for await (const changes of readChanges(log, topics.control, contracts.control, 0)) {
    const listed = changes.flatMap(({ control }) => (control?.kind === 'list' ? control : []))
    // What cannot be read changes nothing.
    book = book.with(listed.flatMap((one) => unlessRefused(() => readListChanges(bodyOf(one))) ?? []))
  }
  return book
}

/** Of changes, those that take away what does not stand on the lists: nothing comes of them. */
export async function absentOf(
  connection: Connection,
  config: Config,
  changes: readonly ListChange[],
): Promise<readonly ListChange[]> {
  const removals = changes.filter(({ op }) => op === 'remove')
  if (removals.length === 0) return removals
  const book = await readLists(connection, config)
  return removals.filter((removal) => book.with([removal]).size === book.size)
}

/**
 * Sends changes of lists to all members.
 *
 * @throws WeirError WEIR_CONTROL_REFUSED that names the first that cannot be made; then none was sent.
 */
export async function publishLists(
  connection: Connection,
  config: Config,
  changes: readonly ListChange[],
  by: Author,
): Promise<void> {
  const bodies: string[] = []
  for (let at = 0; at < changes.length; at += changesARecord) {
    const body = JSON.stringify({ changes: changes.slice(at, at + changesARecord) })
    readListChanges(body)
    bodies.push(body)
  }
  for (const [i, body] of bodies.entries()) {
    const version = `${i + 1} of ${bodies.length}`
    await publishChange(connection, config, { ...by, kind: 'list', name: 'lists', version, body })
  }
}

/**
 * Entries of a file with the columns list, type and value, and where wanted strength, expires (ISO 8601) and reason.
 *
 * @throws WeirError WEIR_CLI_INPUT that names the line.
 */
export async function entriesOfFile(path: string, who: string): Promise<ListChange[]> {
  const changes: ListChange[] = []
  for await (const rows of readRows(path)) {
    for (const one of rows) {
      if ('error' in one) throw unfit(path, one.line, one.error)
      changes.push({ op: 'add', ...entryOf(one.row, path, one.line), who })
    }
  }
  return changes
}

function entryOf(row: Row, path: string, line: number): Omit<ListEntry, 'who'> {
  const text = (name: string): string => String(row[name] ?? '').trim()
  const among = <Name extends string>(name: string, known: readonly Name[], given: string): Name => {
    const found = known.find((one) => one === given)
    if (found !== undefined) return found
    throw unfit(path, line, `${name} is not one of ${known.join(', ')}`)
  }
  const expires = text('expires') === '' ? null : parseTime(text('expires'))
  if (expires === undefined) throw unfit(path, line, 'expires is not ISO 8601')
  return {
    list: among('list', listNames, text('list')),
    type: among('type', listTypes, text('type')),
    value: text('value'),
    strength: among('strength', strengths, text('strength') || 'overridable'),
    expires,
    reason: text('reason'),
  }
}

const unfit = (path: string, line: number, what: string): WeirError =>
  new WeirError('WEIR_CLI_INPUT', `${path}, line ${line}: ${what}`, {
    cure: 'mend the line; nothing was sent. docs/decisioning.md says what entries are',
  })
