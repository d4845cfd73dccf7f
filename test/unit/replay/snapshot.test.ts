import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { sha256 } from '../../../src/config/definitions.ts'
import { compileFeatures } from '../../../src/core/features/compile.ts'
import { History } from '../../../src/core/history.ts'
import { generate } from '../../../src/generator/generate.ts'
import { readSnapshot, type SnapshotHead, writeSnapshot } from '../../../src/replay/snapshot.ts'
import { everyAggregate } from '../../helpers/feature-files.ts'
import { shipped } from '../../helpers/feature-values.ts'

const folder = mkdtempSync(join(tmpdir(), 'weir-snapshot-'))
afterAll(() => rmSync(folder, { recursive: true }))

const head: SnapshotHead = {
  version: 1,
  feature_hash: shipped.hash,
  source: 'payments',
  partitions: 1,
  positions: { transactions: [3_000], labels: [7] },
  times: [Date.UTC(2026, 0, 2)],
}
const path = join(folder, 'states.weir')
const lived = new History(shipped)

beforeAll(async () => {
  let at = 0
  for (const item of generate({ events: 3_000, seed: 5, customers: 300 })) {
    if (item.kind === 'label') lived.enrich([], [{ before: 0, label: item.label }])
    if (item.kind !== 'transaction') continue
    lived.enrich([{ partition: 0, offset: at++, transaction: item.transaction }])
  }
  await writeSnapshot(path, head, lived)
})

const statesOf = ({ customers, labelled, entities }: History) => ({
  customers: new Map([...customers].toSorted()),
  labelled: new Map([...labelled].toSorted()),
  entities: new Map([...entities].toSorted()),
})

test('what was written is read, to the bit', async () => {
  const read = new History(shipped)
  expect(await readSnapshot(path, read)).toEqual(head)
  expect(lived.customers.size).toBeGreaterThan(200)
  expect(lived.labelled.size).toBeGreaterThan(0)
  expect(statesOf(read)).toEqual(statesOf(lived))
})

test('the same states give the same bytes, in whatever order they came about', async () => {
  const turned = new History(shipped)
  for (const name of ['customers', 'labelled', 'entities'] as const) {
    for (const [key, packed] of [...lived[name]].reverse()) turned[name].set(key, packed)
  }
  const again = join(folder, 'again.weir')
  await writeSnapshot(again, head, turned)
  expect(readFileSync(again).equals(readFileSync(path))).toBe(true)
})

test('nothing is left of a file that could not be written', async () => {
  const before = readdirSync(folder)
  const failing = new History(shipped)
  failing.customers.set('c', Buffer.from([1]))
  failing.customers.get = () => undefined
  await expect(writeSnapshot(join(folder, 'bad.weir'), head, failing)).rejects.toThrow()
  const nowhere = '/proc/nowhere/states.weir'
  await expect(writeSnapshot(nowhere, head, lived)).rejects.toMatchObject({
    code: 'WEIR_CLI_INPUT',
    cure: expect.any(String),
  })
  expect(readdirSync(folder)).toEqual(before)
})

/** What is said of a file with these bytes. */
async function verdictOn(bytes: Buffer, features = shipped): Promise<string> {
  const spoilt = join(folder, 'spoilt.weir')
  writeFileSync(spoilt, bytes)
  const { code, message } = await readSnapshot(spoilt, new History(features)).then(
    () => ({ code: 'accepted', message: '' }),
    (error) => error,
  )
  return `${code} ${message.replace(spoilt, 'FILE')}`
}

test('every flipped byte is found out', async () => {
  const content = gunzipSync(readFileSync(path))
  for (let at = 0; at < content.length; at += Math.ceil(content.length / 60)) {
    const spoilt = Buffer.from(content)
    spoilt.writeUInt8(spoilt.readUInt8(at) ^ 1, at)
    expect(await verdictOn(gzipSync(spoilt, { level: 0 })), `byte ${at}`).toMatch(/^WEIR_STATE_SNAPSHOT /)
  }
})

test('a file that was cut or has bytes too many is refused', async () => {
  const bytes = readFileSync(path)
  const content = gunzipSync(bytes)
  const cut = join(folder, 'cut.weir')
  writeFileSync(cut, bytes)
  truncateSync(cut, bytes.length - 9)
  const short = 'WEIR_STATE_SNAPSHOT FILE is no whole snapshot of states: it is cut short'
  expect(await verdictOn(readFileSync(cut))).toBe(short)
  // On the border of two frames, too: the last one is what is missing.
  expect(await verdictOn(gzipSync(content.subarray(0, -41)))).toBe(short)
  expect(await verdictOn(gzipSync(Buffer.concat([content, Buffer.from('x')])))).toContain(
    'bytes follow its end',
  )
  expect(await verdictOn(gzipSync(Buffer.alloc(0)))).toContain('is cut short')
  expect(await verdictOn(Buffer.alloc(0))).toContain('is cut short')
  expect(await verdictOn(Buffer.from('customer,amount\n'))).toContain('incorrect header check')
})

test('another version, other features, or no file are told', async () => {
  const later = join(folder, 'later.weir')
  await expect(writeSnapshot(later, { ...head, version: 2 as 1 }, lived)).rejects.toThrow()
  const version = gunzipSync(readFileSync(path)).toString('latin1').replace('"version":1', '"version":2')
  expect(await verdictOn(gzipSync(Buffer.from(version, 'latin1')))).toContain(
    'FILE is a snapshot of version 2, this release reads version 1',
  )
  const others = compileFeatures(everyAggregate, sha256)
  expect(await verdictOn(readFileSync(path), others)).toBe(
    `WEIR_STATE_SNAPSHOT FILE holds states of features ${shipped.hash}, wanted are those of ${others.hash}`,
  )
  await expect(readSnapshot(join(folder, 'none'), new History(shipped))).rejects.toMatchObject({
    code: 'WEIR_CLI_INPUT',
  })
})
