import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { partitionOf } from '../../../src/core/partition.ts'
import { type HttpServer, startHttp } from '../../../src/http/server.ts'
import { createMetrics } from '../../../src/observability/metrics.ts'
import { aTransaction } from '../../helpers/contracts.ts'
import { EmbeddedMember, partitions } from './backend.ts'

const text = readFileSync(new URL('../../../docs/http.md', import.meta.url), 'utf8')
const examples = [...text.matchAll(/^## ([^\n]+)\n(?:(?!^## ).)*?^```sh example\n(.*?)^```/gms)].map(
  ([, title = '', code = '']) => [title, code] as const,
)

const member = new EmbeddedMember()
let server: HttpServer
beforeAll(async () => {
  await member.start()
  // What the examples ask for lies at the beginning of partition 0.
  const customer_id = ['a', 'b', 'c', 'd'].find((id) => partitionOf(id, partitions) === 0) as string
  await member.pay(aTransaction({ customer_id }))
  const limits = { maxBytes: 65_536, requestsPerSecond: 100, concurrentScores: 8 }
  const api = { backend: () => member.backend, keys: [], clock: Date.now, ...limits }
  const metrics = createMetrics()
  server = await startHttp({ host: '127.0.0.1', port: 0, metrics, live: {}, ready: {}, api })
})
afterAll(async () => {
  await server.close()
  await member.stop()
})

/** What each answers, by the heading it stands under. */
const answers: Readonly<Record<string, object>> = {
  Score: { decision: { decision_id: 'not-recorded', status: 'scored' } },
  'Explain a decision': { decision: { status: 'scored' }, alert: { narrative: expect.any(String) } },
  'For the payer': { decision_id: 'payments.transactions.v1-0-0', reason: expect.any(String) },
  Labels: { label_id: 'case-77' },
  'Rules and lists': { id: expect.stringContaining('1.0.0#') },
}

it('all examples are known', () => {
  expect(examples.map(([title]) => title)).toEqual(Object.keys(answers))
})

it.each(examples)('the example of "%s" runs', async (title, code) => {
  const here = code.replaceAll('localhost:8080', new URL(server.url).host)
  const { stdout } = await promisify(execFile)('bash', ['-c', here])
  // The first answer, where there are several.
  const [first = ''] = stdout.split(/(?<=\})(?=\{"control)/)
  expect(JSON.parse(first)).toMatchObject(answers[title] as object)
})
