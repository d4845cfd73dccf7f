import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { editDistance } from '../../../src/config/nearest.ts'

describe('edit distance', () => {
  it.each<[string, string, number]>([
    ['', '', 0],
    ['', 'abc', 3],
    ['abc', '', 3],
    ['kitten', 'sitting', 3],
    ['broker', 'brokers', 1],
    ['htpt', 'http', 1],
    ['hte', 'the', 1],
    ['ca', 'abc', 3],
  ])('of %j and %j is %i', (a, b, distance) => expect(editDistance(a, b)).toBe(distance))

  it('is symmetric, 0 for equal texts only, and at most the longer length', () => {
    const text = fc.string({ maxLength: 8 })
    fc.assert(
      fc.property(text, text, (a, b) => {
        const distance = editDistance(a, b)
        expect(editDistance(b, a)).toBe(distance)
        expect(distance === 0).toBe(a === b)
        expect(distance).toBeLessThanOrEqual(Math.max(a.length, b.length))
      }),
    )
  })
})
