import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet'
import { afterAll, beforeAll, expect, inject, it } from 'vitest'
import { toRecord } from '../../src/apps/demo.ts'
import type { LogRecord } from '../../src/core/ports.ts'
import { generate } from '../../src/generator/generate.ts'
import type { Audit } from '../../src/ledger/audit.ts'
import { Installation, until } from '../helpers/installation.ts'
import { weir } from '../helpers/weir.ts'

const folder = mkdtempSync(join(tmpdir(), 'weir-audit-'))
let own: Installation
beforeAll(async () => {
  const services = [`kafka.brokers=${inject('kafkaBrokers')}`, `redis.url=${inject('redisUrl')}`]
  own = await Installation.create([...services, 'chunk.max_records=50'], false)
})
afterAll(async () => {
  await own?.[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true })
})

const items = [
  ...generate({ seed: 4, events: 2_000, duplicateRate: 0.02, damagedRate: 0.02, fraudRate: 0.05 }),
]
const send = (some: typeof items) =>
  own.log.append(some.map((item) => toRecord(item, own.config, own.contracts)))
const audit = (...more: string[]) => weir(['audit', ...own.flags(), ...more])
const records = items.filter(({ kind }) => kind !== 'label').length

it('beside live traffic all adds up, and nothing is left behind', async () => {
  await (await own.start()).ready()
  const live: Audit[] = []
  const { group, topics } = own.config
  const isDone = async () => {
    const left = [0, 1].map(async (partition) => {
      const at = { topic: topics.transactions, partition }
      return ((await own.log.committed(group, at)) ?? 0) < (await own.log.bounds(at)).end
    })
    return !(await Promise.all(left)).includes(true)
  }
  for (let at = 0; at < items.length; at += 500) {
    await send(items.slice(at, at + 500))
    const { code, stdout, stderr } = await audit('--json')
    expect(code, `${stdout}\n${stderr}`).toBe(0)
    live.push(JSON.parse(stdout))
  }
  await until('everything is decided', isDone, 60)
  const { code, stdout, stderr } = await audit('--json')
  expect(code, stderr).toBe(0)
  const found = JSON.parse(stdout) as Audit
  expect(found.total).toMatchObject({ records, missing: 0, double: 0, stray: 0, unproven: 0 })
  expect(found.total.decisions + found.total.dead_letters).toBe(records)
  expect(found.total.alerts).toMatchObject({ missing: 0, double: 0, stray: 0, unproven: 0 })
  expect(found.total.alerts.found).toBeGreaterThan(10)
  expect(live.every(({ total }) => total.records <= records)).toBe(true)
})

it('is shown by partition and in total, and exported', async () => {
  const [out, offsets] = [join(folder, 'ledger.csv'), join(folder, 'offsets.parquet')]
  const { code, stdout, stderr } = await audit('--out', out, '--offsets', offsets)
  expect(code, stderr).toBe(0)
  expect(stdout).toMatch(/^PARTITION +RECORDS +GAPS +DECISIONS/m)
  expect(stdout).toMatch(/^total +2,\d{3} /m)
  expect(stdout).toMatch(/^alerts: (\d+) of \1 that decisions call for, 0 missing, 0 double, 0 stray$/m)
  expect(readdirSync(folder).toSorted()).toEqual(['ledger.csv', 'offsets.parquet'])
  expect(readFileSync(out, 'utf8').trimEnd().split('\n').length).toBe(3)
  const rows = await parquetReadObjects({ file: await asyncBufferFromFile(offsets) })
  expect(rows.length).toBe(records)
  expect(new Set(rows.map(({ fate }) => fate))).toEqual(new Set(['decision', 'dead letter']))
  expect(await audit('--out', out, '--offsets', out)).toMatchObject({ code: 2 })
})

it('ends with 1 and the first offset when somebody adds an answer', async () => {
  const { topics } = own.config
  const at = { topic: topics.decisions, partition: 1 }
  const { value: some = [] } = await own.log.read(at, 0, 100)[Symbol.asyncIterator]().next()
  const { key, value } = some[5] as LogRecord
  await own.log.append([{ ...at, key, value }])
  const { code, stdout, stderr } = await audit()
  expect(code).toBe(1)
  // How far apart the two are read depends on the batches.
  const said =
    /^double: .*-1-(\d+) has (?:one more answer, out of order: a decision|2 answers: a decision, a decision)/m
  expect(stdout).toMatch(said)
  expect(stderr).toMatch(/^error: .* not add up, first .*-1-\d+ .*WEIR_AUDIT_DIFFERS/m)
  expect(stderr).toContain('cure: ')
  // The range before and after it is as it should be.
  const offset = Number(said.exec(stdout)?.[1])
  expect((await audit('--from', `0,${offset + 1}`)).code).toBe(0)
  expect((await audit('--to', `0,${offset}`)).code).toBe(0)
})
