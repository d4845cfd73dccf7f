import type { Column } from './columns.ts'
import { type Events, remembered } from './customer-state.ts'
import type { RememberedField, SequenceChannel } from './definition.ts'
import { channelCode, type FeatureEvent, isCardPresent, typeCode } from './event.ts'

const missing = Number.NaN
const hourMs = 3_600_000
const remoteCodes = new Set(['ecommerce', 'moto'].map(channelCode))
const refundCode = typeCode('refund')

/** A channel of the kept event at a place, or of the event itself, whose place is behind them all. */
type Cell = (events: Events, at: number, event: FeatureEvent) => number

/**
 * A channel of the payment `back` places before the transaction among the customer's kept events, in log order;
 * missing where there is none. `same_…` compares with the transaction; hours are of UTC.
 */
export function sequenceColumn(channel: SequenceChannel, back: number): Column {
  const cell = cellOf(channel)
  return ({ customer: { events }, event }) => {
    const at = events.size - back
    return at < 0 ? missing : cell(events, at, event)
  }
}

function cellOf(channel: SequenceChannel): Cell {
  switch (channel) {
    case 'log_amount':
      return ({ size, amount }, at, event) =>
        Math.log1p((at === size ? event.amount : (amount[at] as number)) / 100)
    case 'log_gap':
      // Late payments have the gap 0.
      return (events, at, event) => {
        if (at === 0) return missing
        const gapMs = timeAt(events, at, event) - (events.time[at - 1] as number)
        return Math.log1p(Math.max(0, gapMs) / 1000)
      }
    case 'hour':
      return (events, at, event) => Math.floor(timeAt(events, at, event) / hourMs) % 24
    case 'card_present':
      return (events, at, event) => (isCardPresent(channelAt(events, at, event)) ? 1 : 0)
    case 'remote':
      return (events, at, event) => (remoteCodes.has(channelAt(events, at, event)) ? 1 : 0)
    case 'refund':
      return ({ size, kind }, at, event) =>
        (at === size ? event.type : (kind[at] as number) & 0xff) === refundCode ? 1 : 0
    case 'same_merchant':
      return sameAs('merchant_id')
    case 'same_device':
      return sameAs('device_id')
    case 'same_country':
      return sameAs('country')
    case 'same_mcc':
      return sameAs('mcc')
  }
}

function timeAt({ size, time }: Events, at: number, event: FeatureEvent): number {
  return at === size ? event.time : (time[at] as number)
}

function channelAt({ size, kind }: Events, at: number, event: FeatureEvent): number {
  return at === size ? event.channel : (kind[at] as number) >>> 8
}

/** Missing when the transaction has no such value. */
function sameAs(field: RememberedField): Cell {
  return (events, at, event) => {
    const wanted = remembered(event, field)
    if (wanted === 0) return missing
    return at === events.size || events.value(at, field) === wanted ? 1 : 0
  }
}
