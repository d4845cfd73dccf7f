import type { Column } from './columns.ts'
import type { Events } from './customer-state.ts'
import type { SequenceChannel } from './definition.ts'
import { channelCode, typeCode } from './event.ts'

/** One payment of the sequence, the transaction itself or a kept one. */
interface Step {
  readonly time: number
  /** Hundredths of the reference currency. */
  readonly amount: number
  readonly merchant: number
  readonly device: number
  readonly country: number
  readonly mcc: number
  readonly channel: number
  readonly type: number
}

const missing = Number.NaN
const hourMs = 3_600_000
const presentCodes = new Set(['pos', 'atm'].map(channelCode))
const remoteCodes = new Set(['ecommerce', 'moto'].map(channelCode))
const refundCode = typeCode('refund')

/**
 * A channel of the payment `back` places before the transaction among the customer's kept events, in log order;
 * missing where there is none. `same_…` compares with the transaction; hours are of UTC.
 */
export function sequenceColumn(channel: SequenceChannel, back: number): Column {
  return ({ customer: { events }, event }) => {
    const at = events.size - back
    if (at < 0) return missing
    const step = back === 0 ? event : keptStep(events, at)
    switch (channel) {
      case 'log_amount':
        return Math.log1p(step.amount / 100)
      case 'log_gap':
        // Late payments have the gap 0.
        return at === 0
          ? missing
          : Math.log1p(Math.max(0, step.time - (events.time[at - 1] as number)) / 1000)
      case 'hour':
        return Math.floor(step.time / hourMs) % 24
      case 'card_present':
        return presentCodes.has(step.channel) ? 1 : 0
      case 'remote':
        return remoteCodes.has(step.channel) ? 1 : 0
      case 'refund':
        return step.type === refundCode ? 1 : 0
      case 'same_merchant':
        return same(step.merchant, event.merchant)
      case 'same_device':
        return same(step.device, event.device)
      case 'same_country':
        return same(step.country, event.country)
      case 'same_mcc':
        return same(step.mcc, event.mcc)
    }
  }
}

/** Missing when the transaction has no such value. */
function same(value: number, wanted: number): number {
  return wanted === 0 ? missing : value === wanted ? 1 : 0
}

function keptStep(events: Events, at: number): Step {
  const kind = events.kind[at] as number
  return {
    time: events.time[at] as number,
    amount: events.amount[at] as number,
    merchant: events.merchant[at] as number,
    device: events.device[at] as number,
    country: events.value(at, 'country'),
    mcc: events.value(at, 'mcc'),
    channel: kind >>> 8,
    type: kind & 0xff,
  }
}
