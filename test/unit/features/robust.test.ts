import { expect, test } from 'vitest'
import { sha256 } from '../../../src/config/definitions.ts'
import { compileFeatures } from '../../../src/core/features/compile.ts'
import { type FeatureDefinition, robustAggregates } from '../../../src/core/features/definition.ts'
import { day, hour, last, midnight, minute, shipped } from '../../helpers/feature-values.ts'

const noon = midnight + 12 * hour

const features = compileFeatures(
  {
    ...shipped.file,
    features: robustAggregates.map(
      (robust): FeatureDefinition => ({
        name: robust,
        entity: 'customer',
        robust,
        last: 6,
        ...(robust === 'large_count' ? { window: '3d', times: 3 } : {}),
        description: 'For tests.',
      }),
    ),
  },
  sha256,
)

/** After these amounts, in hundredths, the last of them the transaction's own, all within an hour. */
const after = (...amounts: number[]) =>
  last(
    amounts.map((amount_minor, i) => ({ amount_minor, event_time: noon + i * minute })),
    features,
  )

test('the usual amount is the median of the latest kept payments', () => {
  expect(after(1000, 3000, 2000, 500)['median']).toBe(20)
  expect(after(1000, 3000, 2000, 4000, 500)['median']).toBe(30)
  // Only six are looked at.
  expect(after(9000, 9000, 9000, 9000, 1000, 1000, 1000, 1000, 500)['median']).toBe(10)
  expect(after(1000, 3000, 2000)).toEqual({
    median: Number.NaN,
    ratio: Number.NaN,
    zscore: Number.NaN,
    large_count: Number.NaN,
  })
})

test('a few odd amounts move neither the median nor the distance from it', () => {
  const usual = [1000, 1200, 1100, 900, 1000] as const
  const { ratio, zscore } = after(...usual, 50_000, 5000)
  expect(ratio).toBe(Math.fround(5000 / 1100))
  expect(zscore).toBe(Math.fround((5000 - 1100) / (1.4826 * 100)))
  // A distance under 1.00 counts as 1.00; over a median of 0 there is no ratio.
  expect(after(1000, 1000, 1000, 1700)['zscore']).toBe(7)
  expect(after(0, 0, 0, 1700)).toMatchObject({ ratio: Number.NaN, zscore: 17 })
})

test('large payments are counted against the median of now', () => {
  // The median is 10 and then 30, of which the payment of 30 is not three times as much any more.
  expect(after(1000, 3000, 1000, 2999, 1000, 1000, 1000)['large_count']).toBe(1)
  expect(after(1000, 3000, 3000, 2999, 3000, 4000, 1000)['large_count']).toBe(0)
  const daysAfter = (ms: number) =>
    last(
      [noon, noon + day, noon + 2 * day, noon + 4 * day + ms].map((event_time, i) => ({
        event_time,
        amount_minor: i === 1 ? 9000 : 1000,
      })),
      features,
    )['large_count']
  expect([daysAfter(-1), daysAfter(0)]).toEqual([1, 0])
})
