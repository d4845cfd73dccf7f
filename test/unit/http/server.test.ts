import { afterEach, describe, expect, it } from 'vitest'
import { type HttpServer, type Probes, startHttp } from '../../../src/http/server.ts'
import { createMetrics } from '../../../src/observability/metrics.ts'

let server: HttpServer | undefined
afterEach(async () => {
  await server?.close()
  server = undefined
})

const ok = () => ({ ok: true, detail: 'fine' })
const broken = () => ({ ok: false, detail: 'no partitions yet' })

async function start(live: Probes, ready: Probes): Promise<(path: string) => Promise<[number, unknown]>> {
  const metrics = createMetrics()
  metrics.transactions.inc({ outcome: 'decline', status: 'scored' })
  const started = await startHttp({ host: '127.0.0.1', port: 0, metrics, live, ready })
  server = started
  return async (path) => {
    const response = await fetch(started.url + path)
    const text = await response.text()
    return [response.status, response.headers.get('content-type')?.includes('json') ? JSON.parse(text) : text]
  }
}

describe('health', () => {
  it('names each check and is 503 as soon as one fails', async () => {
    const get = await start({ pipeline: ok }, { store: ok, assignment: broken })
    expect(await get('/livez')).toEqual([
      200,
      { status: 'ok', checks: { pipeline: { ok: true, detail: 'fine' } } },
    ])
    expect(await get('/readyz')).toEqual([
      503,
      {
        status: 'unavailable',
        checks: {
          shutdown: { ok: true, detail: 'running' },
          store: { ok: true, detail: 'fine' },
          assignment: { ok: false, detail: 'no partitions yet' },
        },
      },
    ])
  })

  it('asks its probes each time', async () => {
    let wedged = false
    const get = await start({ pipeline: () => ({ ok: !wedged, detail: '' }) }, {})
    expect((await get('/livez'))[0]).toBe(200)
    wedged = true
    expect((await get('/livez'))[0]).toBe(503)
  })

  it('is not ready, but alive, once draining', async () => {
    const get = await start({}, { store: ok })
    expect((await get('/readyz'))[0]).toBe(200)
    server?.drain()
    expect((await get('/readyz'))[0]).toBe(503)
    expect((await get('/livez'))[0]).toBe(200)
  })
})

it('metrics are Prometheus text', async () => {
  const get = await start({}, {})
  const [status, text] = await get('/metrics')
  expect(status).toBe(200)
  expect(text).toContain('weir_transactions_total{outcome="decline",status="scored"} 1\n')
  expect(text).toContain('process_cpu_seconds_total')
})

it('a port that is taken is a mistake of configuration', async () => {
  await start({}, {})
  const port = Number(new URL(server?.url ?? '').port)
  const metrics = createMetrics()
  await expect(startHttp({ host: '127.0.0.1', port, metrics, live: {}, ready: {} })).rejects.toMatchObject({
    code: 'WEIR_CONFIG_INVALID',
    message: expect.stringContaining(String(port)),
  })
})
