import fc from 'fast-check'
import { expect, test } from 'vitest'
import { fixed, numbered } from '../../../src/core/numbers.ts'

test('numbers are written as Intl writes them', () => {
  const number = fc.oneof(
    fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e20, max: 1e20 }),
    fc.integer(),
  )
  fc.assert(
    fc.property(number, fc.integer({ min: 0, max: 6 }), (value, digits) => {
      const options = { minimumFractionDigits: digits, maximumFractionDigits: digits } as const
      // Beyond these a double has no digits after the point of its own, and Intl makes some up.
      fc.pre(Math.abs(value) < 2 ** 50 && !Object.is(value, -0))
      expect(fixed(value, digits)).toBe(value.toLocaleString('en-US', options))
    }),
    { seed: 7, numRuns: 2_000 },
  )
})

test('large numbers are whole', () => {
  expect(fixed(2 ** 80, 2)).toBe('1,208,925,819,614,629,174,706,176')
  expect(numbered(1, 'payment')).toBe('1 payment')
  expect(numbered(2000, 'payment')).toBe('2,000 payments')
})
