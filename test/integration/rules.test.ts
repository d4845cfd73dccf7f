import { randomUUID } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, inject, it } from 'vitest'
import { openContracts, openKafka } from '../../src/apps/connect.ts'
import { activeRules, rulesWorldOf } from '../../src/apps/rules.ts'
import { loadConfig } from '../../src/config/load.ts'
import { weir } from '../helpers/weir.ts'

const folder = mkdtempSync(join(tmpdir(), 'weir-rules-'))
const topic = `rules-${randomUUID().slice(0, 8)}`
const set = [`kafka.brokers=${inject('kafkaBrokers')}`]
for (const name of [
  'transactions',
  'labels',
  'control',
  'decisions',
  'alerts',
  'dead_letters',
  'entity_updates',
]) {
  set.push(`topics.${name}=${topic}-${name}`)
}
const flags = set.flatMap((one) => ['--set', one])
const { config } = loadConfig({ file: '/dev/null', env: {}, set })
const log = openKafka(config)
const example = readFileSync('rules/example.yaml', 'utf8')

function file(name: string, text: string): string {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

async function active() {
  const connection = { log, contracts: await openContracts(config) }
  return await activeRules(connection, config, await rulesWorldOf(config))
}

beforeAll(async () => {
  expect(await weir(['topics', 'create', ...flags])).toMatchObject({ code: 0 })
})

afterAll(async () => {
  await log.close()
  rmSync(folder, { recursive: true })
})

it('publishes what passes, and compares a file with what is active', async () => {
  expect(await active()).toBeNull()
  const first = file('first.yaml', example)
  const published = await weir([
    'rules',
    'publish',
    first,
    '--author',
    'ana',
    '--comment',
    'start',
    '--json',
    ...flags,
  ])
  expect(published).toMatchObject({ code: 0, stderr: '' })
  const { id } = JSON.parse(published.stdout)
  expect((await active())?.rules.id).toBe(id)

  const second = file(
    'second.yaml',
    example
      .replace('id: mule-transfers', 'id: mules')
      .replace('feature.geo_speed > 1000', 'feature.geo_speed > 1200')
      .replace('priority: 60', 'priority: 70'),
  )
  const diff = await weir(['rules', 'diff', second, '--json', ...flags])
  expect(JSON.parse(diff.stdout)).toMatchObject({
    active: id,
    added: ['mules'],
    removed: ['mule-transfers'],
    changed: [
      {
        id: 'impossible-travel',
        fields: [
          {
            field: 'when',
            before: 'feature.geo_speed > 1000 && feature.geo_distance > 300',
            after: 'feature.geo_speed > 1200 && feature.geo_distance > 300',
          },
          { field: 'priority', before: 60, after: 70 },
        ],
      },
    ],
  })
  const told = await weir(['rules', 'diff', second, ...flags])
  expect(told.stdout).toMatch(/added +mules/)
  expect((await weir(['rules', 'diff', first, ...flags])).stdout).toContain('nothing differs')
})

it('a snooze of no rule, and a removal of what stands nowhere, are published and say that nothing comes of them', async () => {
  const snooze = (rule: string) =>
    weir([
      ...['lists', 'snooze', rule, 'customer', 'c-1', '--until', '2030-01-01', '--author', 'ana'],
      ...['--json', ...flags],
    ])
  expect(await snooze('mule-transfers')).toMatchObject({ code: 0, stderr: '' })
  const unknown = await snooze('mule-transfer')
  expect(unknown).toMatchObject({
    code: 0,
    stderr: expect.stringContaining('no rule mule-transfer is active'),
  })
  expect(JSON.parse(unknown.stdout)).toMatchObject({ topic: config.topics.control })

  const change = (op: string, value: string) =>
    weir(['lists', op, 'deny', 'ip', value, '--author', 'ana', ...flags])
  expect(await change('add', '203.0.113.0/24')).toMatchObject({ code: 0, stderr: '' })
  const absent = await change('remove', '203.0.113.7')
  expect(absent).toMatchObject({ code: 0, stdout: expect.stringContaining('published') })
  expect(absent.stderr).toContain('203.0.113.7 does not stand on the deny list')
  expect(await change('remove', '203.0.113.0/24')).toMatchObject({ code: 0, stderr: '' })
})

it('a file of entries goes in records that Kafka takes, none where a row is wrong, and again without harm', async () => {
  const rows = Array.from({ length: 1_300 }, (_, i) => `watch,device,d-${i},,,${'€'.repeat(256)}`)
  const entries = (...more: string[]) =>
    file('entries.csv', ['list,type,value,strength,expires,reason', ...rows, ...more, ''].join('\n'))
  const imported = (path: string) => weir(['lists', 'import', path, '--author', 'ana', ...flags])
  const end = async () => (await log.bounds({ topic: config.topics.control, partition: 0 })).end
  const before = await end()
  const refused = await imported(entries('watch,ip,nowhere,,,'))
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('line 1302: value of type ip') })
  expect(await end()).toBe(before)

  for (const _ of ['first', 'again']) {
    expect(await imported(entries())).toMatchObject({ code: 0, stderr: '' })
    const { stdout } = await weir(['lists', 'show', 'watch', '--limit', '1', ...flags])
    expect(stdout).toContain('1 of 1,300 entries')
  }
})

it('sends nothing that fails check or tests', async () => {
  const before = await log.bounds({ topic: config.topics.control, partition: 0 })
  const unknown = file('unknown.yaml', example.replace('feature.geo_speed', 'feature.geo_sped'))
  const first = await weir(['rules', 'publish', unknown, '--author', 'ana', ...flags])
  expect(first.code).toBe(2)
  expect(first.stderr).toContain('did you mean feature.geo_speed?')
  const failing = file(
    'failing.yaml',
    example.replace('feature.geo_speed > 1000', 'feature.geo_speed > 9000'),
  )
  const second = await weir(['rules', 'publish', failing, '--author', 'ana', ...flags])
  expect(second.code).toBe(1)
  expect(second.stderr).toContain('impossible-travel, test 1: should hit')
  expect(await log.bounds({ topic: config.topics.control, partition: 0 })).toEqual(before)
})

it('passes over what cannot be used: the rules before stay active', async () => {
  const { id } = (await active())?.rules ?? {}
  const contracts = await openContracts(config)
  const value = contracts.control.encode({
    control_id: 'c1',
    kind: 'rules',
    name: 'rules',
    version: '2',
    sha256: '',
    body: Buffer.from('version: 2\nrules: [{ id: broken }]'),
    author: 'ana',
    comment: null,
    created_time: 0,
  })
  await log.append([{ topic: config.topics.control, partition: 0, key: 'rules', value }])
  expect((await active())?.rules.id).toBe(id)
})
