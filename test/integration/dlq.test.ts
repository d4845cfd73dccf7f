import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { createKafkaClient } from '../../src/adapters/kafka-client.ts'
import { kafkaClient } from '../../src/apps/connect.ts'
import { partitionOf } from '../../src/core/partition.ts'
import type { LogRecord } from '../../src/core/ports.ts'
import { type DeadLetter, deadLetterOf, markOf, redriveMark } from '../../src/core/redrive.ts'
import { aLabel, aTransaction, eventTime } from '../helpers/contracts.ts'
import { Installation, type MemberProcess, until } from '../helpers/installation.ts'
import { type Ended, weir } from '../helpers/weir.ts'

const folder = mkdtempSync(join(tmpdir(), 'weir-dlq-'))
const pan = '4111111111111111'
const dying = new URL('../helpers/die-at-commit.ts', import.meta.url).pathname

let installation: Installation
let member: MemberProcess

beforeAll(async () => {
  installation = await Installation.create([
    `kafka.brokers=${inject('kafkaBrokers')}`,
    `redis.url=${inject('redisUrl')}`,
    'kafka.session_timeout_ms=6000',
  ])
  // Too strict at first: what it refuses for this is redriven as it is, once the limits are right.
  member = await installation.start('limits.event_time_past_ms=60000', 'limits.record_bytes=400')
  await member.ready()
})
afterAll(async () => {
  await installation?.[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true })
})

const dlq = (args: string[], env: Record<string, string> = {}): Promise<Ended> =>
  weir(['dlq', ...args, ...installation.flags()], { env })

async function json<T = Record<string, unknown>>(...args: string[]): Promise<T> {
  const { code, stdout, stderr } = await dlq([...args, '--json'])
  expect(stderr).toBe('')
  expect(code).toBe(0)
  return JSON.parse(stdout)
}

interface Tally {
  readonly redriven: number
  readonly before: number
  readonly refused: number
  readonly letters: readonly { state: string; topic: string; partition: number }[]
}

/** The newest letter for a record whose key, or whose letter's code, is given. */
const letterOf = (key: string) => installation.deadLetters.findLast((one) => one.key?.toString() === key)

async function refused(key: string): Promise<string> {
  await until(`a dead letter of ${key}`, () => letterOf(key) !== undefined, 60)
  const letter = letterOf(key)
  return `${letter?.partition}-${letter?.offset}`
}

/** Every committed record of a topic. */
async function readAll(topic: string): Promise<(LogRecord & { partition: number })[]> {
  const records: (LogRecord & { partition: number })[] = []
  for (let partition = 0; partition < installation.config.topics.partitions; partition++) {
    const at = { topic, partition }
    const { first, end } = await installation.log.bounds(at)
    for await (const some of installation.log.read(at, first, end)) {
      records.push(...some.map((record) => ({ ...record, partition })))
    }
  }
  return records
}

/** The records of a topic that were put back for a letter. */
const putBack = async (letter: string, topic = installation.config.topics.transactions) =>
  (await readAll(topic)).filter(
    ({ headers }) => headers['weir-redriven-from'] === `${installation.config.topics.dead_letters}-${letter}`,
  )

/** An old payment, as the first member refuses it, for a customer of its own. */
const old = (customer_id: string) =>
  installation.record(aTransaction({ transaction_id: `tx-${customer_id}`, customer_id }), {
    timestamp: eventTime + 120_000,
  })

async function sendOld(...customers: string[]): Promise<string[]> {
  await installation.log.append(customers.map(old))
  const letters: string[] = []
  for (const customer of customers) letters.push(await refused(customer))
  return letters
}

const decisionsOn = (customer: string) =>
  installation.decisions.filter(({ content }) => content.transaction_id === `tx-${customer}`)

