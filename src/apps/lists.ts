import { mistakesOf, readListChanges } from '../config/control-texts.ts'
import { hint } from '../config/definitions.ts'
import type { Config } from '../config/schema.ts'
import { bodyOf } from '../core/control.ts'
import { unlessRefused, WeirError } from '../core/errors.ts'
import { ListBook, type ListChange, strengths } from '../core/lists.ts'
import { listNames, listTypes } from '../core/verdict.ts'
import type { Row } from '../files/cells.ts'
import { parseTime } from '../files/conversions.ts'
import { Columns } from '../files/inputs.ts'
import { readRows } from '../files/rows.ts'
import { shown } from '../files/shown.ts'
import { readChanges } from '../stream/control-changes.ts'
import type { Connection } from './connect.ts'
import { type Author, publishChange } from './control.ts'

/** One record of the control topic holds no more: with the longest texts, 2,444 bytes each, they keep to Kafka's 1 MB. */
const changesARecord = 400
const mostShown = 10

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

/** Of a file of entries; false: rows may lack it. */
const entryColumns: ReadonlyMap<string, boolean> = new Map([
  ['list', true],
  ['type', true],
  ['value', true],
  ['strength', false],
  ['expires', false],
  ['reason', false],
])

/**
 * Entries of a file with the columns list, type and value, and where wanted strength, expires (ISO 8601) and reason.
 *
 * @throws WeirError WEIR_CLI_INPUT that names the lines, where one of them is no entry.
 */
export async function entriesOfFile(path: string, who: string): Promise<ListChange[]> {
  const changes: ListChange[] = []
  const mistakes: string[] = []
  let count = 0
  const onColumns = (found: readonly string[]) => {
    const unknown = unknownColumns(new Columns(entryColumns, cure).check(path, found))
    if (unknown.length > 0) throw unfit(`${path}: ${unknown.join('; ')}`)
  }
  for await (const rows of readRows(path, { onColumns })) {
    for (const one of rows) {
      const entry = 'error' in one ? one.error : entryOf(one.row, who)
      if (typeof entry !== 'string') changes.push(entry)
      else if (++count <= mostShown) mistakes.push(`${path}, line ${one.line}: ${entry}`)
    }
  }
  if (count > mostShown) mistakes.push(`and ${count - mostShown} lines more`)
  if (count > 0) throw unfit(mistakes.join('\n'))
  if (changes.length === 0) throw unfit(`${path} has no rows`)
  return changes
}

/** The entry of a row, or what is wrong with it. */
function entryOf(row: Row, who: string): ListChange | string {
  const mistakes = unknownColumns(Object.keys(row).filter((column) => !entryColumns.has(column)))
  const text = (name: string): string => String(row[name] ?? '').trim()
  const among = <Name extends string>(name: string, known: readonly Name[], given: string): Name => {
    if (!known.some((one) => one === given)) mistakes.push(`${name} is not one of ${known.join(', ')}`)
    return given as Name
  }
  const expires = text('expires') === '' ? null : parseTime(text('expires'))
  if (expires === undefined) mistakes.push('expires is not ISO 8601')
  const entry: ListChange = {
    op: 'add',
    list: among('list', listNames, text('list')),
    type: among('type', listTypes, text('type')),
    value: text('value'),
    strength: among('strength', strengths, text('strength') || 'overridable'),
    expires: expires ?? null,
    reason: text('reason'),
    who,
  }
  if (mistakes.length === 0) mistakes.push(...mistakesOf(entry))
  return mistakes.length === 0 ? entry : mistakes.join('; ')
}

/** One that is not read would make another entry than was meant: a `final` that is lost, an end that never comes. */
function unknownColumns(names: readonly string[]): string[] {
  const known = [...entryColumns.keys()]
  return names.map((name) => {
    const [meant = `; there are ${known.join(', ')}`] = hint(name, known)
    return `there is no column "${shown(name)}"${meant}`
  })
}

const cure = 'mend the file; nothing was sent. docs/decisioning.md says what entries are'

const unfit = (what: string): WeirError => new WeirError('WEIR_CLI_INPUT', what, { cure })
