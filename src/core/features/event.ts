import { hash32, hash53 } from '../hash.ts'
import { unitAt } from '../text.ts'
import { channels, type Transaction, transactionTypes } from '../types.ts'

/** A transaction reduced to the numbers that states and features are made of. */
export interface FeatureEvent {
  /** Log offset of the transaction. */
  readonly offset: number
  /** event_time, epoch milliseconds. */
  readonly time: number
  /** Amount in hundredths of the reference currency, an integer, so that sums are exact. */
  readonly amount: number
  /** hash53 of transaction_id. */
  readonly id: number
  /** hash53 of customer_id. */
  readonly customer: number
  /** hash32 of the identifiers, 0 when absent. */
  readonly merchant: number
  readonly device: number
  /** Two letters as a 16-bit number, 0 when absent. */
  readonly country: number
  /** 0 when absent. */
  readonly mcc: number
  /** Position in `channels`, and in `transactionTypes`. */
  readonly channel: number
  readonly type: number
}

const channelCodes: ReadonlyMap<string, number> = new Map(channels.map((name, code) => [name, code]))
const typeCodes: ReadonlyMap<string, number> = new Map(transactionTypes.map((name, code) => [name, code]))

export const channelCode = (name: string): number => channelCodes.get(name) ?? -1
export const typeCode = (name: string): number => typeCodes.get(name) ?? -1

const cardPresentCodes = new Set(['pos', 'atm'].map(channelCode))

/** @param channel its code. */
export const isCardPresent = (channel: number): boolean => cardPresentCodes.has(channel)

/** Hundredths of the reference currency. @param factor so many of them per minor unit of the transaction's currency. */
export const convertedAmount = ({ amount_minor }: Transaction, factor: number): number =>
  Math.round(amount_minor * factor)

/** @param factor hundredths of the reference currency per minor unit of the transaction's currency. */
export function toEvent(transaction: Transaction, offset: number, factor: number): FeatureEvent {
  const { country, mcc } = transaction
  return {
    offset,
    time: transaction.event_time,
    amount: convertedAmount(transaction, factor),
    id: hash53(transaction.transaction_id),
    customer: hash53(transaction.customer_id),
    merchant: hash32(transaction.merchant_id),
    device: hash32(transaction.device_id),
    country: country === null ? 0 : (unitAt(country, 0) << 8) | unitAt(country, 1),
    mcc: mcc === null ? 0 : Number(mcc),
    channel: channelCode(transaction.channel),
    type: typeCode(transaction.type),
  }
}
