import { expect, it } from 'vitest'
import type { Decision } from '../../../src/core/types.ts'
import { createLogger } from '../../../src/observability/log.ts'
import { createMetrics } from '../../../src/observability/metrics.ts'
import { createObserver } from '../../../src/observability/observe.ts'

it('a degraded chunk is logged by its size, never by what its records hold', () => {
  const lines: string[] = []
  const logger = createLogger({ level: 'info', pretty: false }, {}, { write: (line) => lines.push(line) })
  const record = {
    offset: 7,
    timestamp: 0,
    key: Buffer.from('c-secret'),
    value: Buffer.from('x'),
    headers: { note: '4111111111111111' },
  }
  createObserver(createMetrics(), logger).degraded({ kind: 't', partition: 0 }, [record, record], {
    work: 0.1,
  })
  expect(lines.map((line) => JSON.parse(line))).toMatchObject([{ level: 'warn', lane: 't0', records: 2 }])
  expect(lines.join()).not.toMatch(/4111|secret|headers/)
})

it('decisions are counted, once they are committed, by outcome and status, and their scores by model', async () => {
  const metrics = createMetrics()
  const logger = createLogger({ level: 'info', pretty: false }, {}, { write: () => {} })
  const decision = { outcome: 'approve', status: 'scored', score: 0.03, model: 'a@1' } as Decision
  const duplicate: Decision = { ...decision, outcome: null, status: 'duplicate', score: null }
  const other: Decision = { ...decision, score: 0.3, model: 'b@1' }
  const committed = createObserver(metrics, logger).decided([decision, duplicate, other, decision])
  expect(await metrics.registry.metrics()).not.toContain('weir_transactions_total{')
  committed()
  const scraped = (await metrics.registry.metrics()).split('\n')
  expect(scraped).toEqual(
    expect.arrayContaining([
      'weir_transactions_total{outcome="approve",status="scored"} 3',
      'weir_transactions_total{outcome="none",status="duplicate"} 1',
      'weir_score_bucket{le="0.05",model="a@1"} 2',
      'weir_score_count{model="b@1"} 1',
    ]),
  )
})
