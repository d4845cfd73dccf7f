import { describe, expect, it } from 'vitest'
import { minorUnitExponent } from '../../../src/core/currencies.ts'

describe('minorUnitExponent', () => {
  it.each([
    ['EUR', 2],
    ['USD', 2],
    ['JPY', 0],
    ['KRW', 0],
    ['ISK', 0],
    ['KWD', 3],
    ['TND', 3],
    ['CLF', 4],
    ['CLP', 0],
    ['MGA', 2],
    ['XCG', 2],
    ['ZWG', 2],
  ])('of %s is %d', (code, exponent) => {
    expect(minorUnitExponent(code)).toBe(exponent)
  })

  it.each(['', 'eur', 'DEM', 'XXX', 'XTS', 'XAU', 'XDR', 'constructor'])('knows no %j', (code) => {
    expect(minorUnitExponent(code)).toBeUndefined()
  })
})
