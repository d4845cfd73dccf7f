import { createHash } from 'node:crypto'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { createContracts } from '../../src/adapters/avro-contracts.ts'
import { createFileSchemaSource } from '../../src/adapters/avro-schema-files.ts'
import type { LogRecord } from '../../src/core/ports.ts'
import { validateLabel, validateTransaction } from '../../src/core/validate.ts'
import { fraudTypes } from '../../src/generator/fraud.ts'
import { type Generated, generate } from '../../src/generator/generate.ts'
import type { GeneratorOptions } from '../../src/generator/options.ts'

type Of<Kind extends Generated['kind']> = Extract<Generated, { kind: Kind }>

const dayMs = 86_400_000
const limits = { eventTimePastMs: 30 * dayMs, eventTimeFutureMs: 60_000 }

function only<Kind extends Generated['kind']>(records: readonly Generated[], kind: Kind): Of<Kind>[] {
  return records.filter((record): record is Of<Kind> => record.kind === kind)
}

function digest(options: GeneratorOptions): string {
  const hash = createHash('sha256')
  // Labels are in the stream by themselves.
  const once = (key: string, value: unknown) => (key === 'labels' ? undefined : value)
  for (const record of generate(options)) hash.update(JSON.stringify(record, once))
  return hash.digest('hex').slice(0, 16)
}

const records = [...generate({ seed: 7, events: 20_000, damagedRate: 0.01 })]
const transactions = only(records, 'transaction')
const payments = transactions.filter((record) => !record.isDuplicate)
const labels = only(records, 'label')

describe('a stream', () => {
  it('is the same for the same seed, on every machine and in every version that does not say otherwise', () => {
    const options = { seed: 1, events: 5_000, damagedRate: 0.001 }
    expect(digest(options)).toMatchInlineSnapshot(`"eb9bea7a05c5556f"`)
    expect(digest({ ...options, seed: 2 })).not.toBe(digest(options))
  })

  it('has as many payments as asked for, each with its own identifier', () => {
    expect(payments).toHaveLength(20_000)
    expect(new Set(payments.map(({ transaction }) => transaction.transaction_id)).size).toBe(20_000)
  })

  it('comes in order of arrival, and nothing arrives before it happens', () => {
    for (let i = 1; i < records.length; i++) {
      expect((records[i] as Generated).time).toBeGreaterThanOrEqual((records[i - 1] as Generated).time)
    }
    for (const { time, transaction } of transactions)
      expect(time).toBeGreaterThanOrEqual(transaction.event_time)
  })

  it('keeps the contract', () => {
    const results = [
      ...transactions.map(({ transaction, time }) => validateTransaction(transaction, time, limits)),
      ...labels.map(({ label, time }) => validateLabel(label, time, limits)),
    ]
    expect(results.filter((result) => !result.ok)).toEqual([])
  })

  it('spans weeks by default, whatever its length', () => {
    const days = (payments.at(-1)?.time ?? 0) / dayMs - (payments[0]?.time ?? 0) / dayMs
    expect(days).toBeGreaterThan(50)
    expect(days).toBeLessThan(75)
  })

  it('brings some payments late and some twice', () => {
    const late = payments.filter(({ transaction, time }) => time - transaction.event_time > 60_000)
    expect(late.length / 20_000).toBeGreaterThan(0.003)
    expect(late.length / 20_000).toBeLessThan(0.007)
    const first = new Map(payments.map((record) => [record.transaction.transaction_id, record]))
    const again = transactions.filter((record) => record.isDuplicate)
    expect(again.length).toBeGreaterThan(5)
    for (const { transaction, time } of again) {
      const original = first.get(transaction.transaction_id)
      expect(transaction).toEqual(original?.transaction)
      expect(time).toBeGreaterThanOrEqual(original?.time ?? Number.POSITIVE_INFINITY)
    }
  })

  it('does not change its payments when damaged records are mixed in', () => {
    const ids = (damagedRate: number) =>
      only(
        [...generate({ seed: 3, events: 1000, lateRate: 0, duplicateRate: 0, damagedRate })],
        'transaction',
      )
    expect(ids(0.2)).toEqual(ids(0))
  })

  it('refuses options out of range with a cure', () => {
    expect(() => [...generate({ seed: 1, events: 10, fraudRate: 2 })]).toThrow(
      expect.objectContaining({ code: 'WEIR_CLI_USAGE', cure: 'Choose a number from 0 to 0.05.' }),
    )
  })

  it('has drift only when drift is on', () => {
    const online = (drift: boolean) => {
      const all = only([...generate({ seed: 5, events: 20_000, drift })], 'transaction')
      const share = (part: Of<'transaction'>[]) =>
        part.filter(({ transaction }) => transaction.channel === 'ecommerce').length / part.length
      return share(all.slice(-6000)) - share(all.slice(0, 6000))
    }
    expect(online(true)).toBeGreaterThan(0.04)
    expect(Math.abs(online(false))).toBeLessThan(0.02)
  })
})

