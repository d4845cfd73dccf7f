import { execFile } from 'node:child_process'
import { createHash, randomUUID } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest'
import { type Client, type ClientEvent, createClient } from 'weir/client'
import type { Decision } from '../../src/core/types.ts'
import { aTransaction } from '../helpers/contracts.ts'
import { Installation, type MemberProcess, until, type Written } from '../helpers/installation.ts'

/** The client beside a member on Kafka and Redis, which comes and goes. */
const root = join(import.meta.dirname, '../..')
const key = 'key-of-the-checkout'
const sha256 = createHash('sha256').update(key).digest('hex')
const keys = JSON.stringify([{ name: 'checkout', role: 'score', sha256 }])
const soon = { deadlineMs: 30_000, fallback: 'review' } as const

let live: Installation
let member: MemberProcess
let client: Client | undefined
let events: ClientEvent[]

beforeAll(async () => {
  live = await Installation.create([
    `kafka.brokers=${inject('kafkaBrokers')}`,
    `redis.url=${inject('redisUrl')}`,
    'kafka.session_timeout_ms=6000',
    `http.keys=${keys}`,
  ])
  member = await (await live.start()).ready()
})
afterEach(async () => {
  await client?.close()
  client = undefined
})
afterAll(() => live[Symbol.asyncDispose]())

async function overKafka(maxPending = 100): Promise<Client> {
  const { kafka, topics } = live.config
  events = []
  client = await createClient({
    kafka: { brokers: kafka.brokers, topics, maxPending },
    onEvent: (event) => events.push(event),
  })
  return client
}

async function overHttp(given = key): Promise<Client> {
  client = await createClient({ http: { url: member.url, key: given } })
  return client
}

const payment = () => {
  const { latitude: _, longitude: __, ...rest } = aTransaction({ event_time: Date.now() })
  return { ...rest, transaction_id: `tx-${randomUUID()}`, customer_id: `c-${randomUUID()}` }
}

const decisionsOn = (id: string) => live.decisions.filter(({ content }) => content.transaction_id === id)

describe('over Kafka', () => {
  it('a payment is sent, and answered with its one decision', async () => {
    const { decide } = await overKafka()
    const payments = Array.from({ length: 20 }, payment)
    const answers = await Promise.all(payments.map((one) => decide(one, soon)))
    for (const [i, answer] of answers.entries()) {
      const { transaction_id } = payments[i] as (typeof payments)[number]
      await until('the decision', () => decisionsOn(transaction_id).length > 0)
      const { features: _, ...decision } = (decisionsOn(transaction_id)[0] as Written<Decision>).content
      expect(answer).toEqual({ source: 'weir', outcome: decision.outcome, decision })
    }
    expect(events).toEqual([])
  })

  it('sent again, the first decision stands, however many ask', async () => {
    const { decide } = await overKafka()
    const one = payment()
    const [first, second] = await Promise.all([decide(one, soon), decide(one, soon)])
    expect(second).toEqual(first)
    expect(await decide(one, soon)).toEqual(first)
    // A client that saw nothing of it before.
    await client?.close()
    const later = await overKafka()
    expect(await later.decide(one, soon)).toEqual(first)
    await until('three decisions', () => decisionsOn(one.transaction_id).length === 3)
    expect(
      decisionsOn(one.transaction_id)
        .map(({ content }) => content.status)
        .toSorted(),
    ).toEqual(['duplicate', 'duplicate', 'scored'])
  })

  it('what is no payment is refused and not sent', async () => {
    const { decide } = await overKafka()
    const rejects = expect(decide({ ...payment(), description: 'card 4111111111111111' }, soon)).rejects
    await rejects.toMatchObject({ code: 'WEIR_RECORD_PAN' })
  })

  it('while weir is away the default is given at the deadline; what it decides later is told', async () => {
    const { decide } = await overKafka()
    await decide(payment(), soon)
    member.signal('SIGTERM')
    await member.exit()
    const one = payment()
    const begun = performance.now()
    const answer = await decide(one, { deadlineMs: 400, fallback: 'challenge' })
    const tookMs = performance.now() - begun
    expect(answer).toEqual({ source: 'default', outcome: 'challenge', why: 'deadline' })
    expect(tookMs).toBeGreaterThanOrEqual(399)
    expect(tookMs).toBeLessThan(5_000)
    expect(events).toEqual([])
    member = await (await live.start()).ready()
    await until('the late decision', () => events.length > 0, 60)
    const { lateMs, ...late } = events[0] as Extract<ClientEvent, { type: 'late' }>
    expect(late).toMatchObject({
      type: 'late',
      decision: { transaction_id: one.transaction_id, status: 'scored' },
    })
    expect(lateMs).toBeGreaterThan(0)
  })

  it('it is bounded, and says whom it no longer waits for', async () => {
    const { decide } = await overKafka(2)
    member.signal('SIGTERM')
    await member.exit()
    const hurry = { deadlineMs: 300, fallback: 'review' } as const
    const many = [payment(), payment(), payment()]
    const answers = await Promise.all(many.map((one) => decide(one, hurry)))
    expect(answers.map((answer) => 'why' in answer && answer.why)).toEqual(['deadline', 'deadline', 'busy'])
    await decide(payment(), hurry)
    await client?.close()
    const unanswered = events.map((event) => event.type === 'unanswered' && event.transactionId)
    expect(unanswered.slice(0, 2)).toEqual(many.slice(0, 2).map(({ transaction_id }) => transaction_id))
    expect(unanswered.length).toBe(3)
    await expect(decide(payment(), hurry)).rejects.toMatchObject({ code: 'WEIR_CLIENT_CLOSED' })
    member = await (await live.start()).ready()
  })

  it('brokers that are away are said at once', async () => {
    const nobody = createClient({ kafka: { brokers: ['127.0.0.1:1'] } })
    await expect(nobody).rejects.toMatchObject({ code: 'WEIR_LOG_UNAVAILABLE' })
  })
})

