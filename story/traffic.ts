import { dayMs } from '../src/core/days.ts'
import { Random } from '../src/core/random.ts'
import type { Label, Transaction } from '../src/core/types.ts'
import { generate } from '../src/generator/generate.ts'

const minuteMs = 60_000
const hourMs = 60 * minuteMs

/** Of the story that is told. */
export const storySeed = 7

/** Payments in order of arrival, and what became known meanwhile. */
export interface Part {
  readonly payments: readonly Transaction[]
  readonly labels: readonly Label[]
}

/** Everything that happens in the story, at times that have passed. */
export interface Traffic {
  /** Ten days and a morning of 250 customers. */
  readonly before: Part
  /** The half hour in which cards are tested first, and that in which it goes on after the rule. */
  readonly firstWave: Part
  readonly secondWave: Part
  /** Two more days, with what the banks report of the attack. */
  readonly after: Part
  /** The shop where cards are tested. */
  readonly shop: { readonly id: string; readonly name: string }
  /** The device that shows in the first wave. */
  readonly device: string
}

/** Who knows the attack: its payments are named so. */
export const isOfAttack = (transaction_id: string): boolean => transaction_id.startsWith('attack-')

const customers = 250
/** Days from the first payment to that of the attack, and to the end. */
const attackDay = 10
const days = 13
/** Payments of each wave, one card each. */
const wave = 40
/** Of a shop in the days before the attack. */
const fewestVisits = 15

/**
 * Generated payments of 13 days, with two waves of card testing on the eleventh at noon: small payments at the web shop
 * that has the smallest ones anyway, with the cards of customers who never bought there, one or two a minute. Seven in ten
 * hide the device; the others come from one in the first wave, and from that and four more in the second.
 *
 * @param seed the same gives the same payments.
 * @param now epoch milliseconds: the story begins on the last Monday that leaves it time to end before.
 */
export function trafficOf(seed: number, now: number): Traffic {
  const start = lastMonday(now - days * dayMs)
  const attack = start + attackDay * dayMs + 12 * hourMs
  const random = new Random(seed, 100)
  const everyday = everydayOf(seed, start)
  const before = cut(everyday, start, attack)
  const shop = cheapestShop(before.payments)
  const victims = strangersTo(shop.merchant_id, before.payments, random)
  const device = random.token('d')
  const devices = [device, random.token('d'), random.token('d'), random.token('d'), random.token('d')]
  const waveAt = (time: number, from: readonly string[]) =>
    victims.splice(0, wave).map((victim, i) => {
      const event_time = time + i * 40_000 + random.below(30_000)
      const id = `attack-${i}-${(event_time - attack).toString(36)}`
      return testPayment(victim, shop, {
        transaction_id: id,
        event_time,
        amount_minor: 200 + random.below(700),
        device_id: random.chance(0.3) ? (from[i % from.length] as string) : null,
      })
    })
  const half = attack + 30 * minuteMs
  const first = waveAt(attack, [device])
  const second = waveAt(half, devices)
  return {
    before,
    firstWave: withAttack(cut(everyday, attack, half), first),
    secondWave: withAttack(cut(everyday, half, half + 30 * minuteMs), second),
    after: withReports(
      cut(everyday, half + 30 * minuteMs, Number.POSITIVE_INFINITY),
      [...first, ...second],
      random,
    ),
    shop: { id: shop.merchant_id, name: shop.merchant_name ?? shop.merchant_id },
    device,
  }
}

interface Timed<T> {
  readonly time: number
  readonly value: T
}

interface Everyday {
  readonly payments: readonly Timed<Transaction>[]
  readonly labels: readonly Timed<Label>[]
}

/** What the generator makes depends on the date, salaries for one: it is always made for this Monday, and moved. */
const generatedStart = Date.UTC(2026, 10, 9)

