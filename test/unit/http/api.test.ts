import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Alert, Decision } from '../../../src/core/types.ts'
import type { ApiOptions, Backend } from '../../../src/http/api.ts'
import { renderOpenApi } from '../../../src/http/openapi.ts'
import { schemas } from '../../../src/http/schemas.ts'
import { type HttpServer, startHttp } from '../../../src/http/server.ts'
import { createMetrics } from '../../../src/observability/metrics.ts'
import { aLabel, aTransaction, eventTime } from '../../helpers/contracts.ts'
import { day, minute } from '../../helpers/feature-values.ts'
import { recordsOf } from '../../helpers/snapshots.ts'
import { EmbeddedMember } from './backend.ts'

const member = new EmbeddedMember()
const { transactions, labels } = member.config.topics
const clock = () => eventTime + day
let server: HttpServer | undefined
let failures: unknown[]

beforeAll(async () => {
  await member.start()
  const payments = Array.from({ length: 30 }, (_, i) =>
    aTransaction({
      transaction_id: `tx-${i}`,
      customer_id: `c-${i % 3}`,
      event_time: eventTime + i * minute,
    }),
  )
  await member.pay(...payments, payments[0] as (typeof payments)[0])
})
afterEach(async () => {
  await server?.close()
  server = undefined
})
afterAll(() => member.stop())

async function start(changes: Partial<ApiOptions> = {}, host = '127.0.0.1') {
  const metrics = createMetrics()
  failures = []
  const api = { backend: () => member.backend, keys: [], maxBytes: 4_096, clock, ...changes }
  const limits = { requestsPerSecond: 10_000, concurrentScores: 8 }
  const started = await startHttp({
    host,
    port: 0,
    metrics,
    live: {},
    ready: {},
    api: { ...limits, ...api },
    failed: (error) => failures.push(error),
  })
  server = started
  const port = new URL(started.url).port
  return async (path: string, body?: unknown, headers: Record<string, string> = {}) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, {
      ...(body !== undefined && { method: 'POST', body: JSON.stringify(body) }),
      headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
    })
    const text = await response.text()
    const type = response.headers.get('content-type')
    const json = type?.includes('json') ? JSON.parse(text) : null
    return { status: response.status, type, headers: response.headers, text, body: json }
  }
}

const keyOf = (role: string) => `key-of-${role}`
const bearer = (role: string) => ({ authorization: `Bearer ${keyOf(role)}` })
const keys = (['payer', 'score', 'analyst'] as const).map((role) => ({
  name: `the-${role}`,
  role,
  sha256: createHash('sha256').update(keyOf(role)).digest('hex'),
}))

/** The decisions on a transaction. */
const decidedOn = async (transactionId: string) => {
  const records = (
    await recordsOf(member.log, `find-${transactionId}`, member.config.topics.decisions)
  ).flat()
  const all = await member.contracts.decisions.decode(records)
  return all.flatMap((one) => (one.ok && one.value.transaction_id === transactionId ? [one.value] : []))
}