describe('weir dlq', () => {
  it('list counts by code and shows the newest', async () => {
    const amount = aTransaction({ customer_id: 'c-list', description: `card ${pan}` })
    await installation.log.append([
      old('c-old-1'),
      installation.record(aTransaction({ customer_id: 'c-mend', country: 'Germany' })),
      { ...old('c-raw'), value: Buffer.from('no avro: \u001b[31m') },
      { ...old('c-cut'), value: old('c-cut').value?.subarray(0, 40) ?? null },
      installation.record(amount),
    ])
    for (const key of ['c-old-1', 'c-mend', 'c-raw', 'c-cut']) await refused(key)
    await until('five letters', () => installation.deadLetters.length === 5, 60)
    const { codes, newest } = await json<{ codes: object[]; newest: object[] }>('list')
    expect(codes).toHaveLength(5)
    expect(codes).toContainEqual({ code: 'WEIR_RECORD_PAN', letters: 1, redriven: 0 })
    expect(newest).toHaveLength(5)
    const some = await dlq(['list', '--code', 'WEIR_RECORD_OUT_OF_RANGE', '--limit', '1'])
    expect(some.stdout).toMatch(/WEIR_RECORD_OUT_OF_RANGE +1 +0/)
    expect(some.stdout).toContain('country is not two capital letters')
    expect(some.stdout).not.toContain('WEIR_RECORD_PAN')
    expect((await dlq(['list', '--topic', 'nothing'])).stdout).toBe('no dead letters\n')
    expect((await dlq(['list', '--to', '0,0'])).stdout).toBe('no dead letters\n')
  })

  it('show decodes a record as far as it goes, and never shows a card number', async () => {
    const { value, cure, unread } = await json('show', await refused('c-mend'))
    expect(value).toMatchObject({ customer_id: 'c-mend', country: 'Germany', amount_minor: 1_299 })
    expect(cure).toContain('--with')
    expect(unread).toBeNull()
    const cut = await json('show', await refused('c-cut'))
    expect(cut['value']).toMatchObject({ transaction_id: 'tx-c-cut', event_time: eventTime })
    expect(cut['unread']).toMatch(/^\w+ and what follows: \d+ bytes$/)
    const raw = await dlq(['show', await refused('c-raw')])
    expect(raw.stdout).toContain(Buffer.from('no avro: \u001b[31m').toString('hex'))
    const letter = installation.deadLetters.find(
      ({ headers }) => headers['weir-reason'] === 'WEIR_RECORD_PAN',
    )
    const source = `${installation.config.topics.transactions}-${letter?.partition}-${letter?.headers['__connect.errors.offset']}`
    const withheld = await dlq(['show', source])
    expect(withheld).toMatchObject({ code: 0, stdout: expect.stringContaining('it was withheld') })
    expect(withheld.stdout).not.toContain(pan)
  })

  it('says what is no letter, and what is not there', async () => {
    expect(await dlq(['show', 'nothing'])).toMatchObject({ code: 2 })
    expect(await dlq(['show', '1-999999'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('WEIR_DLQ_NOT_FOUND'),
    })
    expect(await dlq(['redrive'])).toMatchObject({ code: 2, stderr: expect.stringContaining('--all') })
    expect(await dlq(['redrive', '--all', '--with', 'x'])).toMatchObject({ code: 2 })
    expect(await dlq(['redrive', '0-1', '--all'])).toMatchObject({ code: 2 })
  })
})

describe('weir dlq redrive', () => {
  it('refuses what would be a dead letter again', async () => {
    const letter = await refused('c-mend')
    const { code, stderr, stdout } = await dlq(['redrive', letter])
    expect(code).toBe(1)
    expect(stderr).toContain(
      'country is not two capital letters (WEIR_RECORD_OUT_OF_RANGE) (WEIR_DLQ_REFUSED)',
    )
    expect(stdout).toContain('0 put back, 0 put back before, 1 would be dead letters again')
    const file = join(folder, 'still-wrong.json')
    writeFileSync(file, JSON.stringify(aTransaction({ customer_id: 'c-mend', description: pan })))
    const again = await dlq(['redrive', letter, '--with', file])
    expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining('WEIR_RECORD_PAN') })
    expect(again.stdout + again.stderr).not.toContain(pan)
    writeFileSync(file, '{"customer_idd": 1}')
    expect((await dlq(['redrive', letter, '--with', file])).stderr).toContain('customer_idd is no field')
    expect(await putBack(letter)).toEqual([])
  })

  it('puts a mended record back once, with the key and partition of its customer', async () => {
    const letter = await refused('c-mend')
    const { value } = await json<{ value: object }>('show', letter)
    const file = join(folder, 'mended.json')
    writeFileSync(file, JSON.stringify({ ...value, country: 'DE', transaction_id: 'tx-c-mend' }))
    const dry = await json<Tally>('redrive', letter, '--with', file, '--dry-run')
    expect(dry).toMatchObject({ dry_run: true, redriven: 1 })
    expect(await putBack(letter)).toEqual([])
    expect(await json<Tally>('redrive', letter, '--with', file)).toMatchObject({ redriven: 1, before: 0 })
    expect(await json<Tally>('redrive', letter, '--with', file)).toMatchObject({ redriven: 0, before: 1 })
    const [record, ...others] = await putBack(letter)
    expect(others).toEqual([])
    expect(record?.key?.toString()).toBe('c-mend')
    expect(record?.partition).toBe(partitionOf('c-mend', 2))
    await until('its dead letter or decision', () => decisionsOn('c-mend').length > 0, 60)
    expect(await json('show', letter)).toMatchObject({ redriven: expect.stringMatching(/^20/) })
  })

  it('puts the same bytes back once the cause is gone, and a member decides them once', async () => {
    const label = aLabel({ customer_id: 'c-label', observed_time: eventTime })
    const { labels } = installation.config.topics
    const partition = partitionOf('c-label', 2)
    await installation.log.append([
      // Withheld, since it is larger than the limit of now.
      installation.record(
        aTransaction({ transaction_id: 'tx-c-large', customer_id: 'c-large', description: 'x'.repeat(250) }),
      ),
      { ...old('c-keyless'), key: null, partition: 1 },
      {
        topic: labels,
        partition,
        key: 'c-label',
        value: installation.contracts.labels.encode({ ...label, observed_time: eventTime + 9e9 }),
        timestamp: eventTime,
      },
    ])
    await refused('c-label')
    const [letter] = await sendOld('c-old-2')
    const tooLarge = () =>
      installation.deadLetters.some(({ headers }) => headers['weir-reason'] === 'WEIR_RECORD_TOO_LARGE')
    await until('the large one', tooLarge, 60)

    member.signal('SIGTERM')
    await member.exit()
    member = await installation.start()
    await member.ready()
    const tally = await json<Tally>('redrive', '--all')
    // The label's time, the country, the PAN and what cannot be decoded are as wrong as ever.
    expect(tally).toMatchObject({ redriven: 4, before: 1, refused: 4 })
    expect(await json<Tally>('redrive', '--all')).toMatchObject({ redriven: 0, before: 5, refused: 4 })

    const [record] = await putBack(letter as string)
    expect(record).toMatchObject({ value: old('c-old-2').value, timestamp: eventTime + 120_000 })
    expect(record?.partition).toBe(partitionOf('c-old-2', 2))
    for (const customer of ['c-old-1', 'c-old-2', 'c-large', 'c-keyless']) {
      await until(`the decision of ${customer}`, () => decisionsOn(customer).length > 0, 60)
    }
    const keyless = (await readAll(installation.config.topics.transactions)).filter(({ key }) => key === null)
    expect(keyless.map(({ partition, headers }) => [partition, 'weir-redriven-from' in headers])).toEqual([
      [1, false],
      [1, true],
    ])
    const { codes } = await json<{ codes: object[] }>('list')
    expect(codes).toContainEqual({ code: 'WEIR_RECORD_EVENT_TIME', letters: 4, redriven: 3 })
  })
})

