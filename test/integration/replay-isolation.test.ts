import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { constants, getPriority, tmpdir } from 'node:os'
import { join } from 'node:path'
import { Admin } from '@platformatic/kafka'
import { afterAll, beforeAll, expect, inject, it } from 'vitest'
import { gather, topicNames, unsettled } from '../../faults/verifier/evidence.ts'
import { toRecord } from '../../src/apps/demo.ts'
import { generate } from '../../src/generator/generate.ts'
import { Installation, type MemberProcess, until } from '../helpers/installation.ts'
import { weir } from '../helpers/weir.ts'

const folder = mkdtempSync(join(tmpdir(), 'weir-isolation-'))
const items = [...generate({ events: 6_000, seed: 11, customers: 400, damagedRate: 0.002 })]
const half = items.length / 2

let live: Installation
let member: MemberProcess
beforeAll(async () => {
  const services = [`kafka.brokers=${inject('kafkaBrokers')}`, `redis.url=${inject('redisUrl')}`]
  live = await Installation.create(services, false)
  member = await (await live.start()).ready()
  await send(items.slice(0, half))
  await atRest()
})
afterAll(async () => {
  await live?.[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true })
})

const send = (some: typeof items) =>
  live.log.append(some.map((item) => toRecord(item, live.config, live.contracts)))
const atRest = () => until('at rest', async () => (await unsettled(live.config)) === null, 60)

const replay = (out: string, ...more: string[]) =>
  weir([
    ...['replay', 'topic', '--candidate', 'strict:challenge=300', '--out', join(folder, out), '--json'],
    ...live.flags(),
    ...more,
  ])

/** One hash over every committed record of every topic, every position and every Redis key, and the groups there are. */
async function everything(): Promise<{ hash: string; records: number; keys: number; groups: string[] }> {
  const { records, keys, positions, open } = await gather(live.config)
  const hash = createHash('sha256').update(JSON.stringify([positions, open]))
  let count = 0
  for (const name of topicNames) {
    for (const partition of records[name]) {
      for (const { offset, timestamp, key, value, headers } of partition) {
        count++
        hash.update(JSON.stringify([name, offset, timestamp, headers]))
        hash.update(key ?? '').update(value ?? '')
      }
    }
  }
  for (const [key, value] of [...keys].toSorted(([a], [b]) => (a < b ? -1 : 1)))
    hash.update(key).update(value)
  return { hash: hash.digest('hex'), records: count, keys: keys.size, groups: await groupsHere() }
}

/** The groups that have a position on a topic of the installation, or a member that reads one. */
async function groupsHere(): Promise<string[]> {
  const ours = new Set<string | null>(Object.values(live.config.topics).map(String))
  const admin = new Admin({ clientId: 'isolation', bootstrapBrokers: [...live.config.kafka.brokers] })
  const all = [...(await admin.listGroups()).keys()]
  const [positions, described] = await Promise.all([
    admin.listConsumerGroupOffsets({ groups: all }),
    admin.describeGroups({ groups: all }),
  ])
  await admin.close()
  const groups = new Set<string>()
  for (const { groupId, topics } of positions) {
    if (topics.some(({ name }) => ours.has(name))) groups.add(groupId)
  }
  for (const [group, { members }] of described) {
    for (const { metadata } of members.values()) {
      if (metadata?.topics?.some((topic) => ours.has(topic))) groups.add(group)
    }
  }
  return [...groups].toSorted()
}

it('a replay of the topics changes no record, no key and no position, and leaves no group', async () => {
  const before = await everything()
  expect(before.records).toBeGreaterThan(6_000)
  expect(before.keys).toBeGreaterThan(400)
  expect(before.groups).toEqual([live.config.group])
  const { code, stderr } = await replay('at-rest')
  expect(code, stderr).toBe(0)
  expect(await everything()).toEqual(before)
})

it('stopped, and resumed when the topics have grown, it is of what there was when it began', async () => {
  const args = ['replay', 'topic', '--candidate', 'strict:challenge=300', '--out', join(folder, 'parts')]
  const child = spawn(process.execPath, ['src/main.js', ...args, ...live.flags(), '--rate', '1000'], {
    env: { PATH: process.env['PATH'] ?? '', WEIR_CONFIG: '/dev/null' },
    stdio: 'ignore',
  })
  await until('a replay that runs', () => existsSync(join(folder, 'parts/lock')), 60)
  expect(getPriority(child.pid)).toBeGreaterThanOrEqual(constants.priority.PRIORITY_BELOW_NORMAL)
  child.kill('SIGTERM')
  expect(await once(child, 'close')).toEqual([143, null])
  await send(items.slice(half, half + 200))
  await atRest()
  const { code, stderr } = await weir([...args, ...live.flags(), '--resume'])
  expect(code, stderr).toBe(0)
  for (const file of ['replay.json', 'decisions-00000.parquet']) {
    const [whole, parts] = ['at-rest', 'parts'].map((out) => readFileSync(join(folder, out, file)))
    expect(parts?.equals(whole as Buffer)).toBe(true)
  }
})

it('beside live traffic, live decisions are what they must be, and the replay ends where it began to read', async () => {
  const slow = replay('beside', '--rate', '3000')
  await send(items.slice(half + 200))
  const { code, stdout, stderr } = await slow
  expect(code, stderr).toBe(0)
  const summary = JSON.parse(stdout.trim().split('\n').at(-1) as string)
  expect(summary.payments).toBeGreaterThan(2_500)
  expect(summary.rejected).toBeGreaterThan(0)
  await atRest()
  expect(member.isRunning).toBe(true)
  const verified = await weir(['replay', '--verify', ...live.flags(), '--json'])
  expect(verified.code, verified.stderr).toBe(0)
  expect(JSON.parse(verified.stdout)).toMatchObject({
    as_recorded: { differ: 0 },
    recomputed: { differ: 0 },
    lost: 0,
    doubled: 0,
    stray: 0,
  })
})
