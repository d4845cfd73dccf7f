import fc from 'fast-check'
import { Histogram as PromHistogram, Registry } from 'prom-client'
import { expect, test } from 'vitest'
import { Histogram } from '../../../src/observability/histogram.ts'

const buckets = [0.1, 1, 5]
const value = fc.oneof(fc.constantFrom(...buckets, 0, 6), fc.double({ min: -1, max: 10, noNaN: true }))

test.each([
  ['without labels', [] as string[]],
  ['with labels', ['stage', 'other']],
])('what is scraped is what prom-client would tell: %s', async (_, labelNames) => {
  const observed = fc.array(
    fc.record({ stage: fc.constantFrom('a', 'b"\n'), other: fc.constant('x'), value }),
  )
  await fc.assert(
    fc.asyncProperty(observed, async (all) => {
      const [ours, theirs] = [new Registry(), new Registry()]
      const options = { name: 'weir_test', help: 'Some "values".', labelNames, buckets }
      const one = new Histogram({ ...options, registers: [ours] })
      const other = new PromHistogram({ ...options, registers: [theirs] })
      for (const { value, ...given } of all) {
        const labels = labelNames.length === 0 ? {} : given
        one.of(labels).observe(value)
        other.observe(labels, value)
      }
      const [told, expected] = await Promise.all([ours.metrics(), theirs.metrics()])
      expect(told.split('\n').toSorted()).toEqual(expected.split('\n').toSorted())
      expect(await ours.getMetricsAsJSON()).toHaveLength(1)
    }),
  )
})
