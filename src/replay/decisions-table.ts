import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  asyncBufferFromFile,
  type ColumnData,
  type FileMetaData,
  parquetMetadataAsync,
  parquetRead,
} from 'hyparquet'
import { sha256 } from '../config/definitions.ts'
import { WeirError } from '../core/errors.ts'
import {
  type CandidateColumns,
  type DecisionTable,
  type HeldLabel,
  segmentFields,
  type TextColumn,
} from '../core/evaluation/decision-table.ts'
import { outcomes } from '../core/types.ts'
import { candidateColumns, labelsBefore, type Part as WrittenPart } from './decisions-folder.ts'

/** Event times, epoch milliseconds: from `from` up to `to`, without it. */
export interface Window {
  readonly from: number
  readonly to: number
}

const always: Window = { from: Number.NEGATIVE_INFINITY, to: Number.POSITIVE_INFINITY }

/**
 * Reads what a replay left in its folder, but for duplicates, which the first decision stands for. Some 60 bytes a
 * payment and 11 a candidate are held in memory.
 *
 * @param files that replay.json names.
 * @throws WeirError WEIR_CLI_INPUT where one of them is missing, or another than was written.
 */
export async function readDecisionTable(
  folder: string,
  files: readonly WrittenPart[],
  window: Window = always,
): Promise<DecisionTable> {
  const parts: Part[] = []
  for (const file of files) parts.push(await openPart(folder, file))
  const rows = parts.reduce((sum, { metadata }) => sum + Number(metadata.num_rows), 0)
  const kept = await keptRows(parts, rows, window)
  const numbers = async <T extends NumberArray>(column: string, into: T, of: (value: unknown) => number) => {
    await eachValue(parts, column, (value, row) => {
      const place = kept.places[row] as number
      if (place >= 0) into[place] = of(value)
    })
    return into
  }
  const texts = (column: string) => readTexts(parts, column, kept)
  const size = kept.rows
  const candidates: CandidateColumns[] = []
  for (const name of candidateNames(parts)) {
    const columns = candidateColumns(name)
    candidates.push({
      name,
      score: await numbers(columns.score, new Float64Array(size), Number),
      riskScore: await numbers(columns.riskScore, new Int16Array(size), Number),
      outcome: await numbers(columns.outcome, new Uint8Array(size), (value) =>
        outcomes.indexOf(value as never),
      ),
      rules: hasColumn(parts, columns.rulesHit)
        ? { hit: await texts(columns.rulesHit), without: await texts(columns.outcomesWithout) }
        : null,
    })
  }
  const segments: Partial<Record<(typeof segmentFields)[number], TextColumn>> = {}
  for (const field of segmentFields) segments[field] = await texts(field)
  return {
    rows: size,
    eventTime: await numbers('event_time', new Float64Array(size), Number),
    amount: await numbers('amount', new Float64Array(size), Number),
    customer: (await texts('customer_id')).codes,
    fraud: await numbers('fraud', new Uint8Array(size), Number),
    labelKnownTime: await numbers('label_known_time', new Float64Array(size), (value) =>
      value === null || value === undefined ? Number.NaN : Number(value),
    ),
    labelBefore: await readBefore(parts, kept),
    segments: segments as DecisionTable['segments'],
    candidates,
  }
}

type NumberArray = Float64Array | Int16Array | Uint8Array

interface Part {
  readonly file: Awaited<ReturnType<typeof asyncBufferFromFile>>
  readonly metadata: FileMetaData
}

async function openPart(folder: string, { file: name, sha256: expected }: WrittenPart): Promise<Part> {
  const path = join(folder, name)
  try {
    if (sha256(readFileSync(path)) !== expected) throw new Error('it is not the file that replay.json names')
    const file = await asyncBufferFromFile(path)
    return { file, metadata: await parquetMetadataAsync(file) }
  } catch (cause) {
    throw new WeirError('WEIR_CLI_INPUT', `cannot read ${path}: ${(cause as Error).message}`, {
      cure: 'replay again',
      cause,
    })
  }
}

/** Calls `use` with each value of a column; rows count through all parts. */
async function eachValue(
  parts: readonly Part[],
  column: string,
  use: (value: unknown, row: number) => void,
): Promise<void> {
  let first = 0
  for (const { file, metadata } of parts) {
    const onChunk = ({ columnData, rowStart }: ColumnData) => {
      for (let i = 0; i < columnData.length; i++) use(columnData[i], first + rowStart + i)
    }
    await parquetRead({ file, metadata, columns: [column], onChunk })
    first += Number(metadata.num_rows)
  }
}

/** Where each row goes; -1 for a duplicate, or one outside the window. */
interface Kept {
  readonly rows: number
  readonly places: Int32Array
}

async function keptRows(parts: readonly Part[], rows: number, { from, to }: Window): Promise<Kept> {
  const places = new Int32Array(rows)
  await eachValue(parts, 'event_time', (time, row) => {
    places[row] = Number(time) >= from && Number(time) < to ? 0 : -1
  })
  let kept = 0
  await eachValue(parts, 'duplicate', (duplicate, row) => {
    places[row] = places[row] === -1 || duplicate === true ? -1 : kept++
  })
  return { rows: kept, places }
}

async function readTexts(parts: readonly Part[], column: string, kept: Kept): Promise<TextColumn> {
  const codes = new Int32Array(kept.rows)
  const known = new Map<string, number>()
  await eachValue(parts, column, (value, row) => {
    const place = kept.places[row] as number
    if (place < 0) return
    if (typeof value !== 'string') {
      codes[place] = -1
      return
    }
    let code = known.get(value)
    if (code === undefined) {
      code = known.size
      known.set(value, code)
    }
    codes[place] = code
  })
  return { values: [...known.keys()], codes }
}

const hasColumn = ([first]: readonly Part[], column: string): boolean =>
  first?.metadata.schema.some(({ name }) => name === column) ?? false

/** Folders of before a replay knew it have no such column. */
async function readBefore(parts: readonly Part[], { places }: Kept): Promise<DecisionTable['labelBefore']> {
  const before = new Map<number, readonly HeldLabel[]>()
  if (!hasColumn(parts, labelsBefore)) return before
  await eachValue(parts, labelsBefore, (value, row) => {
    const place = places[row] as number
    if (place < 0 || typeof value !== 'string') return
    const held = JSON.parse(value) as [number, boolean][]
    before.set(
      place,
      held.map(([knownTime, fraud]) => ({ knownTime, fraud })),
    )
  })
  return before
}

function candidateNames([first]: readonly Part[]): string[] {
  const columns = first?.metadata.schema.map(({ name }) => name) ?? []
  return columns.flatMap((name) =>
    name.endsWith('.risk_score') ? [name.slice(0, -'.risk_score'.length)] : [],
  )
}