describe('fraud', () => {
  it.each([1, 2, 3, 4])('is 0.5 to 1 %% of a stream of 20,000, and of every kind (seed %i)', (seed) => {
    const found = only([...generate({ seed, events: 20_000, duplicateRate: 0 })], 'transaction').filter(
      ({ fraudType }) => fraudType !== null,
    )
    expect(found.length).toBeGreaterThan(100)
    expect(found.length).toBeLessThan(200)
    expect(new Set(found.map(({ fraudType }) => fraudType))).toEqual(new Set(fraudTypes))
  })

  it('is mixed another way after the shift', () => {
    const share = { before: 0, after: 0 }
    const total = { before: 0, after: 0 }
    const startTime = 0
    for (const record of generate({ seed: 1, events: 100_000, startTime })) {
      if (record.kind !== 'transaction' || record.fraudType === null) continue
      const side = record.time < 45 * dayMs ? 'before' : 'after'
      total[side]++
      if (record.fraudType === 'mule_transfer') share[side]++
    }
    expect(share.after / total.after).toBeGreaterThan(1.5 * (share.before / total.before))
  })
})

describe('labels', () => {
  it('come after their payment, some weeks later, and end the stream', () => {
    const arrived = new Set<string>()
    for (const record of records) {
      if (record.kind === 'transaction') arrived.add(record.transaction.transaction_id)
      if (record.kind === 'label') {
        expect(arrived).toContain(record.label.transaction_id)
        expect(record.label.observed_time).toBe(record.time)
        expect(record.time).toBeGreaterThan(record.label.effective_time)
      }
    }
    expect(labels.some(({ label }) => label.observed_time - label.effective_time > 7 * dayMs)).toBe(true)
    const lastPayment = payments.at(-1)?.time ?? 0
    const known = labels.filter(({ time }) => time < lastPayment)
    expect(known.length / labels.length).toBeGreaterThan(0.7)
  })

  it('leave some frauds unknown, accuse some honest payments, and are taken back at times', () => {
    const truth = new Map(payments.map((record) => [record.transaction.transaction_id, record.fraudType]))
    const frauds = payments.filter(({ fraudType }) => fraudType !== null).length
    const accused = labels.filter(({ label }) => label.fraud && label.state === 'reported')
    const rightly = accused.filter(({ label }) => truth.get(label.transaction_id) !== null)
    expect(rightly.length / frauds).toBeGreaterThan(0.75)
    expect(rightly.length).toBeLessThan(frauds)
    expect(accused.length).toBeGreaterThan(rightly.length)
    expect(labels.some(({ label }) => label.state === 'reversed' && !label.fraud)).toBe(true)
    expect(labels.some(({ label }) => label.state === 'confirmed' && !label.fraud)).toBe(true)
  })
})

it('damaged records are refused by the codec, every kind of them', async () => {
  const topics = {
    transactions: 't',
    labels: 'l',
    decisions: 'd',
    alerts: 'a',
    entityUpdates: 'e',
    control: 'c',
  }
  const source = createFileSchemaSource()
  const codec = (await createContracts(source, topics, { ...limits, maxRecordBytes: 65_536 })).transactions
  const codes = new Map<string, string>()
  for (const { damage, candidate, spoil, time } of only(records, 'damaged')) {
    const value = spoil(codec.encode(candidate))
    const record: LogRecord = {
      offset: 0,
      timestamp: time,
      key: Buffer.from(candidate.customer_id),
      value,
      headers: {},
    }
    const [checked] = await codec.decode([record])
    codes.set(damage, checked?.ok === false ? checked.rejection.code : 'accepted')
  }
  expect(Object.fromEntries([...codes].sort())).toMatchInlineSnapshot(`
    {
      "empty": "WEIR_RECORD_EMPTY",
      "event_time_1970": "WEIR_RECORD_EVENT_TIME",
      "event_time_2100": "WEIR_RECORD_EVENT_TIME",
      "latitude_out_of_range": "WEIR_RECORD_OUT_OF_RANGE",
      "length_bomb": "WEIR_RECORD_UNDECODABLE",
      "negative_amount": "WEIR_RECORD_OUT_OF_RANGE",
      "not_avro": "WEIR_RECORD_NOT_AVRO",
      "oversized": "WEIR_RECORD_TOO_LARGE",
      "pan_in_description": "WEIR_RECORD_PAN",
      "trailing_bytes": "WEIR_RECORD_UNDECODABLE",
      "truncated": "WEIR_RECORD_UNDECODABLE",
      "unknown_currency": "WEIR_RECORD_UNKNOWN_CURRENCY",
      "unknown_schema": "WEIR_RECORD_UNKNOWN_SCHEMA",
    }
  `)
})

it('memory does not grow with the length of the stream', () => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const heapBytes: number[] = []
  let seen = 0
  for (const _ of generate({ seed: 1, events: 400_000, customers: 500 })) {
    if (++seen % 100_000 !== 0) continue
    collect()
    heapBytes.push(process.memoryUsage().heapUsed)
  }
  expect((heapBytes.at(-1) as number) - (heapBytes[0] as number)).toBeLessThan(1_500_000)
})
