import { describe, expect, test } from 'vitest'
import { faults } from '../../faults/list.ts'
import { chooseSeed } from '../../faults/scene.ts'

// The short set of `npm run faults`: a few injections of each fault, on real services.
describe('weir under faults', () => {
  for (const { name, promise, times, run } of faults.filter(({ times }) => times.short > 0)) {
    test(`${name}: ${promise}`, async () => {
      const { breaches, injected } = await run({ seed: chooseSeed(), times: times.short })
      expect(breaches).toEqual([])
      expect(injected).toBeGreaterThan(0)
    })
  }
})
