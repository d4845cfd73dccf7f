import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { createMetrics } from '../../../src/observability/metrics.ts'
import { laneStates } from '../../../src/stream/partition-lane.ts'

interface Described {
  readonly name: string
  readonly type: string
  readonly labelNames: readonly string[]
}

function registered(): Described[] {
  const metrics = createMetrics().registry.getMetricsAsArray() as unknown as (Described & object)[]
  return metrics
    .filter(({ name }) => name.startsWith('weir_'))
    .map((metric) => ({
      name: metric.name,
      type: metric.constructor.name.toLowerCase(),
      labelNames: metric.labelNames.filter((label) => label !== 'le'),
    }))
}

function documented(): Described[] {
  const page = readFileSync(new URL('../../../docs/operations.md', import.meta.url), 'utf8')
  return [...page.matchAll(/^\| `(weir_\w+)` \| (\w+) \|([^|]*)\|/gm)].map(([, name, type, labels]) => ({
    name: name ?? '',
    type: type ?? '',
    labelNames: [...(labels ?? '').matchAll(/\w+/g)].map(([label]) => label),
  }))
}

describe('metrics', () => {
  it('are those of docs/operations.md, with type and labels', () => {
    expect(documented()).toEqual(registered())
    expect(documented().length).toBeGreaterThan(10)
  })

  it('have names in base units: counters end in _total, others do not', () => {
    for (const { name, type } of registered())
      expect([name, name.endsWith('_total')]).toEqual([name, type === 'counter'])
  })

  it('document every state of a lane', () => {
    const page = readFileSync(new URL('../../../docs/operations.md', import.meta.url), 'utf8')
    for (const state of laneStates) expect(page).toContain(`\`${state}\``)
  })

  it('of two instances are apart', async () => {
    const [one, other] = [createMetrics(), createMetrics()]
    one.transactions.inc({ outcome: 'approve', status: 'scored' }, 3)
    expect(await one.registry.metrics()).toContain(
      'weir_transactions_total{outcome="approve",status="scored"} 3',
    )
    expect(await other.registry.metrics()).not.toContain('outcome="approve"')
  })
})
