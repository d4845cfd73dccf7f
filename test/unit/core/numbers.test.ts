import fc from 'fast-check'
import { expect, test } from 'vitest'
import { fixed, numbered } from '../../../src/core/numbers.ts'

test('digits stay as they are, whole ones in thousands', () => {
  const number = fc.oneof(fc.double({ noNaN: true, min: -1e20, max: 1e20 }), fc.integer())
  fc.assert(
    fc.property(number, fc.integer({ min: 0, max: 6 }), (value, digits) => {
      const written = fixed(value, digits)
      expect(written).toMatch(/^-?\d{1,3}(,\d{3})*(\.\d+)?$/)
      expect(written.replaceAll(',', '')).toBe(value.toFixed(digits))
    }),
    { seed: 7, numRuns: 1_000 },
  )
})

test('large numbers are whole', () => {
  expect(fixed(2 ** 80, 2)).toBe('1,208,925,819,614,629,174,706,176')
  expect(fixed(Number.POSITIVE_INFINITY, 2)).toBe('Infinity')
  expect(numbered(1, 'payment')).toBe('1 payment')
  expect(numbered(2000, 'payment')).toBe('2,000 payments')
})
