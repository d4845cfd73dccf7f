import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Decision, Transaction } from '../../../src/core/types.ts'
import { type HttpServer, startHttp } from '../../../src/http/server.ts'
import { createMetrics } from '../../../src/observability/metrics.ts'
import { aTransaction, eventTime } from '../../helpers/contracts.ts'
import { minute } from '../../helpers/feature-values.ts'
import { recordsOf } from '../../helpers/snapshots.ts'
import { EmbeddedMember, topics } from './backend.ts'

const member = new EmbeddedMember()
const { log, kept, active, contracts } = member
const { decisions } = member.config.topics
const metrics = createMetrics()
let isReady = true
let server: HttpServer

beforeAll(async () => {
  await member.start()
  server = await startHttp({
    host: '127.0.0.1',
    port: 0,
    metrics,
    live: {},
    ready: { lanes: () => ({ ok: isReady, detail: 'partitions are being rebuilt' }) },
    api: {
      backend: () => member.backend,
      keys: [],
      maxBytes: 4_096,
      requestsPerSecond: 10_000,
      concurrentScores: 2,
      clock: () => eventTime + 60 * minute,
    },
  })
  await member.pay(...Array.from({ length: 20 }, (_, i) => payment(i)))
})
afterAll(async () => {
  await server.close()
  await member.stop()
})

const payment = (i: number, changes: Partial<Transaction> = {}) =>
  aTransaction({ transaction_id: `tx-${i}`, event_time: eventTime + i * minute, ...changes })