/** Letters that can be put back: the member is strict again while they are made. */
async function somethingToRedrive(count: number): Promise<{ customers: string[]; letters: string[] }> {
  member.signal('SIGTERM')
  await member.exit()
  const strict = await installation.start('limits.event_time_past_ms=60000')
  await strict.ready()
  const customers = Array.from({ length: count }, (_, i) => `c-${randomUUID().slice(0, 6)}-${i}`)
  const letters = await sendOld(...customers)
  strict.signal('SIGTERM')
  await strict.exit()
  member = await installation.start()
  await member.ready()
  return { customers, letters }
}

/** One record and one mark for each letter, and one decision for each customer. */
async function expectOnce({ customers, letters }: { customers: string[]; letters: string[] }): Promise<void> {
  for (const customer of customers) {
    await until(`the decision of ${customer}`, () => decisionsOn(customer).length > 0, 60)
  }
  const { transactions, dead_letters } = installation.config.topics
  const count = (names: (string | undefined)[], name: string) => names.filter((one) => one === name).length
  const records = (await readAll(transactions)).map(({ headers }) => headers['weir-redriven-from'])
  const all = await readAll(dead_letters)
  const marks = all.flatMap((record) => {
    const mark = markOf(record)
    return mark === null ? [] : [`${record.partition}-${mark.offset}`]
  })
  for (const letter of letters) {
    expect([letter, count(records, `${dead_letters}-${letter}`), count(marks, letter)]).toEqual([
      letter,
      1,
      1,
    ])
  }
  for (const customer of customers) expect([customer, decisionsOn(customer).length]).toEqual([customer, 1])
  expect(all.every((record) => deadLetterOf({ topic: '', partition: 0 }, record) || markOf(record))).toBe(
    true,
  )
}

