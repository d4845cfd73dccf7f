import { expect, it } from 'vitest'
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
