import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { interpolate } from '../../../src/core/calibration.ts'

const knots = { x: [0, 0.1, 0.5, 1], y: [0, 0.01, 0.01, 1] }

describe('interpolate', () => {
  it('goes through every knot', () => {
    expect(knots.x.map((x) => interpolate(knots, x))).toEqual(knots.y)
  })

  it('draws straight lines between knots', () => {
    expect(interpolate(knots, 0.05)).toBeCloseTo(0.005, 12)
    expect(interpolate(knots, 0.3)).toBe(0.01)
    expect(interpolate(knots, 0.75)).toBeCloseTo(0.505, 12)
  })

  it('holds the ends outside the knots', () => {
    expect(interpolate(knots, -1)).toBe(0)
    expect(interpolate(knots, 7)).toBe(1)
  })

  it('never turns an order around', () => {
    const values = fc.uniqueArray(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 2, maxLength: 50 })
    fc.assert(
      fc.property(values, values, fc.double({ noNaN: true }), fc.double({ noNaN: true }), (x, y, a, b) => {
        const size = Math.min(x.length, y.length)
        const ascending = (numbers: number[]) => numbers.slice(0, size).sort((p, q) => p - q)
        const map = { x: ascending(x), y: ascending(y) }
        expect(interpolate(map, Math.min(a, b))).toBeLessThanOrEqual(interpolate(map, Math.max(a, b)))
      }),
    )
  })
})
