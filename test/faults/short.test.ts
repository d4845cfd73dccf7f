import { describe, expect, test } from 'vitest'
import { faults } from '../../faults/list.ts'
import { chooseSeed } from '../../faults/scene.ts'

// What every test run has time for; the whole short set is `npm run faults -- --short`, which CI runs beside.
const everyTime = new Set(['kill', 'sleep', 'flush', 'order', 'model-mutants'])

describe('weir under faults', () => {
  for (const { name, promise, times, run } of faults.filter(({ name }) => everyTime.has(name))) {
    test(`${name}: ${promise}`, async () => {
      const { breaches, injected } = await run({ seed: chooseSeed(), times: times.short })
      expect(breaches).toEqual([])
      expect(injected).toBeGreaterThan(0)
    })
  }
})
