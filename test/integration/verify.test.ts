import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, expect, inject, it } from 'vitest'
import { toRecord } from '../../src/apps/demo.ts'
import type { LogRecord, NewRecord } from '../../src/core/ports.ts'
import { generate } from '../../src/generator/generate.ts'
import type { Verification } from '../../src/replay/verdict.ts'
import { Installation, until } from '../helpers/installation.ts'
import { type Ended, weir } from '../helpers/weir.ts'

/** The nightly job asks for a million. */
const most = Number(process.env['WEIR_VERIFY_PAYMENTS'] ?? 100_000)
const timeoutMs = 180_000 + most * 5
const sendAtOnce = 2_000

let own: Installation
afterEach(() => own[Symbol.asyncDispose]())

async function install(): Promise<void> {
  const services = [`kafka.brokers=${inject('kafkaBrokers')}`, `redis.url=${inject('redisUrl')}`]
  own = await Installation.create([...services, 'topics.partitions=4'], false)
}

/** Sends generated payments, labels, duplicates, late and damaged records, and waits until all are decided. */
async function decide(events: number): Promise<void> {
  let batch: NewRecord[] = []
  for (const item of generate({ seed: 6, events, duplicateRate: 0.01, lateRate: 0.02, damagedRate: 0.001 })) {
    batch.push(toRecord(item, own.config, own.contracts))
    if (batch.length < sendAtOnce) continue
    await own.log.append(batch)
    batch = []
  }
  await own.log.append(batch)
  const { group, topics } = own.config
  const deadline = Date.now() + timeoutMs
  for (let partition = 0; partition < topics.partitions; partition++) {
    const at = { topic: topics.transactions, partition }
    const { end } = await own.log.bounds(at)
    while (((await own.log.committed(group, at)) ?? 0) < end) {
      if (Date.now() > deadline) throw new Error(`${at.topic}-${partition} was not decided in time`)
      await pause(100)
    }
  }
}

const verify = (...more: string[]): Promise<Ended> => weir(['replay', '--verify', ...own.flags(), ...more])

const flawless = {
  as_recorded: { differ: 0 },
  recomputed: { differ: 0, customer_columns_differ: {} },
  dead_letters: { differ: 0 },
  lost: 0,
  doubled: 0,
  stray: 0,
  unverifiable: { decisions: 0 },
  first_difference: null,
}

it(
  `${most.toLocaleString('en-US')} live decisions of two members are computed again, without a difference`,
  async () => {
    await install()
    const first = await (await own.start()).ready()
    const second = await (await own.start()).ready()
    await until('a share for both', async () => {
      const shares = [await first.health('/readyz'), await second.health('/readyz')]
      return shares.every((health) => health?.checks['lanes']?.detail.startsWith('6 partitions'))
    })
    await decide(most)
    const { code, stdout, stderr } = await verify('--json')
    expect(code, stderr).toBe(0)
    const found = JSON.parse(stdout) as Verification
    expect(found).toMatchObject(flawless)
    expect(found.decisions).toBeGreaterThan(most)
    expect(found.transactions).toBe(found.decisions + found.dead_letters.compared)
    expect(found.as_recorded.compared).toBe(found.decisions)
    expect(found.recomputed.compared).toBe(found.decisions - found.degraded)
    for (const member of [first, second]) {
      expect(await member.metric('weir_transactions_total')).toBeGreaterThan(0)
    }
  },
  timeoutMs,
)

it('a forged decision is named; nothing is left behind; a part can be asked for', async () => {
  await install()
  const member = await (await own.start()).ready()
  await decide(2_000)
  member.signal('SIGTERM')
  await member.exit()
  const before = await boundsOf()
  const part = await verify('--json', '--from', '100,100,100,100', '--to', '150,150,150,150')
  expect(part.code, part.stderr).toBe(0)
  expect(JSON.parse(part.stdout)).toMatchObject({ ...flawless, transactions: 200 })
  expect(await boundsOf()).toEqual(before)

  const at = { topic: own.config.topics.decisions, partition: 0 }
  const { value: records = [] } = await own.log.read(at, 0, 100)[Symbol.asyncIterator]().next()
  const record = records[5] as LogRecord
  const [checked] = await own.contracts.decisions.decode([record])
  if (!checked?.ok) throw new Error('weir wrote what it cannot read')
  const value = own.contracts.decisions.encode({ ...checked.value, outcome: 'decline' })
  await own.log.append([{ ...at, key: record.key, value }])
  const { code, stdout, stderr } = await verify()
  expect(code).toBe(1)
  expect(stdout).toMatch(/^as recorded +2,0\d\d +0$/m)
  expect(stdout).toMatch(/^doubled: .*-0-5 was answered/m)
  expect(stderr).toContain('WEIR_REPLAY_DIFFERS')
  expect(stderr).not.toMatch(/^ +at /m)
})

/** Where the partitions of all topics end. */
async function boundsOf(): Promise<Record<string, number[]>> {
  const { transactions, labels, decisions, alerts, dead_letters, entity_updates, partitions } =
    own.config.topics
  const ends: Record<string, number[]> = {}
  for (const topic of [transactions, labels, decisions, alerts, dead_letters, entity_updates]) {
    const all = Array.from({ length: partitions }, (_, partition) => own.log.bounds({ topic, partition }))
    ends[topic] = (await Promise.all(all)).map(({ end }) => end)
  }
  return ends
}
