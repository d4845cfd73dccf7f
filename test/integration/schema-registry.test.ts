import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { createContracts } from '../../src/adapters/avro-contracts.ts'
import { readSchema } from '../../src/adapters/avro-schema-files.ts'
import { createSchemaRegistry } from '../../src/adapters/schema-registry.ts'
import { type Registry, startRegistry } from '../helpers/apicurio.ts'
import { aDecision, aRecord, aTransaction } from '../helpers/contracts.ts'

// Topics of this run only: the registry may be one that others use too.
const run = `weir-test-${process.pid}-${Math.random().toString(36).slice(2)}`
const topics = {
  transactions: `${run}.transactions`,
  labels: `${run}.labels`,
  decisions: `${run}.decisions`,
  alerts: `${run}.alerts`,
  entityUpdates: `${run}.entity-updates`,
  control: `${run}.control`,
}
const forever = Number.POSITIVE_INFINITY
const limits = { eventTimePastMs: forever, eventTimeFutureMs: forever, maxRecordBytes: 65_536 }
const anonymous = { username: null, password: null }

let registry: Registry
beforeAll(async () => {
  registry = await startRegistry()
})
afterAll(() => registry.close())

const source = (register: boolean) => createSchemaRegistry({ url: registry.url, ...anonymous, register })

/** Registers a schema the way a producer of payments does. */
async function registerAs(subject: string, schema: unknown): Promise<number> {
  const response = await fetch(`${registry.url}/subjects/${subject}/versions`, {
    method: 'POST',
    headers: { 'content-type': 'application/vnd.schemaregistry.v1+json' },
    body: JSON.stringify({ schema: JSON.stringify(schema) }),
  })
  const { id } = (await response.json()) as { id: number }
  return id
}

function withId(bytes: Buffer, id: number): Buffer {
  const copy = Buffer.from(bytes)
  copy.writeInt32BE(id, 1)
  return copy
}

describe('a Confluent Schema Registry', () => {
  it('refuses to start without the schemas when weir may not register them', async () => {
    await expect(createContracts(source(false), topics, limits)).rejects.toMatchObject({
      code: 'WEIR_SCHEMA_REGISTRY',
      retriable: false,
      cure: expect.stringContaining('Register the schema'),
    })
  })

  it('gives ids to register under, and the same ones to look up', async () => {
    const registered = await source(true).idOf(`${topics.transactions}-value`, 'transaction.avsc')
    expect(registered).toBeGreaterThan(0)
    expect(await source(true).idOf(`${topics.transactions}-value`, 'transaction.avsc')).toBe(registered)
    expect(await source(false).idOf(`${topics.transactions}-value`, 'transaction.avsc')).toBe(registered)
    expect(JSON.parse((await source(false).schemaOf(registered)) ?? '')).toEqual(
      JSON.parse(readSchema('transaction.avsc')),
    )
  })

  it('carries every contract: what one member writes another reads', async () => {
    const writer = await createContracts(source(true), topics, limits)
    const reader = await createContracts(source(false), topics, limits)
    const [transaction] = await reader.transactions.decode([
      aRecord(writer.transactions.encode(aTransaction())),
    ])
    const [decision] = await reader.decisions.decode([aRecord(writer.decisions.encode(aDecision()))])
    expect(transaction).toEqual({ ok: true, value: aTransaction() })
    expect(decision).toEqual({ ok: true, value: aDecision() })
  })

  it('explains what a producer with a newer schema writes', async () => {
    const { transactions } = await createContracts(source(true), topics, limits)
    const newer = JSON.parse(readSchema('transaction.avsc'))
    newer.fields.push({ name: 'loyalty_id', type: ['null', 'string'], default: null })
    const id = await registerAs(`${topics.transactions}-value`, newer)
    const bytes = withId(transactions.encode(aTransaction()), id)
    const checked = await transactions.decode([aRecord(Buffer.concat([bytes, Buffer.from([2, 2, 65])]))])
    expect(checked).toEqual([{ ok: true, value: aTransaction() }])
  })

  it('tells an id that it does not know from an id of something else', async () => {
    const { transactions } = await createContracts(source(true), topics, limits)
    const other = await registerAs(`${run}.other-value`, {
      type: 'record',
      name: 'Other',
      fields: [{ name: 'a', type: 'int' }],
    })
    const bytes = transactions.encode(aTransaction())
    const checked = await transactions.decode([
      aRecord(withId(bytes, 2_000_000_000)),
      aRecord(withId(bytes, other)),
      aRecord(bytes),
    ])
    expect(checked.map((one) => one.ok || one.rejection.code)).toEqual([
      'WEIR_RECORD_UNKNOWN_SCHEMA',
      'WEIR_RECORD_UNDECODABLE',
      true,
    ])
  })

  it('refuses what is not compatible, and weir says so', async () => {
    const subject = `${run}.strict-value`
    await registerAs(subject, {
      type: 'record',
      name: 'Transaction',
      namespace: 'weir.v1',
      fields: [{ name: 'a', type: 'int' }],
    })
    const config = await fetch(`${registry.url}/config/${subject}`, {
      method: 'PUT',
      headers: { 'content-type': 'application/vnd.schemaregistry.v1+json' },
      body: JSON.stringify({ compatibility: 'BACKWARD_TRANSITIVE' }),
    })
    expect(config.ok).toBe(true)
    await expect(source(true).idOf(subject, 'transaction.avsc')).rejects.toMatchObject({
      code: 'WEIR_SCHEMA_REGISTRY',
      retriable: false,
      cure: expect.stringContaining('compatible'),
    })
  })

  it('that is at another path is no reason to refuse records', async () => {
    const lost = createSchemaRegistry({ url: `${registry.url}/nowhere`, ...anonymous, register: false })
    await expect(lost.schemaOf(1)).rejects.toMatchObject({ code: 'WEIR_SCHEMA_REGISTRY' })
  })

  it('that stops is waited for: nothing is decided until it is back', async ({ skip }) => {
    const { restart } = registry
    if (restart === null) return skip('the registry of WEIR_TEST_SCHEMA_REGISTRY_URL is not ours to stop')
    const { transactions } = await createContracts(source(true), topics, limits)
    const bytes = transactions.encode(aTransaction())
    await restart.stop()
    const foreign = aRecord(withId(bytes, 1_000_000))
    await expect(transactions.decode([foreign])).rejects.toMatchObject({
      code: 'WEIR_SCHEMA_REGISTRY',
      retriable: true,
    })
    // What is known needs no registry.
    expect(await transactions.decode([aRecord(bytes)])).toEqual([{ ok: true, value: aTransaction() }])
    await restart.start()
    expect(await transactions.decode([foreign])).toMatchObject([
      { rejection: { code: 'WEIR_RECORD_UNKNOWN_SCHEMA' } },
    ])
  })
})

