import fc from 'fast-check'
import type { Arrival } from '../../src/core/parties.ts'
import { channels, type Transaction, transactionTypes } from '../../src/core/types.ts'
import { aTransaction } from './contracts.ts'

const secondMs = 1000
const minuteMs = 60 * secondMs
const hourMs = 60 * minuteMs
const dayMs = 24 * hourMs

/** Time from the event before, in log order: edges of windows to the millisecond, ties, late ones, months. */
const gap = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 0, max: 2 * minuteMs }) },
  { weight: 4, arbitrary: fc.integer({ min: 0, max: 6 * hourMs }) },
  {
    weight: 3,
    arbitrary: fc
      .tuple(
        fc.constantFrom(minuteMs, 10 * minuteMs, hourMs, 3 * hourMs, dayMs, 7 * dayMs),
        fc.integer({ min: -1, max: 1 }),
      )
      .map(([window, off]) => window + off),
  },
  { weight: 2, arbitrary: fc.constant(0) },
  { weight: 2, arbitrary: fc.integer({ min: -2 * dayMs, max: 0 }) },
  { weight: 1, arbitrary: fc.integer({ min: -40 * dayMs, max: 100 * dayMs }) },
)

/** Few of most identifiers, so that they meet again; now and then many, so that memories overflow. */
const pick = (few: number, many: number) =>
  fc.oneof({ weight: 4, arbitrary: fc.nat(few) }, { weight: 1, arbitrary: fc.nat(many) })
const orNull = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { freq: 4, nil: null })
const place = fc.tuple(
  fc.double({ min: -90, max: 90, noNaN: true }),
  fc.double({ min: -180, max: 180, noNaN: true }),
)

const payment = fc.record({
  gap,
  customer: fc.nat(2),
  amount: fc.oneof(fc.integer({ min: 0, max: 100_000 }), fc.constantFrom(0, 1000, 5000)),
  currency: fc.constantFrom('EUR', 'EUR', 'USD', 'JPY', 'KWD', 'HUF'),
  merchant: pick(3, 40),
  terminal: orNull(fc.nat(2)),
  device: orNull(pick(2, 12)),
  country: orNull(fc.constantFrom('DE', 'FR', 'PL', 'SE', 'IT', 'ES', 'PT', 'AT', 'CH')),
  mcc: orNull(fc.oneof(fc.constantFrom('0000', '5411'), fc.integer({ min: 4000, max: 4015 }).map(String))),
  place: orNull(place),
  offset: orNull(fc.integer({ min: -840, max: 840 })),
  channel: fc.constantFrom(...channels),
  type: fc.constantFrom(...transactionTypes),
  /** Sent again instead: how many payments back. */
  again: fc.option(fc.nat(70), { freq: 8, nil: null }),
  /** Repeated so many times a second apart. */
  burst: fc.oneof({ weight: 60, arbitrary: fc.constant(1) }, { weight: 1, arbitrary: fc.constant(75) }),
})

type Payment = typeof payment extends fc.Arbitrary<infer T> ? T : never

/** A partition's log in chunks, and where the chunks end. */
export interface History {
  readonly arrivals: readonly Arrival[]
  readonly chunks: readonly (readonly Arrival[])[]
}

export const histories = (most: number): fc.Arbitrary<History> =>
  fc
    .tuple(
      fc.array(payment, { minLength: 1, maxLength: most, size: 'max' }),
      fc.array(fc.integer({ min: 1, max: 25 }), { minLength: 1 }),
    )
    .map(([payments, sizes]) => {
      const arrivals = log(payments)
      return { arrivals, chunks: cut(arrivals, sizes) }
    })

/** Cuts a log into chunks of the sizes given, in turn. */
export function cut(arrivals: readonly Arrival[], sizes: readonly number[]): Arrival[][] {
  const chunks: Arrival[][] = []
  for (let at = 0, i = 0; at < arrivals.length; i++) {
    const size = sizes[i % sizes.length] as number
    chunks.push(arrivals.slice(at, at + size))
    at += size
  }
  return chunks
}

function log(payments: readonly Payment[]): Arrival[] {
  const sent: Transaction[] = []
  let time = Date.UTC(2026, 2, 6, 23, 50)
  for (const one of payments) {
    for (let i = 0; i < one.burst; i++) {
      time += i === 0 ? one.gap : secondMs
      const before = one.again === null ? undefined : sent.at(-1 - one.again)
      sent.push(before ?? transactionOf(one, time, sent.length))
    }
  }
  // Offsets have holes: transaction markers, other customers.
  return sent.map((transaction, i) => ({ partition: 0, offset: 100 + i * 3, transaction }))
}

function transactionOf(one: Payment, time: number, number: number): Transaction {
  const id = (prefix: string, n: number | null) => (n === null ? null : `${prefix}-${n}`)
  return aTransaction({
    transaction_id: `tx-${number}`,
    event_time: time,
    customer_id: `c-${one.customer}`,
    amount_minor: one.amount,
    currency: one.currency,
    type: one.type,
    channel: one.channel,
    merchant_id: `m-${one.merchant}`,
    mcc: one.mcc,
    terminal_id: id('t', one.terminal),
    device_id: id('d', one.device),
    country: one.country,
    latitude: one.place?.[0] ?? null,
    longitude: one.place?.[1] ?? null,
    utc_offset_minutes: one.offset,
  })
}