describe('keys', () => {
  it('say what may be asked', async () => {
    const ask = await start({ keys })
    const decision_id = (await decidedOn('tx-7'))[0]?.decision_id
    const allowed = async (role: string) =>
      Promise.all([
        ask(`/v1/decisions/${decision_id}/public`, undefined, bearer(role)),
        ask('/v1/score', aTransaction(), bearer(role)),
        ask(`/v1/decisions/${decision_id}/explain`, undefined, bearer(role)),
        ask('/v1/labels', aLabel(), bearer(role)),
      ]).then((answers) => answers.map(({ status }) => status))
    expect(await allowed('payer')).toEqual([200, 403, 403, 403])
    expect(await allowed('score')).toEqual([200, 200, 403, 403])
    expect(await allowed('analyst')).toEqual([200, 200, 200, 202])
    expect(await allowed('nobody')).toEqual([401, 401, 401, 401])
  })

  it('are asked for, and what was given is not repeated', async () => {
    const ask = await start({ keys })
    for (const headers of [
      {},
      { authorization: 'Basic a2V5' },
      { authorization: 'Bearer 4111111111111111' },
    ]) {
      const {
        status,
        type,
        body,
        text,
        headers: sent,
      } = await ask('/v1/score', aTransaction(), { ...headers })
      expect({ status, type, code: body.code }).toEqual({
        status: 401,
        type: expect.stringContaining('application/problem+json'),
        code: 'WEIR_HTTP_UNAUTHENTICATED',
      })
      expect(sent.get('www-authenticate')).toBe('Bearer')
      expect(text).not.toContain('4111')
    }
    expect((await ask('/readyz')).status).toBe(200)
    expect((await ask('/openapi.json')).status).toBe(200)
  })

  it('without any, only a loopback address answers, called by its name', async () => {
    const local = await start()
    expect((await local('/v1/score', aTransaction())).status).toBe(200)
    await server?.close()
    const open = await start({}, '0.0.0.0')
    const { status, body } = await open('/v1/score', aTransaction())
    expect([status, body.code]).toEqual([403, 'WEIR_HTTP_DENIED'])
  })
})

