import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createMemoryLog } from '../../../src/adapters/memory-log.ts'
import { createMemoryStore } from '../../../src/adapters/memory-store.ts'
import { loadActiveSet } from '../../../src/apps/active-set.ts'
import { openContracts } from '../../../src/apps/connect.ts'
import { loadConfig } from '../../../src/config/load.ts'
import type { ActiveSet } from '../../../src/core/decide.ts'
import { WeirError } from '../../../src/core/errors.ts'
import { partitionOf } from '../../../src/core/partition.ts'
import type { StateStore } from '../../../src/core/ports.ts'
import { type Decision, outcomes, type Transaction } from '../../../src/core/types.ts'
import { contractFields } from '../../../src/files/contract.ts'
import { type HttpServer, startHttp } from '../../../src/http/server.ts'
import { createMetrics } from '../../../src/observability/metrics.ts'
import { type Scorer, startScorer } from '../../../src/stream/scorer.ts'
import { aTransaction, eventTime } from '../../helpers/contracts.ts'
import { minute } from '../../helpers/feature-values.ts'
import { recordsOf } from '../../helpers/snapshots.ts'

const partitions = 2
const { config } = loadConfig({ file: '/dev/null', env: {}, set: [`topics.partitions=${partitions}`] })
const { transactions, labels, decisions, alerts, dead_letters, entity_updates } = config.topics
const topics = [transactions, labels, decisions, alerts, dead_letters, entity_updates]
const champion = await loadActiveSet(config, () => {})
/** Every decision is one that a person should see. */
const active: ActiveSet = {
  ...champion,
  policy: { ...champion.policy, file: { ...champion.policy.file, alert_on: outcomes } },
}
const contracts = await openContracts(config)

const log = createMemoryLog({ topics: Object.fromEntries(topics.map((name) => [name, partitions])) })
const kept = createMemoryStore()
let isStoreAway = false
const store: StateStore = {
  ...kept,
  peek: async (...given) => {
    if (isStoreAway)
      throw new WeirError('WEIR_STORE_UNAVAILABLE', 'Redis did not answer', { retriable: true })
    return kept.peek(...given)
  },
}
let isReady = true
let scorer: Scorer
let server: HttpServer

beforeAll(async () => {
  let tokens = 0
  scorer = await startScorer({
    config,
    log,
    store,
    contracts,
    active: () => active,
    clock: () => 0,
    now: () => performance.now() / 1000,
    newToken: () => String(tokens++),
    observer: {},
  })
  server = await startHttp({
    host: '127.0.0.1',
    port: 0,
    registry: createMetrics().registry,
    live: {},
    ready: { lanes: () => ({ ok: isReady, detail: 'partitions are being rebuilt' }) },
    testEvents: {
      answer: () => scorer.testEvent,
      fields: Object.keys(contractFields('transaction.avsc')),
      features: active.features.names,
      maxBytes: 4_096,
      clock: () => eventTime + 60 * minute,
    },
  })
  await pay(...Array.from({ length: 20 }, (_, i) => payment(i)))
})
afterAll(async () => {
  await server.close()
  await scorer.stop()
})

const payment = (i: number, changes: Partial<Transaction> = {}) =>
  aTransaction({ transaction_id: `tx-${i}`, event_time: eventTime + i * minute, ...changes })

async function pay(...payments: Transaction[]): Promise<void> {
  await log.append(
    payments.map((transaction) => ({
      topic: transactions,
      partition: partitionOf(transaction.customer_id, partitions),
      key: transaction.customer_id,
      value: contracts.transactions.encode(transaction),
      timestamp: transaction.event_time,
    })),
  )
  await scorer.subscription.idle()
}

async function post(body: unknown, headers: Record<string, string> = {}, query = '') {
  const response = await fetch(`${server.url}/v1/test-event${query}`, {
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

describe('a test event', () => {
  it('is answered with the decision that the payment then gets, and changes nothing', async () => {
    const next = payment(20, { amount_minor: 250_000, country: 'BR' })
    const before = await everything()
    const { status, body } = await post(next)
    expect(status).toBe(200)
    expect(await everything()).toEqual(before)
    await pay(next)
    const decided = (await decisionOn('tx-20')) as Decision
    const { features, ...rest } = decided
    expect(body.decision).toEqual({ ...rest, decision_id: 'test-event', features: expect.anything() })
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
    expect(body.alert).toMatchObject({ alert_id: 'test-event', amount_minor: 99_000, outcome, risk_score })
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
    ['a misspelt field', { mmc: '5411' }, 400, 'WEIR_RECORD_UNDECODABLE', /^the body has field mmc that/],
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
    expect(answer).toMatchObject({ status, body: { code, message: expect.stringMatching(message) } })
    expect(answer.text).not.toContain('4111')
    expect(Object.keys(answer.body).toSorted()).toEqual(expect.arrayContaining(['code', 'message']))
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
    isStoreAway = true
    expect(await post(payment(50))).toMatchObject({ status: 503, body: { code: 'WEIR_STORE_UNAVAILABLE' } })
    isStoreAway = false
    isReady = false
    expect(await post(payment(50))).toMatchObject({
      status: 503,
      body: { code: 'WEIR_HTTP_NOT_READY', message: 'lanes: partitions are being rebuilt' },
    })
    isReady = true
    expect((await post(payment(50))).status).toBe(200)
  })

  it('where test events are switched off', async () => {
    const { registry } = createMetrics()
    const without = await startHttp({ host: '127.0.0.1', port: 0, registry, live: {}, ready: {} })
    const response = await fetch(`${without.url}/v1/test-event`, { method: 'POST' })
    expect(response.status).toBe(404)
    await without.close()
  })
})
