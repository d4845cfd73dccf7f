import fc from 'fast-check'
import { type Alert, channels, outcomes, transactionTypes } from '../../src/core/types.ts'
import { anAlert } from './contracts.ts'

const texts = [
  'First payment in this country.',
  '{n} payments in the 10 minutes before.',
  'The card would have travelled at {n} km/h since the payment before',
  '{n} % of what is paid here is fraud',
  'Paid at 02:00, between 00:00 and 05:59 local time',
  'More than EUR 2,000.00 within 24 hours!',
  'Three times of what is usual, some 5 thousand',
  '付款前10分钟内已有{n}笔交易。',
  '金额为平时的{n}倍',
]

const number = fc.oneof(
  fc.integer({ min: -1_000, max: 1_000_000 }),
  fc.double({ min: -1e6, max: 1e6, noNaN: true }),
  fc.float({ noNaN: true, noDefaultInfinity: true }),
)
const name = fc.oneof(
  fc.constantFrom(
    '7-Eleven',
    'Amazon “EU” 24/7',
    '二十一世纪百货',
    'Kiosk\u202e 3\n4',
    'Four Seasons',
    'EUR 5',
  ),
  fc.string({ minLength: 1, maxLength: 100, unit: 'grapheme' }),
)
const identifier = fc.stringMatching(/^[a-z][a-z0-9_]{0,20}$/)
const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: null })

/** Alerts of every kind, with names and numbers that are meant to confuse. */
export const arbitraryAlert: fc.Arbitrary<Alert> = fc
  .record({
    event_time: fc.integer({ min: Date.UTC(2001, 0), max: Date.UTC(2099, 0) }),
    outcome: fc.constantFrom(...outcomes),
    status: fc.constantFrom('scored' as const, 'degraded' as const),
    risk_score: maybe(fc.integer({ min: 0, max: 999 })),
    score: maybe(fc.double({ min: 0, max: 1, noNaN: true })),
    amount_minor: fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER - 1 }),
    currency: fc.constantFrom('EUR', 'JPY', 'CNY', 'KWD', 'CLF', 'BAM', 'TWD', 'THB'),
    type: fc.constantFrom(...transactionTypes),
    channel: fc.constantFrom(...channels),
    merchant_name: maybe(name),
    country: maybe(fc.constantFrom('DE', 'BM', 'US', 'CD', 'TW', 'ZZ')),
    reasons: fc.array(
      fc.record({
        code: fc.constantFrom('SCORE', 'DEGRADED', 'ENTITY_VALUES_STALE', 'VELOCITY_10M', 'NIGHT'),
        template: fc.constantFrom(...texts),
        n: number,
      }),
      { maxLength: 4 },
    ),
    rules_hit: fc.array(identifier, { maxLength: 3 }),
    lists_hit: fc.array(
      fc.constantFrom('deny:device', 'allow:customer', 'watch:ip', 'watch:card', 'deny:email'),
      { maxLength: 3 },
    ),
    sca: maybe(fc.constantFrom('challenge', 'exempt-tra', 'exempt-low-value', 'out-of-scope', 'something-2')),
    parts: fc.array(fc.record({ name: identifier, score: fc.double({ min: 0, max: 1, noNaN: true }) }), {
      maxLength: 3,
    }),
    disagreement: maybe(fc.integer({ min: 0, max: 999 })),
    contributions: fc.array(
      fc.record({
        feature: identifier,
        value: fc.oneof(number, fc.constant(Number.NaN)),
        contribution: number,
      }),
      { maxLength: 8 },
    ),
    base: maybe(fc.double({ min: -10, max: 10, noNaN: true })),
    loss: maybe(fc.double({ min: 0, max: 1e9, noNaN: true })),
  })
  .map(({ reasons, ...rest }) =>
    anAlert({
      ...rest,
      reasons: reasons.map(({ code, template, n }) => ({
        code,
        text: template.replace('{n}', String(Math.round(n * 10) / 10)),
      })),
    }),
  )
