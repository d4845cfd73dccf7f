import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, expect, inject, it } from 'vitest'
import { toRecord } from '../../src/apps/demo.ts'
import type { NewRecord } from '../../src/core/ports.ts'
import { generate } from '../../src/generator/generate.ts'
import type { Verification } from '../../src/replay/verdict.ts'
import { Installation, until } from '../helpers/installation.ts'
import { weir } from '../helpers/weir.ts'

/** The nightly job asks for a million. */
const payments = Number(process.env['WEIR_VERIFY_PAYMENTS'] ?? 100_000)
const sendAtOnce = 2_000
const timeoutMs = 120_000 + payments * 5

let own: Installation
beforeAll(async () => {
  const services = [`kafka.brokers=${inject('kafkaBrokers')}`, `redis.url=${inject('redisUrl')}`]
  own = await Installation.create([...services, 'topics.partitions=4'], false)
})
afterAll(() => own[Symbol.asyncDispose]())

/** Sends generated payments, labels, duplicates, late and damaged records. */
async function send(): Promise<void> {
  let batch: NewRecord[] = []
  const life = { duplicateRate: 0.01, lateRate: 0.02, damagedRate: 0.001 }
  for (const item of generate({ seed: 6, events: payments, ...life })) {
    batch.push(toRecord(item, own.config, own.contracts))
    if (batch.length < sendAtOnce) continue
    await own.log.append(batch)
    batch = []
  }
  await own.log.append(batch)
}

/** Waits until the group stands at the end of every partition. */
async function decided(): Promise<void> {
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

async function verify(
  ...more: string[]
): Promise<{ found: Verification; code: number | null; stderr: string }> {
  const { code, stdout, stderr } = await weir(['replay', '--verify', '--json', ...own.flags(), ...more])
  if (stdout === '') throw new Error(stderr)
  return { found: JSON.parse(stdout) as Verification, code, stderr }
}

it(
  `${payments.toLocaleString('en-US')} live decisions of two members are computed again, without a difference`,
  async () => {
    const [first, second] = [await own.start(), await own.start()]
    await Promise.all([first.ready(), second.ready()])
    await until('a share for both', async () => {
      const shares = [await first.health('/readyz'), await second.health('/readyz')]
      return shares.every((health) => health?.checks['lanes']?.detail.startsWith('6 partitions'))
    })
    await send()
    await decided()
    const { found, code, stderr } = await verify()
    expect(stderr).not.toMatch(/^error/m)
    expect(code).toBe(0)
    expect(found).toMatchObject({
      as_recorded: { compared: found.decisions, differ: 0 },
      recomputed: {
        compared: found.decisions - found.degraded,
        differ: 0,
        customer_columns_differ: {},
        cut: [],
      },
      dead_letters: { differ: 0 },
      lost: 0,
      doubled: 0,
      stray: 0,
      unverifiable: { decisions: 0 },
      first_difference: null,
    })
    expect(found.decisions).toBeGreaterThan(payments)
    expect(found.transactions).toBe(found.decisions + found.dead_letters.compared)
    for (const member of [first, second])
      expect(await member.metric('weir_transactions_total')).toBeGreaterThan(0)
  },
  timeoutMs,
)