async function post(body: unknown, headers: Record<string, string> = {}, query = '') {
  const response = await fetch(`${server.url}/v1/score${query}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
  const text = await response.text()
  return { status: response.status, text, body: JSON.parse(text) }
}

/** Everything that could have changed. */
async function everything() {
  const found: unknown[] = []
  for (const partition of [0, 1]) {
    for (const topic of topics) found.push(topic, await log.bounds({ topic, partition }))
    for (const kind of ['t', 'l', 'e'] as const) {
      found.push(await kept.watermark({ kind, partition }))
      for await (const keys of kept.keys({ kind, partition })) {
        found.push(keys, await kept.peek({ kind, partition }, keys))
      }
    }
  }
  return found
}

async function decisionOn(id: string): Promise<Decision | undefined> {
  const records = (await recordsOf(log, `reader-${id}`, decisions)).flat()
  const all = (await contracts.decisions.decode(records)).map((checked) =>
    checked.ok ? checked.value : null,
  )
  return all.find((one) => one?.transaction_id === id) ?? undefined
}

describe('a payment scored now', () => {
  it('is answered with the decision that the payment then gets, and changes nothing', async () => {
    const next = payment(20, { amount_minor: 250_000, country: 'BR' })
    const before = await everything()
    const { status, body } = await post(next)
    expect(status).toBe(200)
    expect(await everything()).toEqual(before)
    await member.pay(next)
    const decided = (await decisionOn('tx-20')) as Decision
    const { features, ...rest } = decided
    expect(body.decision).toEqual({ ...rest, decision_id: 'not-recorded', features: expect.anything() })
    expect(Object.keys(body.decision.features)).toEqual(active.features.names)
    const values = active.features.names.map((name, i) => {
      const value = features.readFloatLE(4 * i)
      return [name, Number.isNaN(value) ? null : value]
    })
    expect(Object.entries(body.decision.features)).toEqual(values)
    expect(body.decision.features.customer_total_count).toBe(20)
  })

  it('knows a payment that was decided already', async () => {
    const { body } = await post(payment(3))
    const first = await decisionOn('tx-3')
    expect(body).toMatchObject({
      decision: { status: 'duplicate', outcome: null, duplicate_of: first?.decision_id, features: {} },
      alert: null,
    })
  })

  it('has the alert that the decision calls for', async () => {
    const { body } = await post(payment(30, { amount_minor: 99_000 }))
    const { outcome, risk_score } = body.decision
    expect(body.alert).toMatchObject({ alert_id: 'not-recorded', amount_minor: 99_000, outcome, risk_score })
  })

  it('may leave out what the contract has a default for, and is stamped as the caller says', async () => {
    const { mcc: _, device_id: __, ...short } = payment(40)
    expect(await post(short)).toMatchObject({ status: 200, body: { decision: { status: 'scored' } } })
    const old = { ...short, event_time: eventTime - 30 * 86_400_000 }
    expect(await post(old)).toMatchObject({ status: 400, body: { code: 'WEIR_RECORD_EVENT_TIME' } })
    expect(await post(old, {}, `?record_timestamp=${old.event_time}`)).toMatchObject({ status: 200 })
    expect(await post(old, {}, '?record_timestamp=soon')).toMatchObject({ status: 400 })
  })
})

const pan = '4111111111111111'

describe('is refused', () => {
  it.each<[string, unknown, number, string, RegExp]>([
    ['a card number', { description: `card ${pan}` }, 400, 'WEIR_RECORD_PAN', /^description holds a primary/],
    ['a card number as a name', { [pan]: 'x' }, 400, 'WEIR_RECORD_UNDECODABLE', /^the body has a field that/],
    [
      'a misspelt field',
      { mmc: '5411' },
      400,
      'WEIR_RECORD_UNDECODABLE',
      /that the schema Transaction lacks; perhaps mcc/,
    ],
    [
      'an amount in quotes',
      { amount_minor: '12' },
      400,
      'WEIR_RECORD_OUT_OF_RANGE',
      /^amount_minor is not an integer/,
    ],
    ['a negative amount', { amount_minor: -1 }, 400, 'WEIR_RECORD_OUT_OF_RANGE', /^amount_minor/],
    [
      'no customer',
      { customer_id: undefined },
      400,
      'WEIR_RECORD_OUT_OF_RANGE',
      /^customer_id is not 1 to 64/,
    ],
    ['a nested object', { merchant_id: { id: 1 } }, 400, 'WEIR_RECORD_OUT_OF_RANGE', /^merchant_id/],
    ['an unknown currency', { currency: 'XXX' }, 400, 'WEIR_RECORD_UNKNOWN_CURRENCY', /^currency/],
    [
      'a currency without a rate',
      { currency: 'MNT' },
      400,
      'WEIR_RECORD_UNKNOWN_CURRENCY',
      /has no rate for MNT/,
    ],
    [
      'a future that is too far',
      { event_time: eventTime + 1e9 },
      400,
      'WEIR_RECORD_EVENT_TIME',
      /^event_time lies/,
    ],
    [
      'a body that is too large',
      { description: 'x'.repeat(5_000) },
      413,
      'WEIR_RECORD_TOO_LARGE',
      /more than 4096 bytes/,
    ],
  ])('%s', async (_, changes, status, code, message) => {
    const answer = await post({ ...aTransaction(), ...(changes as object) })
    expect(answer).toMatchObject({ status, body: { code, detail: expect.stringMatching(message) } })
    expect(answer.text).not.toContain('4111')
    expect(Object.keys(answer.body)).toEqual(['type', 'title', 'status', 'code', 'detail'])
  })

  it('what is no JSON object, or not announced as one', async () => {
    for (const body of ['', `{"description": "${pan}"`, '[]', '1', 'null', `"${pan}"`]) {
      const answer = await post(body)
      expect(answer, body).toMatchObject({ status: 400, body: { code: 'WEIR_RECORD_UNDECODABLE' } })
      expect(answer.text).not.toContain('4111')
    }
    const xml = await post('<a/>', { 'content-type': 'text/xml' })
    expect(xml).toMatchObject({ status: 415, body: { code: 'WEIR_RECORD_UNDECODABLE' } })
  })

  it('while the member is not ready, or the store is away', async () => {
    member.isStoreAway = true
    expect(await post(payment(50))).toMatchObject({ status: 503, body: { code: 'WEIR_STORE_UNAVAILABLE' } })
    member.isStoreAway = false
    isReady = false
    expect(await post(payment(50))).toMatchObject({
      status: 503,
      body: { code: 'WEIR_HTTP_NOT_READY', detail: 'lanes: partitions are being rebuilt' },
    })
    isReady = true
    expect((await post(payment(50))).status).toBe(200)
  })

  it('where there is no API', async () => {
    const without = await startHttp({ host: '127.0.0.1', port: 0, metrics, live: {}, ready: {} })
    const response = await fetch(`${without.url}/v1/score`, { method: 'POST' })
    expect(response.status).toBe(404)
    await without.close()
  })
})
