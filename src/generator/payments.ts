import type { Random } from '../core/random.ts'
import type { Transaction } from '../core/types.ts'
import { minorUnitsPerCent } from './catalogue.ts'
import { type Card, type Customer, type Merchant, remember } from './world.ts'

/** Whose hands a remote payment comes from. */
export interface Origin {
  readonly device: string | null
  readonly ip: string | null
}

interface Common {
  readonly customer: Customer
  readonly time: number
  /** Euro cents; the payment itself is in the merchant's currency. */
  readonly cents: number
  /** Default purchase. */
  readonly type?: string
}

export interface CardPayment extends Common {
  readonly merchant: Merchant
  readonly entryMode: string
  readonly card?: Card
}

export interface RemotePayment extends CardPayment {
  readonly channel: string
  readonly origin: Origin
}

export interface TransferPayment extends Common {
  readonly payee: string
  readonly payeeName: string | null
  readonly origin: Origin
  readonly description: string
}

/** Makes transactions of the contract, schemas/transaction.avsc, from what customers and thieves do. */
export class Payments {
  readonly #random: Random
  readonly #prefix: string
  #made = 0

  constructor(seed: number, random: Random) {
    this.#random = random
    this.#prefix = `tx-${(seed >>> 0).toString(36)}-n`
  }

  /** At a terminal: a shop or a cash machine. */
  present(payment: CardPayment): Transaction {
    const { merchant, customer } = payment
    const cash = payment.type === 'cash'
    remember(merchant, customer)
    return {
      ...this.#card(payment, cash ? 'atm' : 'pos'),
      terminal_id: this.#random.pick(merchant.terminals),
      device_id: null,
      ip: null,
      latitude: merchant.latitude,
      longitude: merchant.longitude,
      utc_offset_minutes: merchant.city.utcOffsetMinutes,
    }
  }

  /** From afar: web shop, mail and telephone order, or a standing agreement. */
  remote(payment: RemotePayment): Transaction {
    remember(payment.merchant, payment.customer)
    return {
      ...this.#card(payment, payment.channel),
      terminal_id: null,
      device_id: payment.origin.device,
      ip: payment.origin.ip,
      latitude: null,
      longitude: null,
      utc_offset_minutes: payment.customer.home.utcOffsetMinutes,
    }
  }

  /** From account to account: the payee is the merchant. */
  transfer(payment: TransferPayment): Transaction {
    const { customer, payee, origin } = payment
    return {
      transaction_id: this.#nextId(),
      event_time: payment.time,
      customer_id: customer.id,
      amount_minor: Math.max(1, Math.round(payment.cents)),
      currency: 'EUR',
      type: payment.type ?? 'transfer',
      channel: 'transfer',
      entry_mode: 'online',
      merchant_id: payee,
      merchant_name: payment.payeeName,
      mcc: null,
      terminal_id: null,
      device_id: origin.device,
      ip: origin.ip,
      country: customer.home.country,
      latitude: null,
      longitude: null,
      utc_offset_minutes: customer.home.utcOffsetMinutes,
      card_token: null,
      card_bin: null,
      card_last4: null,
      counterparty_id: payee,
      email_hash: null,
      description: payment.description,
    }
  }

  #card(payment: CardPayment, channel: string) {
    const { customer, merchant } = payment
    const card = payment.card ?? (customer.cards[0] as Card)
    const { currency, country } = merchant.city
    return {
      transaction_id: this.#nextId(),
      event_time: payment.time,
      customer_id: customer.id,
      amount_minor: Math.max(1, Math.round(payment.cents * (minorUnitsPerCent[currency] as number))),
      currency,
      type: payment.type ?? 'purchase',
      channel,
      entry_mode: payment.entryMode,
      merchant_id: merchant.id,
      merchant_name: merchant.name,
      mcc: merchant.category.mcc,
      country,
      card_token: card.token,
      card_bin: card.bin,
      card_last4: card.last4,
      counterparty_id: null,
      email_hash: null,
      description: null,
    }
  }

  #nextId(): string {
    return this.#prefix + (this.#made++).toString(36)
  }
}
