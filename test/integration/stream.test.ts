import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { createCodec } from '../../src/adapters/avro.ts'
import { createFileSchemaSource, readSchema } from '../../src/adapters/avro-schema-files.ts'
import type { Random } from '../../src/core/random.ts'
import type { Transaction } from '../../src/core/types.ts'
import { spoilt } from '../../src/generator/damage.ts'
import { aLabel, aTransaction, eventTime } from '../helpers/contracts.ts'
import { day, minute, shipped } from '../helpers/feature-values.ts'
import { Installation, type MemberProcess, until } from '../helpers/installation.ts'
import { type Service, startKafka, startRedis } from '../helpers/services.ts'
import { freePort } from '../helpers/services-ready.ts'
import { weir } from '../helpers/weir.ts'

const folder = mkdtempSync(join(tmpdir(), 'weir-stream-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** The shipped policy, but every decision is one that a person should see. */
const alertOnAll = join(folder, 'policy.yaml')
writeFileSync(
  alertOnAll,
  readFileSync('policy.yaml', 'utf8').replace(
    /^alert_on:.*$/m,
    'alert_on: [approve, challenge, review, decline]',
  ),
)

const shared = () => [
  `kafka.brokers=${inject('kafkaBrokers')}`,
  `redis.url=${inject('redisUrl')}`,
  `policy=${alertOnAll}`,
]

/** Payments of as many customers, one each. */
const payments = (name: string, count: number, changes: Partial<Transaction> = {}): Transaction[] =>
  Array.from({ length: count }, (_, i) =>
    aTransaction({
      transaction_id: `${name}-${i}`,
      customer_id: `${name}-${i}`,
      device_id: null,
      ...changes,
    }),
  )

const featureOf = (features: Buffer, name: string) => features.readFloatLE(4 * shipped.names.indexOf(name))

describe('a member', () => {
  let own: Installation
  let member: MemberProcess
  /** Statuses of /readyz while it started. */
  const statuses: number[] = []

  beforeAll(async () => {
    own = await Installation.create(shared())
    member = await own.start()
    await until('readiness', async () => {
      const health = await member.health('/readyz')
      if (health !== null) statuses.push(health.status)
      return health?.status === 200
    })
  })
  afterAll(() => own[Symbol.asyncDispose]())

  it('is alive before it is ready, and ready once it has its partitions', async () => {
    expect(statuses[0]).toBe(503)
    expect(await member.health('/livez')).toMatchObject({ status: 200 })
    const health = await member.health('/readyz')
    expect(health?.checks['lanes']).toEqual({ ok: true, detail: '6 partitions, 0 not ready' })
  })

  it('carries the trace of a payment to its decision and alert, which is a CloudEvent', async () => {
    const transaction = aTransaction({ transaction_id: 'traced', customer_id: 'traced' })
    const trace = {
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      tracestate: 'vendor=value',
    }
    const sentAt = Date.now()
    await own.log.append([own.record(transaction, { headers: { ...trace, other: 'stays' } })])
    const decision = await own.decisionOn('traced')
    expect(decision.headers).toEqual({ ...trace, 'weir-decided-at': expect.stringMatching(/^\d{13}$/) })
    expect(Number(decision.headers['weir-decided-at'])).toBeGreaterThanOrEqual(sentAt)
    expect(Number(decision.headers['weir-decided-at'])).toBeLessThanOrEqual(Date.now())
    expect(decision.partition).toBe(own.record(transaction).partition)

    await until('the alert', () => own.alerts.some(({ content }) => content.transaction_id === 'traced'))
    const alert = own.alerts.find(({ content }) => content.transaction_id === 'traced')
    expect(alert?.headers).toEqual({
      ...decision.headers,
      ce_specversion: '1.0',
      ce_id: decision.content.decision_id,
      ce_source: own.config.topics.transactions,
      ce_type: 'weir.v1.Alert',
      ce_time: '2026-01-15T12:00:00.000Z',
      'content-type': 'application/avro',
    })
    expect(alert?.partition).toBe(decision.partition)
  })

  it('answers a payment that was sent again with the decision it has', async () => {
    const [payment] = payments('again', 1) as [Transaction]
    await own.send(payment)
    const first = await own.decisionOn('again-0')
    expect(first.content).toMatchObject({ status: 'scored', duplicate_of: null })
    await own.send(payment)
    const all = () => own.decisions.filter(({ content }) => content.transaction_id === 'again-0')
    await until('the second decision', () => all().length === 2)
    expect(all()[1]?.content).toMatchObject({
      status: 'duplicate',
      duplicate_of: first.content.decision_id,
      outcome: null,
    })
    expect(own.alerts.filter(({ content }) => content.transaction_id === 'again-0')).toHaveLength(1)
  })

  it('answers what cannot be decided with a dead letter that says why', async () => {
    const codes: Readonly<Record<string, string>> = {
      empty: 'EMPTY',
      not_avro: 'NOT_AVRO',
      truncated: 'UNDECODABLE',
      trailing_bytes: 'UNDECODABLE',
      unknown_schema: 'UNKNOWN_SCHEMA',
      length_bomb: 'UNDECODABLE',
      oversized: 'TOO_LARGE',
      unknown_currency: 'UNKNOWN_CURRENCY',
      negative_amount: 'OUT_OF_RANGE',
      event_time_1970: 'EVENT_TIME',
      event_time_2100: 'EVENT_TIME',
      pan_in_description: 'PAN',
      latitude_out_of_range: 'OUT_OF_RANGE',
    }
    // Written as a payment system without our checks would.
    const source = createFileSchemaSource()
    const file = 'transaction.avsc'
    const id = await source.idOf('', file)
    const { encode } = createCodec<Transaction>({
      schema: readSchema(file),
      id,
      source,
      maxRecordBytes: 1_000_000,
      check: (value) => ({ ok: true, value }),
    })
    const before = own.decisions.length
    const sent = everyDamage().map(({ damage, candidate, spoil }) => {
      const value = spoil(encode(candidate))
      return { damage, record: own.record(aTransaction(), { value, headers: { damage } }) }
    })
    expect(sent.map(({ damage }) => damage).toSorted()).toEqual(Object.keys(codes).toSorted())
    const { topic, partition } = own.record(aTransaction())
    const { end } = await own.log.bounds({ topic, partition })
    await own.log.append(sent.map(({ record }) => record))
    await until('the dead letters', () => own.deadLetters.length === sent.length)

    sent.forEach(({ damage, record }, i) => {
      const letter = own.deadLetters.find(
        ({ headers }) => headers['__connect.errors.offset'] === String(end + i),
      )
      const code = `WEIR_RECORD_${codes[damage]}`
      expect(letter).toMatchObject({ partition, timestamp: record.timestamp })
      expect(letter?.headers).toMatchObject({
        '__connect.errors.topic': topic,
        '__connect.errors.partition': String(partition),
        '__connect.errors.exception.class.name': code,
        'weir-reason': code,
      })
      expect(letter?.headers['__connect.errors.exception.message']).not.toBe('')
      const isWithheld = code === 'WEIR_RECORD_PAN' || code === 'WEIR_RECORD_TOO_LARGE'
      expect(letter?.headers['weir-withheld']).toBe(String(isWithheld))
      expect(letter?.value).toEqual(isWithheld ? null : record.value)
      expect(letter?.headers['damage']).toBe(isWithheld ? undefined : damage)
    })
    expect(own.decisions).toHaveLength(before)
    expect(JSON.stringify(own.deadLetters.map(({ headers }) => headers))).not.toMatch(/4111/)
    expect(member.output).not.toMatch(/4111/)
    expect(await member.metric('weir_dead_letters_total')).toBe(sent.length)
    expect(await member.metric('weir_dead_letters_total', 'code="WEIR_RECORD_PAN"')).toBe(1)
  })

  it('learns from a label, a day later', async () => {
    const merchant_id = 'bad-merchant'
    const names = { merchant_id, event_time: eventTime }
    await own.send(...payments('victim', 4, names))
    await Promise.all([0, 1, 2, 3].map((i) => own.decisionOn(`victim-${i}`)))
    await own.sendLabels(
      ...[0, 1].map((i) =>
        aLabel({
          label_id: `label-${i}`,
          transaction_id: `victim-${i}`,
          customer_id: `victim-${i}`,
          merchant_id,
          device_id: null,
          observed_time: eventTime + minute,
        }),
      ),
    )
    const rateAt = async (name: string, event_time: number) => {
      await own.send(...payments(name, 1, { merchant_id, event_time }))
      const { content } = await own.decisionOn(`${name}-0`)
      return featureOf(content.features, 'merchant_fraud_rate_7d')
    }
    // They are folded by other lanes, one after the other: it takes a moment until both are seen, which is two of the
    // four matured payments and ten of the prior. The payments that ask are two days on.
    let rate = 0
    for (let i = 0; !(rate > 0.1); i++) {
      if (i > 100) throw new Error(`both labels were never seen: the rate is ${rate}`)
      rate = await rateAt(`later${i}`, eventTime + 2 * day)
      await pause(50)
    }
    // What is known by now was not known then: nobody may look at it a few hours after.
    expect(await rateAt('soon', eventTime + 120 * minute)).toBe(0)
  })

  it('counts every decision, once', async () => {
    const sent = own.decisions.length
    expect(await member.metric('weir_transactions_total')).toBe(sent)
    expect(await member.metric('weir_transactions_total', 'status="duplicate"', 'outcome="none"')).toBe(1)
    expect(await member.metric('weir_model_info', 'champion@1.0.0')).toBe(1)
    await until('gauges', async () => (await member.metric('weir_lane_state', 'state="running"')) === 6)
    await until('no lag', async () => (await member.metric('weir_consumer_lag_messages')) === 0)
  })
})

/** Each damage once: the generator's own draw, asked for one after the other. */
function everyDamage() {
  let count = 1
  const at = (i: number) =>
    ({
      pick: (all: readonly unknown[]) => {
        count = all.length
        return all[i]
      },
    }) as unknown as Random
  const found = []
  for (let i = 0; i < count; i++) found.push(spoilt(at(i), aTransaction({ transaction_id: `damaged-${i}` })))
  return found
}

describe('SIGTERM', () => {
  it('ends the chunk in hand, says so before, leaves the group, and another goes on at once', async () => {
    await using own = await Installation.create([...shared(), 'chunk.max_records=100'])
    const [first, second] = [await own.start(), await own.start()]
    await Promise.all([first.ready(), second.ready()])
    await until('a share for both', async () => {
      const shares = [await first.health('/readyz'), await second.health('/readyz')]
      return shares.every((health) => health?.checks['lanes']?.detail.startsWith('3 partitions'))
    })
    await own.send(...payments('busy', 3_000))
    await until('work under way', () => own.decisions.length > 0)

    const statuses: number[] = []
    const watching = (async () => {
      while (first.isRunning) {
        const health = await first.health('/readyz')
        if (health !== null) statuses.push(health.status)
        await pause(5)
      }
    })()
    first.signal('SIGTERM')
    const { code, ms } = await first.exit()
    const left = performance.now()
    await watching
    expect(code).toBe(0)
    expect(ms).toBeLessThan(5_000)
    // A member that is quick or busy may be gone before anybody asked; but once it says no, it never says yes again.
    expect(statuses.join(' ')).toMatch(/^(200 ?)*(503 ?)*$/)
    expect(first.output).toContain('"stopped"')

    await own.send(...payments('after', 20))
    await until('the rest', () => own.decisions.length >= 3_020)
    // A member that is lost, not gone, is noticed after kafka.session_timeout_ms: 10 seconds.
    expect(performance.now() - left).toBeLessThan(8_000)
    const ids = own.decisions.map(({ content }) => content.decision_id)
    expect(new Set(ids).size).toBe(3_020)
    expect(ids).toHaveLength(3_020)
  })

  it('while it starts ends it too, even where nobody answers', async () => {
    const port = await freePort()
    const silent = createServer().listen(port, '127.0.0.1')
    await using own = await Installation.create(shared())
    const member = await own.start(`kafka.brokers=127.0.0.1:${port}`)
    await until('the model', () => member.output.includes('runs on'))
    await pause(1_500)
    expect(member.isRunning).toBe(true)
    member.signal('SIGTERM')
    const { code, ms } = await member.exit()
    expect(code).toBe(1)
    expect(ms).toBeLessThan(6_000)
    expect(member.output).toContain('error: stopping failed: not stopped within 5000 ms')
    silent.close()
  })
})

describe('on services of its own', () => {
  let kafka: Service
  let redis: Service
  let own: Installation

  beforeAll(async () => {
    ;[kafka, redis] = await Promise.all([startKafka(), startRedis()])
    own = await Installation.create([
      `kafka.brokers=${kafka.address}`,
      `redis.url=redis://${redis.address}`,
      `policy=${alertOnAll}`,
    ])
  })
  afterAll(async () => {
    await own[Symbol.asyncDispose]()
    await Promise.all([kafka.stop(), redis.stop()])
  })

  it('a member that finds Redis empty rebuilds what the log tells, and only then decides', async () => {
    const member = await (await own.start()).ready()
    const regular = { customer_id: 'regular', device_id: null }
    const past = Array.from({ length: 12 }, (_, i) =>
      aTransaction({ ...regular, transaction_id: `past-${i}` }),
    )
    await own.send(...past)
    await own.decisionOn('past-11')
    member.signal('SIGTERM')
    expect(await member.exit()).toMatchObject({ code: 0 })

    const client = new Redis(`redis://${redis.address}`)
    await client.flushall()
    client.disconnect()
    const heir = await (await own.start()).ready()
    await own.send(aTransaction({ ...regular, transaction_id: 'now', event_time: eventTime + minute }))
    const { content } = await own.decisionOn('now')
    expect(content.status).toBe('scored')
    expect(featureOf(content.features, 'customer_total_count')).toBe(12)
    expect(await heir.metric('weir_rebuilt_events_total')).toBeGreaterThanOrEqual(12)
    expect(await heir.metric('weir_transactions_total')).toBe(1)
    heir.signal('SIGTERM')
    expect(await heir.exit()).toMatchObject({ code: 0 })
  })

  it('SIGTERM while Redis is frozen: what is in hand is decided degraded, and it stops in time', async () => {
    const member = await (await own.start()).ready()
    await own.send(...payments('warm', 4))
    await own.decisionOn('warm-3')
    const pid = await redis.pid()
    process.kill(pid, 'SIGSTOP')
    try {
      await own.send(...payments('frozen', 4))
      const { content } = await own.decisionOn('frozen-0')
      expect(content).toMatchObject({ status: 'degraded', reasons: ['DEGRADED'] })
      member.signal('SIGTERM')
      const { code, ms } = await member.exit()
      expect(code).toBe(0)
      expect(ms).toBeLessThan(5_000)
    } finally {
      process.kill(pid, 'SIGCONT')
    }
    expect(member.output).not.toMatch(/\n +at /)
  })

  it('SIGTERM while the broker is frozen: it gives up in time, and says so by its exit code', async () => {
    const member = await (await own.start()).ready()
    const pid = await kafka.pid()
    process.kill(pid, 'SIGSTOP')
    try {
      await pause(500)
      member.signal('SIGTERM')
      const { code, ms } = await member.exit()
      expect(ms).toBeLessThan(6_000)
      expect(code).toBe(1)
      expect(member.output).toContain('error: stopping failed: not stopped within 5000 ms')
    } finally {
      process.kill(pid, 'SIGCONT')
    }
  })
})

describe('a start that cannot be', () => {
  let own: Installation
  beforeAll(async () => {
    own = await Installation.create(shared())
  })
  afterAll(() => own[Symbol.asyncDispose]())

  /** Ends by itself, with a sentence and a cure, no stack. */
  async function refused(...set: string[]): Promise<{ code: number | null; stderr: string }> {
    const { code, stdout, stderr } = await weir(['stream', ...own.flags('http.port=0', ...set)])
    expect(stdout).toBe('')
    expect(stderr).toMatch(/^cure: /m)
    expect(stderr).not.toMatch(/^ +at /m)
    return { code, stderr }
  }

  it('without Redis', async () => {
    const { code, stderr } = await refused(`redis.url=redis://127.0.0.1:${await freePort()}`)
    expect(code).toBe(1)
    expect(stderr).toMatch(/ECONNREFUSED.*WEIR_STORE_UNAVAILABLE/)
    expect(stderr).toContain('redis.url')
  })

  it('without Kafka', async () => {
    const { code, stderr } = await refused(`kafka.brokers=127.0.0.1:${await freePort()}`)
    expect(code).toBe(1)
    expect(stderr).toContain('WEIR_LOG_UNAVAILABLE')
    expect(stderr).toContain('kafka.brokers')
  })

  it('without a topic', async () => {
    const { code, stderr } = await refused('topics.alerts=nowhere')
    expect(code).toBe(1)
    expect(stderr).toMatch(/nowhere.*WEIR_LOG_TOPIC/)
    expect(stderr).toContain('weir topics create')
  })

  it('with another number of partitions', async () => {
    const { code, stderr } = await refused('topics.partitions=3')
    expect(code).toBe(1)
    expect(stderr).toMatch(/has 2 partitions, topics\.partitions pins 3.*WEIR_LOG_PARTITIONS/)
  })

  it('with a model whose bytes are others', async () => {
    const models = join(folder, 'models')
    cpSync('models', models, { recursive: true })
    const file = join(models, 'champion/1.0.0/lightgbm.onnx')
    const bytes = readFileSync(file)
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] as number) ^ 1
    writeFileSync(file, bytes)
    const { code, stderr } = await refused(`models.directory=${models}`)
    expect(code).toBe(1)
    expect(stderr).toContain('WEIR_MODEL_HASH')
  })

  it('where the port is taken', async () => {
    const port = await freePort()
    const server = createServer().listen(port, '127.0.0.1')
    const { code, stderr } = await refused(`http.port=${port}`)
    expect(code).toBe(2)
    expect(stderr).toContain('http.port')
    server.close()
  })

  it('on a Redis that drops states when it is full', async () => {
    const evicting = await startRedis({ maxmemory: '100mb', 'maxmemory-policy': 'allkeys-lru' })
    try {
      const { code, stderr } = await refused(`redis.url=redis://${evicting.address}`)
      expect(code).toBe(1)
      expect(stderr).toMatch(/allkeys-lru.*WEIR_STORE_UNFIT/)
      expect(stderr).toContain('noeviction')
    } finally {
      await evicting.stop()
    }
  })
})
