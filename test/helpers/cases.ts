import { Random } from '../../src/core/random.ts'
import type { Label, Transaction } from '../../src/core/types.ts'
import { channels, entryModes, transactionTypes } from '../../src/core/types.ts'
import { aLabel, aTransaction, eventTime } from './contracts.ts'
import { day, hour } from './feature-values.ts'

/** What is sent for a case in one wave. */
export interface Step {
  readonly transaction: Transaction
  /** Of its record, epoch milliseconds. */
  readonly timestamp: number
}

/** One customer with merchants, terminals and devices that no other has: one step a wave, null where nothing comes. */
export interface Case {
  readonly steps: readonly (Step | null)[]
  /** What becomes known in the middle of the waves. */
  readonly label: Label | null
}

const currencies = ['EUR', 'EUR', 'EUR', 'USD', 'JPY', 'KWD', 'HUF', 'CLP']
const countries = ['DE', 'FR', 'US', 'BR', 'JP', null]

/** Each breaks the contract in one place. */
const breaks: readonly Partial<Transaction>[] = [
  { currency: 'XXX' },
  { currency: 'MNT' },
  { amount_minor: -1 },
  { description: 'card 4111 1111 1111 1111' },
  { mcc: '54' },
  { latitude: 91, longitude: 0 },
  { channel: 'pigeon' },
  { merchant_id: '' },
]

/** The same seed gives the same cases. */
export function cases(count: number, waves: number, seed: number): Case[] {
  return Array.from({ length: count }, (_, number) => aCase(new Random(seed, number), number, waves))
}

function aCase(random: Random, number: number, waves: number): Case {
  const steps: (Step | null)[] = []
  const decided: Transaction[] = []
  // Some customers pay every few minutes, others every few days.
  const pace = random.pick([0.02, 1, 20, 70]) * hour
  let time = eventTime + random.below(day)
  for (let wave = 0; wave < waves; wave++) {
    time += Math.floor(pace * random.unit())
    const kind = random.weighted([70, 10, 8, 8, 4])
    const again = decided[random.below(Math.max(1, decided.length))]
    if (kind === 4) steps.push(null)
    else if (kind === 1 && again !== undefined)
      steps.push({ transaction: again, timestamp: again.event_time })
    else if (kind === 2) {
      const late = payment(random, number, wave, time - random.below(3 * day))
      decided.push(late)
      steps.push({ transaction: late, timestamp: time })
    } else if (kind === 3) {
      const broken = { ...payment(random, number, wave, time), ...random.pick(breaks) }
      // The last break is one of time: paid an hour after its record was stamped.
      const isEarly = random.chance(0.1)
      steps.push({
        transaction: isEarly ? payment(random, number, wave, time + hour) : broken,
        timestamp: time,
      })
    } else {
      const paid = payment(random, number, wave, time)
      decided.push(paid)
      steps.push({ transaction: paid, timestamp: time })
    }
  }
  return { steps, label: random.chance(0.3) ? labelOf(random, decided[0]) : null }
}

function payment(random: Random, number: number, wave: number, event_time: number): Transaction {
  const own = (what: string, most: number) => `${what}-${number}-${random.below(most)}`
  const orNull = <T>(value: T) => (random.chance(0.2) ? null : value)
  const isPlaced = random.chance(0.7)
  return aTransaction({
    transaction_id: `case-${number}-${wave}`,
    customer_id: `customer-${number}`,
    event_time,
    amount_minor: random.chance(0.1) ? random.pick([0, 1_000, 999_999_999]) : random.between(1, 50_000),
    currency: random.pick(currencies),
    type: random.pick(transactionTypes),
    channel: random.pick(channels),
    entry_mode: orNull(random.pick(entryModes)),
    merchant_id: own('merchant', 3),
    merchant_name: orNull('Kiosk – 角の店'),
    mcc: orNull(String(random.between(4_000, 4_010))),
    terminal_id: orNull(own('terminal', 2)),
    device_id: orNull(own('device', 2)),
    country: random.pick(countries),
    latitude: isPlaced ? 180 * random.unit() - 90 : null,
    longitude: isPlaced ? 360 * random.unit() - 180 : null,
    utc_offset_minutes: orNull(random.between(-840, 840)),
  })
}

function labelOf(random: Random, paid: Transaction | undefined): Label | null {
  if (paid === undefined) return null
  const { transaction_id, customer_id, merchant_id, terminal_id, device_id, event_time } = paid
  return aLabel({
    label_id: `label-${transaction_id}`,
    transaction_id,
    customer_id,
    merchant_id,
    terminal_id,
    device_id,
    fraud: random.chance(0.8),
    effective_time: event_time,
    observed_time: event_time + random.below(day),
  })
}