it('the example of docs/client.md runs', async () => {
  const { kafka, topics } = live.config
  const text = readFileSync(join(root, 'docs/client.md'), 'utf8')
  const [, code = ''] = /```ts example\n(.*?)```/s.exec(text) ?? []
  const here = code
    .replace('localhost:9092', kafka.brokers[0] as string)
    .replace('payments.transactions.v1', topics.transactions)
    .replace('fraud.decisions.v1', topics.decisions)
  // Inside the package, which knows itself by name.
  mkdirSync(join(root, '.cache'), { recursive: true })
  const folder = mkdtempSync(join(root, '.cache/example-'))
  try {
    writeFileSync(join(folder, 'example.ts'), here)
    const { stdout } = await promisify(execFile)(process.execPath, [join(folder, 'example.ts')])
    expect(stdout).toMatch(/^weir (approve|challenge|review|decline)\n$/)
  } finally {
    rmSync(folder, { recursive: true })
  }
})

describe('over HTTP', () => {
  it('a payment is asked about, and nothing changes', async () => {
    const { decide } = await overHttp()
    const one = payment()
    const answer = await decide(one, soon)
    expect(answer).toMatchObject({
      source: 'weir',
      decision: { decision_id: 'not-recorded', status: 'scored' },
    })
    expect(await decide(one, soon)).toEqual(answer)
    expect(decisionsOn(one.transaction_id)).toEqual([])
  })

  it('of a payment that was decided the first decision stands', async () => {
    const kafka = await overKafka()
    const one = payment()
    const decided = await kafka.decide(one, soon)
    await kafka.close()
    const { decide } = await overHttp()
    const answer = await decide(one, soon)
    expect(answer).toMatchObject({ outcome: decided.outcome, decision: { status: 'duplicate' } })
  })

  it('a key that is not known is an error, a member that is away is none', async () => {
    const refused = await overHttp('another')
    await expect(refused.decide(payment(), soon)).rejects.toMatchObject({ code: 'WEIR_HTTP_UNAUTHENTICATED' })
    const nobody = await createClient({ http: { url: 'http://127.0.0.1:1' } })
    expect(await nobody.decide(payment(), soon)).toEqual({
      source: 'default',
      outcome: 'review',
      why: 'unavailable',
    })
    await nobody.close()
  })
})
