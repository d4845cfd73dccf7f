import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { Kafka, logLevel } from 'kafkajs'
import { afterEach, beforeEach, expect, inject, it } from 'vitest'
import type { Label, Transaction } from '../../src/core/types.ts'
import { generate } from '../../src/generator/generate.ts'
import type { Audit } from '../../src/ledger/audit.ts'
import { Installation, type MemberProcess, until } from '../helpers/installation.ts'
import { weir } from '../helpers/weir.ts'

const payments: Transaction[] = []
const labels: Label[] = []
for (const item of generate({ events: 900, seed: 12, customers: 80, duplicateRate: 0.02, fraudRate: 0.05 })) {
  if (item.kind === 'label') labels.push(item.label)
  if (item.kind === 'transaction') payments.push(item.transaction)
}
const half = { payments: Math.floor(payments.length / 2), labels: Math.floor(labels.length / 2) }
const longestWait = 60
/** Each starts five members and commands one after the other. */
const timeoutMs = 300_000

let own: Installation
beforeEach(async () => {
  own = await Installation.create([
    `kafka.brokers=${inject('kafkaBrokers')}`,
    `redis.url=${inject('redisUrl')}`,
  ])
})
afterEach(() => own[Symbol.asyncDispose]())

/** Lets a member run until there are so many decisions, and so many labels were taken. */
async function decideUpTo(count: { payments: number; labels: number }): Promise<void> {
  const member = await own.start()
  await until(`${count.payments} decisions`, () => own.decisions.length >= count.payments, longestWait)
  // The labels lie on the log without transactions: an offset counts them.
  const taken = async () => sum((await positionOf('labels')).map((position) => Number(position)))
  await until(`${count.labels} labels`, async () => (await taken()) >= count.labels, longestWait)
  await stop(member)
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0)

const positionOf = (name: 'transactions' | 'labels') =>
  Promise.all(
    [0, 1].map((partition) =>
      own.log.committed(own.config.group, { topic: own.config.topics[name], partition }),
    ),
  )

async function stop(member: MemberProcess): Promise<void> {
  member.signal('SIGTERM')
  expect(await member.exit()).toMatchObject({ code: 0 })
}

const asAdmin = async <T>(use: (admin: ReturnType<Kafka['admin']>) => Promise<T>): Promise<T> => {
  const brokers = [...own.config.kafka.brokers]
  const admin = new Kafka({ brokers, logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  try {
    return await use(admin)
  } finally {
    await admin.disconnect()
  }
}

/** What an operator may do to offsets while no member runs. */
const damages = {
  'set to the beginning': () => resetOffsets(true),
  'set to the end': () => resetOffsets(false),
  deleted: () => asAdmin((admin) => admin.deleteGroups([own.config.group])),
  'deleted, with all states': async () => {
    await asAdmin((admin) => admin.deleteGroups([own.config.group]))
    const redis = new Redis(inject('redisUrl'))
    for await (const keys of redis.scanStream({ match: `{${own.config.app}.*` })) {
      if (keys.length > 0) await redis.del(...keys)
    }
    redis.disconnect()
  },
}

const resetOffsets = (earliest: boolean) =>
  asAdmin(async (admin) => {
    const { transactions, labels } = own.config.topics
    for (const topic of [transactions, labels])
      await admin.resetOffsets({ groupId: own.config.group, topic, earliest })
  })

async function audit(): Promise<Audit> {
  const { code, stdout, stderr } = await weir(['audit', '--json', ...own.flags()])
  expect(code, stderr).toBe(0)
  return JSON.parse(stdout)
}

it.each(Object.entries(damages))(
  'offsets that were %s: refused, nothing decided twice or left out; weir reset mends it',
  async (_, damage) => {
    await own.send(...payments.slice(0, half.payments))
    await own.sendLabels(...labels.slice(0, half.labels))
    await decideUpTo(half)
    const right = { transactions: await positionOf('transactions'), labels: await positionOf('labels') }
    await own.send(...payments.slice(half.payments, half.payments + 100))
    await own.sendLabels(...labels.slice(half.labels, half.labels + 12))
    await damage()
    await own.send(...payments.slice(half.payments + 100))
    await own.sendLabels(...labels.slice(half.labels + 12))

    const refused = await own.start()
    const lanes = ['t0', 't1', 'l0', 'l1'].map(
      (lane) => new RegExp(`"lane":"${lane}".*WEIR_LOG_OFFSETS_RESET`),
    )
    await until('refusals', () => lanes.every((lane) => lane.test(refused.output)), longestWait)
    expect(refused.output).toContain('weir reset')
    await sleep(1_000)
    expect(own.decisions.length).toBe(half.payments)
    const reset = (...more: string[]) => weir(['reset', ...own.flags(), ...more])
    expect(await reset('--yes')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('WEIR_LOG_IN_USE'),
    })
    await stop(refused)

    const shown = await reset()
    expect(shown).toMatchObject({ code: 0, stderr: expect.stringContaining('--yes does it') })
    expect(shown.stdout).toContain('GOES ON AT')
    expect(await positionOf('transactions')).not.toEqual(right.transactions)
    expect(await reset('--yes')).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('members can start'),
    })
    expect(await positionOf('transactions')).toEqual(right.transactions)
    expect(await positionOf('labels')).toEqual(right.labels)
    await decideUpTo({ payments: payments.length, labels: labels.length })
    const { total, labels: ofLabels, holds } = await audit()
    expect({ holds, ...total }).toMatchObject({
      holds: true,
      records: payments.length,
      missing: 0,
      double: 0,
      skipped: 0,
    })
    expect(ofLabels.total).toMatchObject({ records: labels.length, taken: labels.length })
  },
  timeoutMs,
)

it('a range that is declared skipped is never decided, and counts as skipped', async () => {
  await own.send(...payments.slice(0, half.payments))
  await own.sendLabels(...labels)
  await decideUpTo({ payments: half.payments, labels: labels.length })
  await own.send(...payments.slice(half.payments, half.payments + 100))
  const skip = ['--skip-to', 'end', '--reason', 'a test of skips']
  const reset = (...more: string[]) => weir(['reset', ...own.flags(), ...more])
  expect(await reset('--skip-to', 'end')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('needs a reason'),
  })
  const card = ['--skip-to', 'end', '--reason', 'card 4111 1111 1111 1111']
  expect(await reset(...card)).toMatchObject({ code: 2, stderr: expect.stringContaining('card number') })
  expect(await reset(...skip, '--yes')).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/skips \d+ to \d+/),
  })
  await own.send(...payments.slice(half.payments + 100))
  await decideUpTo({ payments: payments.length - 100, labels: labels.length })
  const { total, holds } = await audit()
  expect({ holds, ...total }).toMatchObject({
    holds: true,
    records: payments.length,
    skipped: 100,
    missing: 0,
    double: 0,
  })
  const { code, stdout, stderr } = await weir(['replay', '--verify', ...own.flags(), '--json'])
  expect(code, stderr).toBe(0)
  expect(JSON.parse(stdout)).toMatchObject({ lost: 0, skipped: 100, recomputed: { differ: 0 } })
})