describe('once', () => {
  it('holds when it dies between send and commit, and when it dies right after the commit', async () => {
    const made = await somethingToRedrive(6)
    const die = { NODE_OPTIONS: `--import ${dying}` }
    const killed = await dlq(['redrive', '--all'], { ...die, WEIR_TEST_DIE: 'before' })
    expect(killed.code).toBeNull()
    for (const letter of made.letters) expect(await putBack(letter)).toEqual([])
    const committed = await dlq(['redrive', '--all'], { ...die, WEIR_TEST_DIE: 'after' })
    expect(committed.code).toBeNull()
    expect(await dlq(['redrive', '--all'])).toMatchObject({ code: 0 })
    await expectOnce(made)
  })

  it('holds for several side by side: one fences the other', async () => {
    const made = await somethingToRedrive(40)
    const ended = await Promise.all(Array.from({ length: 4 }, () => dlq(['redrive', '--all'])))
    for (const { code, stderr } of ended) {
      if (code !== 0) expect(stderr).toContain('another redrive took over')
    }
    expect(await dlq(['redrive', '--all'])).toMatchObject({ code: 0 })
    await expectOnce(made)
  })

  it('holds when an open transaction of a member hides the mark from readers', async () => {
    const made = await somethingToRedrive(1)
    const [letter = ''] = made.letters
    const [partition = 0, offset = 0] = letter.split('-').map(Number)
    const at = { topic: installation.config.topics.dead_letters, partition }
    const hiding = createKafkaClient(kafkaClient(installation.config), { retries: 5 }).producer({
      transactionalId: randomUUID(),
      maxInFlightRequests: 1,
    })
    await hiding.connect()
    const transaction = await hiding.transaction()
    await transaction.send({ topic: at.topic, messages: [{ partition, value: 'open' }] })
    // What a redrive does that commits meanwhile.
    const [record] = installation.deadLetters.filter(
      (one) => one.partition === partition && one.offset === offset,
    )
    const found = deadLetterOf(at, record as LogRecord) as DeadLetter
    const writer = await installation.log.fence('weir-redrive', at)
    await writer.commit([redriveMark(found, 0)], offset + 1)
    await writer.close()
    let tally: Tally | undefined
    const redriving = json<Tally>('redrive', letter).then((done) => {
      tally = done
    })
    await sleep(5_000)
    expect(tally).toBeUndefined()
    await transaction.abort()
    await redriving
    expect(tally).toMatchObject({ redriven: 0, before: 1 })
    expect(await putBack(letter)).toEqual([])
    await hiding.disconnect()
  })
})