describe('limits', () => {
  it('requests a second are counted by key', async () => {
    const ask = await start({ keys, requestsPerSecond: 3 })
    const many = await Promise.all(
      Array.from({ length: 6 }, () => ask('/v1/score', aTransaction(), bearer('score'))),
    )
    const refused = many.filter(({ status }) => status === 429)
    expect(refused.length).toBeGreaterThanOrEqual(3)
    expect(refused[0]).toMatchObject({ body: { code: 'WEIR_HTTP_LIMIT' } })
    expect(Number(refused[0]?.headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
    expect((await ask('/v1/score', aTransaction(), bearer('analyst'))).status).toBe(200)
  })

  it('payments scored side by side', async () => {
    const whole = member.backend as Backend
    const { promise: isTime, resolve: goOn } = Promise.withResolvers<void>()
    const scoreNow: Backend['scoreNow'] = async (...given) => {
      await isTime
      return whole.scoreNow(...given)
    }
    const ask = await start({ concurrentScores: 2, backend: () => ({ ...whole, scoreNow }) })
    const waiting = [1, 2, 3].map(() => ask('/v1/score', aTransaction()))
    const refused = await Promise.race(waiting)
    expect(refused).toMatchObject({ status: 503, body: { code: 'WEIR_HTTP_BUSY' } })
    expect(refused.headers.get('retry-after')).toBe('1')
    goOn()
    const statuses = (await Promise.all(waiting)).map(({ status }) => status)
    expect(statuses.toSorted()).toEqual([200, 200, 503])
    expect((await ask('/v1/score', aTransaction())).status).toBe(200)
  })
})

describe('a decision', () => {
  it('is explained from the topic, with its alert and its features by name', async () => {
    const ask = await start()
    for (const id of ['tx-0', 'tx-13', 'tx-29']) {
      const [decided] = await decidedOn(id)
      const { status, body } = await ask(`/v1/decisions/${decided?.decision_id}/explain`)
      expect(status).toBe(200)
      const { features, ...rest } = decided as NonNullable<typeof decided>
      expect(body.decision).toEqual({ ...rest, features: expect.anything() })
      expect(Object.keys(body.decision.features)).toEqual(member.active.features.names)
      expect(body.decision.features.amount).toBe(
        features.readFloatLE(4 * member.active.features.names.indexOf('amount')),
      )
      expect(body.alert).toMatchObject({ alert_id: decided?.decision_id, transaction_id: id })
      expect(typeof body.base).toBe('number')
      expect(body.contributions.length).toBe(8)
    }
  })

  it('is explained in the language that is asked for', async () => {
    const ask = await start()
    const [decided] = await decidedOn('tx-4')
    const explain = `/v1/decisions/${decided?.decision_id}/explain`
    const narrative = async (query: string) => (await ask(`${explain}${query}`)).body.alert.narrative
    expect(await narrative('?language=en')).toBe(await narrative(''))
    expect(await narrative('?language=zh')).toMatch(/[\u4e00-\u9fff]/)
    expect(await ask(`${explain}?language=fr`)).toMatchObject({ status: 400 })
  })

  it('that called for no alert is explained by the model that made it', async () => {
    const whole = member.backend as Backend
    const ask = await start({ backend: () => ({ ...whole, findAlert: async () => null }) })
    const [decided] = await decidedOn('tx-4')
    const { body } = await ask(`/v1/decisions/${decided?.decision_id}/explain`)
    const { base, contributions } = (await whole.explain(decided as Decision)) as Pick<
      Alert,
      'base' | 'contributions'
    >
    expect({ base: body.base, contributions: body.contributions, alert: body.alert }).toEqual({
      base,
      contributions: JSON.parse(JSON.stringify(contributions)),
      alert: null,
    })
  })

  it('is told to the payer in one sentence', async () => {
    const ask = await start()
    const [first, second] = await decidedOn('tx-0')
    const { body } = await ask(`/v1/decisions/${first?.decision_id}/public`)
    expect(Object.keys(body)).toEqual(['decision_id', 'outcome', 'reason'])
    const again = await ask(`/v1/decisions/${second?.decision_id}/public`)
    expect(second?.status).toBe('duplicate')
    expect(again.body).toEqual({ ...body, decision_id: second?.decision_id })
  })

  it('that is none is not found', async () => {
    const ask = await start()
    const ids = [
      'x',
      `${transactions}-0-99999999`,
      `${transactions}-7-0`,
      `${transactions}-0-00`,
      '..%2f',
      `other-0-0`,
    ]
    for (const id of ids) {
      const { status, body } = await ask(`/v1/decisions/${id}/explain`)
      expect([id, status, body.code]).toEqual([id, 404, 'WEIR_HTTP_NOT_FOUND'])
    }
  })
})

describe('a label', () => {
  it('lies on its topic once it is accepted', async () => {
    const ask = await start()
    const label = aLabel({ label_id: 'l-9', customer_id: 'c-1' })
    const { status, body } = await ask('/v1/labels', label)
    expect([status, body]).toEqual([202, { label_id: 'l-9' }])
    const records = (await recordsOf(member.log, 'labels-reader', labels)).flat()
    const read = await member.contracts.labels.decode(records)
    expect(read.flatMap((one) => (one.ok ? [one.value] : []))).toContainEqual(label)
    expect(records.at(-1)?.timestamp).toBe(clock())
  })

  it.each([
    ['a card number', { fraud_type: '4111111111111111' }, 'WEIR_RECORD_PAN'],
    ['an unknown source', { source: 'hearsay' }, 'WEIR_RECORD_OUT_OF_RANGE'],
    ['observed before it happened', { observed_time: 1 }, 'WEIR_RECORD_OUT_OF_RANGE'],
    ['observed in the future', { observed_time: clock() + 1e9 }, 'WEIR_RECORD_EVENT_TIME'],
    ['a field that is none', { fraude: true }, 'WEIR_RECORD_UNDECODABLE'],
  ])('is refused for %s', async (_, changes, code) => {
    const ask = await start()
    const { status, body, text } = await ask('/v1/labels', { ...aLabel(), ...changes })
    expect([status, body.code]).toEqual([400, code])
    expect(text).not.toMatch(/4111|hearsay|fraude/)
  })
})

describe('what holds', () => {
  it('rules as they were written', async () => {
    const ask = await start()
    const { body } = await ask('/v1/rules')
    expect(body).toMatchObject({ control_offset: 0, id: expect.stringMatching(/^1\.0\.0#/) })
    expect(body.rules[0]).toMatchObject({ id: 'card-testing', outcome: 'decline', priority: 90 })
    const [decided] = await decidedOn('tx-3')
    expect(decided?.rules).toBe(body.id)
  })

  it('lists, a page at a time', async () => {
    const ask = await start()
    const first = await ask('/v1/lists/deny?limit=3')
    expect(first.body).toMatchObject({ total: 4, next: 3 })
    const rest = await ask(`/v1/lists/deny?limit=3&from=${first.body.next}`)
    const entries = [...first.body.entries, ...rest.body.entries]
    expect(entries.map(({ value }) => value)).toEqual(['bad-0', 'bad-1', 'bad-2', 'bad-3'])
    expect(rest.body.next).toBeNull()
    expect((await ask('/v1/lists/watch')).body.entries).toMatchObject([{ value: 'bad-4', who: 'ana' }])
    expect((await ask('/v1/lists/allow')).body).toMatchObject({ total: 0, entries: [] })
  })

  it('other lists there are not, nor other queries', async () => {
    const ask = await start()
    expect(await ask('/v1/lists/grey')).toMatchObject({ status: 404, body: { code: 'WEIR_HTTP_NOT_FOUND' } })
    for (const query of ['limit=-1', 'from=x', 'order=up']) {
      const answer = await ask(`/v1/lists/deny?${query}`)
      expect(answer, query).toMatchObject({ status: 400, body: { code: 'WEIR_HTTP_REQUEST' } })
    }
  })
})

it('what is no fault of the request is told to the operator, not to the caller', async () => {
  const broken = member.backend as Backend
  const findDecision = async () => {
    throw new Error('secret of the house')
  }
  const ask = await start({ backend: () => ({ ...broken, findDecision }) })
  const { status, body, text } = await ask('/v1/decisions/x/public')
  expect([status, body.code]).toEqual([500, 'WEIR_HTTP_FAILED'])
  expect(text).not.toContain('secret')
  expect(failures).toMatchObject([{ message: 'secret of the house' }])
})

it('requests are counted by route, not by address', async () => {
  const ask = await start()
  await ask('/v1/decisions/x/public')
  await ask('/nowhere/4111111111111111')
  const { text } = await ask('/metrics')
  expect(text).toContain('weir_http_requests_total{route="/v1/decisions/:decision_id/public",status="404"} 1')
  expect(text).toContain('weir_http_requests_total{route="none",status="404"} 1')
  expect(text).toContain('weir_http_request_duration_seconds_count{route="none"} 1')
  expect(text).not.toContain('4111111111111111')
})

describe('the OpenAPI document', () => {
  it('is the committed one (npm run reference)', async () => {
    const ask = await start()
    const { body } = await ask('/openapi.json')
    const committed = readFileSync(new URL('../../../docs/openapi.json', import.meta.url), 'utf8')
    expect(committed).toBe(await renderOpenApi())
    expect(body).toEqual(JSON.parse(committed))
  })

  it('has examples that are served, and answers that are as it says', async () => {
    const ask = await start()
    const ajv = new Ajv2020({ strict: false })
    for (const [name, schema] of Object.entries(schemas)) ajv.addSchema({ $id: name, ...schema })
    const isA = (name: string, value: unknown) => {
      expect(ajv.validate(`${name}#`, value), ajv.errorsText()).toBe(true)
    }
    const scored = await ask('/v1/score', schemas.Transaction.examples[0])
    expect(scored.status).toBe(200)
    isA('Score', scored.body)
    const labelled = await ask('/v1/labels', schemas.Label.examples[0])
    expect(labelled.status).toBe(202)
    isA('LabelReceipt', labelled.body)
    const [decided] = await decidedOn('tx-5')
    isA('Explanation', (await ask(`/v1/decisions/${decided?.decision_id}/explain`)).body)
    isA('PublicDecision', (await ask(`/v1/decisions/${decided?.decision_id}/public`)).body)
    isA('Rules', (await ask('/v1/rules')).body)
    isA('ListPage', (await ask('/v1/lists/deny')).body)
    isA('Problem', (await ask('/v1/decisions/x/public')).body)
  })
})