describe('an endpoint that misbehaves', () => {
  const servers: ReturnType<typeof createServer>[] = []
  afterEach(async () => {
    for (const server of servers.splice(0)) {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    }
  })

  async function endpoint(
    answer: (request: IncomingMessage, response: ServerResponse) => void,
  ): Promise<string> {
    const server = createServer(answer).listen(0, '127.0.0.1')
    servers.push(server)
    await once(server, 'listening')
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  it('by silence is given up after the time limit', async () => {
    const url = await endpoint(() => {})
    const silent = createSchemaRegistry({ url, ...anonymous, register: false }, { timeoutMs: 100 })
    await expect(silent.schemaOf(1)).rejects.toMatchObject({ code: 'WEIR_SCHEMA_REGISTRY', retriable: true })
  })

  it('by an answer without end is cut off', async () => {
    const url = await endpoint((_request, response) => {
      const chunk = Buffer.alloc(65_536, 'x')
      const write = () => {
        while (response.write(chunk)) {}
      }
      response.on('drain', write)
      write()
    })
    const endless = createSchemaRegistry({ url, ...anonymous, register: false }, { timeoutMs: 60_000 })
    await expect(endless.schemaOf(1)).rejects.toMatchObject({ cause: { message: /more than \d+ bytes/ } })
  })

  it.each([
    [401, '{}', false],
    [404, '<html>', false],
    [404, '{"error_code":404,"message":"HTTP 404 Not Found"}', false],
    [429, '', true],
    [500, '{"error_code":50001,"message":"store"}', true],
    [200, '{"schema":7}', false],
  ])('by the answer %d %j is no unknown id', async (status, body, retriable) => {
    const url = await endpoint((_request, response) => response.writeHead(status).end(body))
    const broken = createSchemaRegistry({ url, ...anonymous, register: false })
    await expect(broken.schemaOf(1)).rejects.toMatchObject({ code: 'WEIR_SCHEMA_REGISTRY', retriable })
  })

  it('is asked for an unknown id once in ten seconds', async () => {
    let asked = 0
    const url = await endpoint((_request, response) => {
      asked++
      response.writeHead(404).end('{"error_code":40403,"message":"Schema not found"}')
    })
    let now = 0
    const strict = createSchemaRegistry({ url, ...anonymous, register: false }, { clock: () => now })
    for (now of [0, 9_999]) expect(await strict.schemaOf(5)).toBeNull()
    expect(asked).toBe(1)
    now = 10_000
    expect(await strict.schemaOf(5)).toBeNull()
    expect(asked).toBe(2)
  })

  it('gets user and password, and messages do not', async () => {
    const seen: (string | undefined)[] = []
    const url = await endpoint((request, response) => {
      seen.push(request.headers.authorization)
      response.writeHead(403).end()
    })
    const withUser = createSchemaRegistry({ url, username: 'weir', password: 'geheim', register: false })
    const inUrl = createSchemaRegistry({
      url: url.replace('//', '//weir:geheim@'),
      ...anonymous,
      register: false,
    })
    for (const source of [withUser, inUrl]) {
      await expect(source.schemaOf(1)).rejects.toThrow(/^(?!.*geheim).*403/)
    }
    expect(seen).toEqual(Array(2).fill(`Basic ${Buffer.from('weir:geheim').toString('base64')}`))
  })
})
