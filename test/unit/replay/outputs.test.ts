import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet'
import { afterAll, expect, it } from 'vitest'
import { writeTrainingTable } from '../../../src/apps/export.ts'
import { loadFeatures } from '../../../src/config/definitions.ts'
import type { Decision } from '../../../src/core/types.ts'
import { generate } from '../../../src/generator/generate.ts'
import type { DecidedChunk } from '../../../src/replay/decided-chunk.ts'
import { createDecisionsFolder, type Ruled } from '../../../src/replay/decisions-folder.ts'
import { readDecisionTable } from '../../../src/replay/decisions-table.ts'
import { createScoresFile } from '../../../src/replay/scores-file.ts'
import { generatedSource } from '../../../src/replay/source.ts'

const folder = mkdtempSync(join(tmpdir(), 'weir-outputs-'))
afterAll(() => rmSync(folder, { recursive: true }))
const at = (name: string) => join(folder, name)

const payments = [...generate({ seed: 5, events: 200 })].flatMap((item) =>
  item.kind === 'transaction' ? [item.transaction] : [],
)
const verdict = { score: 0.25, risk_score: 250, outcome: 'approve', status: 'decided' } as unknown as Decision
const champion = { name: 'champion', rules: null } as unknown as Ruled
const chunk: DecidedChunk = {
  arrivals: payments.map((transaction) => ({
    transaction,
    duplicateOf: -1,
  })) as unknown as DecidedChunk['arrivals'],
  rows: new Float32Array(0),
  amounts: Float64Array.from(payments, () => 1.5),
  truths: payments.map((_, i) =>
    i % 2 === 0 ? null : { fraud: true, fraud_type: null, before: [], observed_time: 1_700_000_000_123 + i },
  ),
  decisions: [payments.map(() => verdict)],
}

/** What is written beside this place meets a full disk. */
function fullDisk(name: string): string {
  symlinkSync('/dev/full', at(`${name}.part`))
  return at(name)
}
const diskFull = (name: string) =>
  expect.objectContaining({
    code: 'WEIR_CLI_INPUT',
    message: expect.stringMatching(new RegExp(`^cannot write .*${name}: ENOSPC`)),
    cure: expect.stringContaining('free space'),
  })

it('the file of scores appears at its end, and goes on where it stood', async () => {
  const whole = createScoresFile(at('whole.csv'), ['champion'], null)
  await whole.write(chunk)
  const state = whole.state()
  expect(existsSync(at('whole.csv'))).toBe(false)
  await whole.write(chunk)
  await whole.close()
  const bytes = readFileSync(at('whole.csv'))
  expect(bytes.toString().split('\n')).toHaveLength(2 * payments.length + 2)

  // Failed after its end, then resumed.
  const again = createScoresFile(at('whole.csv'), ['champion'], state)
  await again.write(chunk)
  await again.close()
  expect(readFileSync(at('whole.csv')).equals(bytes)).toBe(true)

  writeFileSync(at('short.csv.part'), 'transaction_id\n')
  expect(() => createScoresFile(at('short.csv'), ['champion'], state)).toThrow('which is not whole')
  expect(() => createScoresFile(folder, ['champion'], null)).toThrow('it is a folder')
  expect(() => createScoresFile('/dev/null', ['champion'], null)).toThrow('it is no file')
  expect(() => createScoresFile(fullDisk('full.csv'), ['champion'], null)).toThrow(diskFull('full.csv'))
})

it('decisions of a replay read back, and a full disk leaves nothing half', async () => {
  mkdirSync(at('decisions'))
  const sink = createDecisionsFolder(at('decisions'), [champion], null)
  await sink.write(chunk)
  await sink.close()
  const table = await readDecisionTable(at('decisions'), sink.parts())
  expect([...table.eventTime]).toEqual(payments.map(({ event_time }) => event_time))
  expect([...table.labelKnownTime]).toEqual(chunk.truths.map((truth) => truth?.observed_time ?? Number.NaN))

  mkdirSync(at('full'))
  fullDisk('full/decisions-00000.parquet')
  const full = createDecisionsFolder(at('full'), [champion], null)
  await full.write(chunk)
  expect(() => full.close()).toThrow(diskFull('decisions-00000.parquet'))
  expect(readdirSync(at('full'))).toEqual([])
})

it('a training table appears whole or not at all', async () => {
  const source = generatedSource({ events: 500, seed: 1, partitions: 2 })
  const features = loadFeatures('features.yaml')
  const write = (path: string, onRows = (_: number) => {}) =>
    writeTrainingTable(path, source, features, Number.POSITIVE_INFINITY, null, { onRejected() {}, onRows })
  mkdirSync(at('table'))
  await write(at('table/t.parquet'))
  const bytes = readFileSync(at('table/t.parquet'))
  const stopping = write(at('table/t.parquet'), () => {
    throw new Error('stop')
  })
  await expect(stopping).rejects.toThrow('stop')
  expect(readFileSync(at('table/t.parquet')).equals(bytes)).toBe(true)
  await expect(write(fullDisk('table/full.parquet'))).rejects.toThrow(diskFull('full.parquet'))
  await expect(write(at('absent/t.parquet'))).rejects.toMatchObject({
    cure: expect.stringContaining('folder'),
  })
  expect(readdirSync(at('table'))).toEqual(['t.parquet'])
})

it('times of decisions are timestamps to other tools', async () => {
  const file = await asyncBufferFromFile(at('decisions/decisions-00000.parquet'))
  const [first, second] = await parquetReadObjects({ file, columns: ['event_time', 'label_known_time'] })
  expect(first).toEqual({ event_time: new Date(payments[0]?.event_time as number), label_known_time: null })
  expect(second?.['label_known_time']).toEqual(new Date(1_700_000_000_124))
})