function everydayOf(seed: number, start: number): Everyday {
  const payments: Timed<Transaction>[] = []
  const labels: Timed<Label>[] = []
  const later = start - generatedStart
  const options = { seed, events: Number.MAX_SAFE_INTEGER, startTime: generatedStart, customers }
  for (const record of generate(options)) {
    const time = record.time + later
    if (time >= start + days * dayMs) break
    if (record.kind === 'transaction') {
      const { transaction } = record
      payments.push({ time, value: { ...transaction, event_time: transaction.event_time + later } })
    } else if (record.kind === 'label') {
      const { effective_time, observed_time } = record.label
      const moved = { effective_time: effective_time + later, observed_time: observed_time + later }
      labels.push({ time, value: { ...record.label, ...moved } })
    }
  }
  return { payments, labels }
}

function cut({ payments, labels }: Everyday, from: number, to: number): Part {
  const within = <T>(all: readonly Timed<T>[]) =>
    all.filter(({ time }) => time >= from && time < to).map(({ value }) => value)
  return { payments: within(payments), labels: within(labels) }
}

function withAttack({ payments, labels }: Part, attack: readonly Transaction[]): Part {
  return { payments: [...payments, ...attack].sort((a, b) => a.event_time - b.event_time), labels }
}

/** Four in five of the victims dispute the payment, six to thirty hours later. */
function withReports({ payments, labels }: Part, attack: readonly Transaction[], random: Random): Part {
  const reports = attack
    .filter(() => random.chance(0.8))
    .map(
      (payment): Label => ({
        label_id: `${payment.transaction_id}-reported`,
        transaction_id: payment.transaction_id,
        customer_id: payment.customer_id,
        merchant_id: payment.merchant_id,
        terminal_id: null,
        device_id: payment.device_id,
        fraud: true,
        state: 'reported',
        source: 'chargeback',
        fraud_type: 'card_testing',
        effective_time: payment.event_time,
        observed_time: payment.event_time + 6 * hourMs + random.below(dayMs),
      }),
    )
  return { payments, labels: [...labels, ...reports].sort((a, b) => a.observed_time - b.observed_time) }
}

const meanAmount = (payments: readonly Transaction[]): number =>
  payments.reduce((sum, { amount_minor }) => sum + amount_minor, 0) / payments.length

/** The web shop whose payments are smallest: a latest payment there. */
function cheapestShop(payments: readonly Transaction[]): Transaction {
  const visits = Map.groupBy(
    payments.filter(({ channel, currency }) => channel === 'ecommerce' && currency === 'EUR'),
    ({ merchant_id }) => merchant_id,
  )
  const [cheapest] = [...visits.values()]
    .filter((payments) => payments.length >= fewestVisits)
    .sort((a, b) => meanAmount(a) - meanAmount(b))
  return (cheapest as Transaction[]).at(-1) as Transaction
}

/** The latest card payment of each customer who never bought there, in an order of chance. */
function strangersTo(merchantId: string, payments: readonly Transaction[], random: Random): Transaction[] {
  const known = new Set(
    payments.filter((one) => one.merchant_id === merchantId).map((one) => one.customer_id),
  )
  const latest = new Map<string, Transaction>()
  for (const payment of payments) {
    if (payment.card_token !== null && !known.has(payment.customer_id))
      latest.set(payment.customer_id, payment)
  }
  const drawn = [...latest.values()].map((payment) => ({ payment, at: random.unit() }))
  return drawn.sort((a, b) => a.at - b.at).map(({ payment }) => payment)
}

function testPayment(
  { customer_id, card_token, card_bin, card_last4, utc_offset_minutes }: Transaction,
  shop: Transaction,
  own: Pick<Transaction, 'transaction_id' | 'event_time' | 'amount_minor' | 'device_id'>,
): Transaction {
  return {
    ...shop,
    customer_id,
    card_token,
    card_bin,
    card_last4,
    utc_offset_minutes,
    type: 'purchase',
    channel: 'ecommerce',
    entry_mode: 'online',
    ip: '203.0.113.7',
    ...own,
  }
}

/** The last Monday 00:00 UTC that is not after the time. */
function lastMonday(time: number): number {
  const day = Math.floor(time / dayMs)
  // 1970-01-01 was a Thursday.
  return (day - ((day + 3) % 7)) * dayMs
}
