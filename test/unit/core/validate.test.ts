import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Rejection } from '../../../src/core/errors.ts'
import {
  channels,
  entryModes,
  type Label,
  type Transaction,
  transactionTypes,
} from '../../../src/core/types.ts'
import {
  validateEntityUpdate,
  validateKey,
  validateLabel,
  validateTransaction,
} from '../../../src/core/validate.ts'
import { aLabel, anEntityUpdate, aTransaction, eventTime } from '../../helpers/contracts.ts'

const limits = { eventTimePastMs: 3_600_000, eventTimeFutureMs: 60_000 }
const unlimited = { eventTimePastMs: Number.POSITIVE_INFINITY, eventTimeFutureMs: Number.POSITIVE_INFINITY }

/** What is accepted, and what is said of the rest. */
type Rule = readonly [form: Pick<RegExp, 'test'>, message: RegExp]

function rejectionOf(changes: object): Rejection | undefined {
  const checked = validateTransaction(aTransaction(changes as Partial<Transaction>), eventTime, limits)
  return checked.ok ? undefined : checked.rejection
}

function labelRejectionOf(changes: object): Rejection | undefined {
  const checked = validateLabel(aLabel(changes as Partial<Label>), eventTime + 86_400_000, limits)
  return checked.ok ? undefined : checked.rejection
}

describe('validateTransaction', () => {
  it('gives back the payment that it was given', () => {
    const transaction = aTransaction()
    expect(validateTransaction(transaction, eventTime, limits)).toEqual({ ok: true, value: transaction })
  })

  it.each<[keyof Transaction, unknown[]]>([
    ['transaction_id', ['x', 'x'.repeat(64), 'Überweisung-1', '😀']],
    ['amount_minor', [0, 2 ** 53 - 2]],
    ['type', ['purchase', 'refund', 'cash', 'transfer', 'payment']],
    ['channel', ['pos', 'atm', 'ecommerce', 'moto', 'recurring', 'transfer']],
    ['entry_mode', [null, 'chip', 'contactless', 'magstripe', 'manual', 'stored', 'online']],
    ['merchant_name', [null, '', 'x'.repeat(128)]],
    ['mcc', [null, '0000']],
    ['terminal_id', [null, 't-1']],
    ['ip', [null, '10.0.0.1', '2001:db8::1', '::ffff:192.0.2.1']],
    ['country', [null, 'ZZ']],
    ['utc_offset_minutes', [null, -840, 0, 840]],
    ['card_bin', [null, '411111', '41111111']],
    ['card_last4', [null, '0000']],
    ['description', [null, '', 'two\nlines', 'x'.repeat(256)]],
  ])('accepts %s of %j', (field, values) => {
    for (const value of values) expect(rejectionOf({ [field]: value })).toBeUndefined()
  })

  it.each<[keyof Transaction, unknown[]]>([
    ['transaction_id', ['', 'x'.repeat(65), 'a\u0000b', 'a\u0085b', '\ud800', 'a\ufffdb', null, 7]],
    ['customer_id', ['', 'x'.repeat(65), null]],
    ['merchant_id', ['', 'x'.repeat(65), null]],
    ['amount_minor', [-1, 0.5, 2 ** 53 - 1, Number.NaN, '12', null]],
    ['type', ['', 'PURCHASE', null]],
    ['channel', ['web', null]],
    ['entry_mode', ['', 'tap']],
    ['merchant_name', ['x'.repeat(129), '\udc00']],
    ['mcc', ['', '541', '54111', '٥٤١١', '5411\n']],
    ['terminal_id', ['', 'x'.repeat(65)]],
    ['device_id', ['', 'x'.repeat(65)]],
    ['ip', ['', 'localhost', '4111', '1.2.3', `:${'1'.repeat(45)}`]],
    ['country', ['', 'de', 'DEU', 'D1']],
    ['latitude', [null, 90.1, -90.1, Number.NaN, Number.POSITIVE_INFINITY]],
    ['longitude', [null, 180.1, -180.1, Number.NaN, Number.NEGATIVE_INFINITY]],
    ['utc_offset_minutes', [-841, 841, 1.5]],
    ['card_token', ['', 'x'.repeat(65)]],
    ['card_bin', ['', '41111', '4111111', '411111111']],
    ['card_last4', ['', '111', '11111']],
    ['counterparty_id', ['', 'x'.repeat(65)]],
    ['description', ['x'.repeat(257)]],
    ['event_time', [-1, 1.5, 8.64e15 + 1, Number.NaN]],
  ])('refuses %s of %j', (field, values) => {
    for (const value of values) {
      expect(rejectionOf({ [field]: value }), JSON.stringify(value)).toMatchObject({
        code: 'WEIR_RECORD_OUT_OF_RANGE',
        message: expect.stringContaining(field),
        withhold: false,
      })
    }
  })

  it.each(['', 'eur', 'EURO', 'XXX', 'XAU', 'ABC', null])('refuses the currency %j', (currency) => {
    expect(rejectionOf({ currency })?.code).toBe('WEIR_RECORD_UNKNOWN_CURRENCY')
  })

  it('accepts a payment without a place', () => {
    expect(rejectionOf({ latitude: null, longitude: null })).toBeUndefined()
  })

  it('holds the event time against the record, up to the limit and no further', () => {
    const at = (distanceMs: number, given = limits) => {
      const checked = validateTransaction(
        aTransaction({ event_time: eventTime + distanceMs }),
        eventTime,
        given,
      )
      return checked.ok || checked.rejection.code
    }
    expect(at(60_000)).toBe(true)
    expect(at(60_001)).toBe('WEIR_RECORD_EVENT_TIME')
    expect(at(-3_600_000)).toBe(true)
    expect(at(-3_600_001)).toBe('WEIR_RECORD_EVENT_TIME')
    expect(at(-eventTime, unlimited)).toBe(true)
    expect(at(1e12, unlimited)).toBe(true)
  })

  it.each(Object.keys(aTransaction()))('withholds a PAN in %s', (field) => {
    const text = { [field]: 'paid with 4111 1111 1111 1111' }
    const expected = {
      code: 'WEIR_RECORD_PAN',
      message: `${field} holds a primary account number`,
      withhold: true,
    }
    expect(rejectionOf(text)).toEqual(expected)
    // Another fault, found earlier, does not hide it.
    expect(rejectionOf({ transaction_id: '', ...text })).toEqual(expected)
  })

  it('says of any text what regular expressions say', () => {
    const id: Rule = [
      { test: (text) => text.length > 0 && text.length <= 64 && !/[\p{Cc}\ufffd]/u.test(text) },
      /1 to 64 characters$|control characters$|valid Unicode$/,
    ]
    const rules: Record<string, Rule> = {
      transaction_id: id,
      customer_id: id,
      terminal_id: id,
      type: [
        /^(?:purchase|refund|cash|transfer|payment)$/,
        /one of purchase, refund, cash, transfer, payment$/,
      ],
      channel: [/^(?:pos|atm|ecommerce|moto|recurring|transfer)$/, /one of pos, atm, .*, transfer$/],
      entry_mode: [/^(?:chip|contactless|magstripe|manual|stored|online)$/, /one of chip, .*, online$/],
      mcc: [/^\d{4}$/, /four digits$/],
      country: [/^[A-Z]{2}$/, /two capital letters$/],
      card_bin: [/^(?:\d{6}|\d{8})$/, /six or eight digits$/],
      card_last4: [/^\d{4}$/, /four digits$/],
    }
    const units = fc.constantFrom(
      ...'0059/:AZ@[az-',
      '\n',
      '\u001f',
      '\u0080',
      '\u00a0',
      'é',
      '٥',
      '\ufffd',
      '\ud800',
    )
    const texts = fc.oneof(
      fc.constantFrom(...transactionTypes, ...channels, ...entryModes, '', '1'.repeat(8), 'x'.repeat(64)),
      fc.array(units, { maxLength: 9 }).map((parts) => parts.join('')),
      fc.string({ unit: fc.constantFrom(...'0123456789'), maxLength: 9 }),
      fc.string({ unit: fc.constantFrom(...'AZ'), maxLength: 3 }),
      fc.string({ unit: fc.constantFrom('a', 'é', '😀'), maxLength: 70 }),
    )
    fc.assert(
      fc.property(fc.constantFrom(...Object.keys(rules)), texts, (field, text) => {
        const [form, message] = rules[field] as Rule
        const rejection = rejectionOf({ [field]: text })
        if (form.test(text) && text.isWellFormed()) expect(rejection).toBeUndefined()
        else expect(rejection?.message).toMatch(message)
      }),
      { numRuns: 5_000 },
    )
  })

  it('never says the value of what it refuses', () => {
    const text = fc.string({ minLength: 65, maxLength: 80, unit: fc.constantFrom('Q', 'Z', '#') })
    const field = fc.constantFrom(...Object.keys(aTransaction()))
    fc.assert(
      fc.property(field, text, (name, value) => {
        const rejection = rejectionOf({ [name]: value })
        if (rejection) expect(rejection.message).not.toMatch(/Q|Z|#/)
      }),
    )
  })
})

describe('validateLabel', () => {
  it('gives back the label that it was given', () => {
    expect(labelRejectionOf({})).toBeUndefined()
    expect(labelRejectionOf({ observed_time: eventTime })).toBeUndefined()
    expect(labelRejectionOf({ effective_time: 0, observed_time: 0 })).toBeUndefined()
  })

  it.each<[keyof Label, unknown]>([
    ['label_id', ''],
    ['transaction_id', 'x'.repeat(65)],
    ['customer_id', null],
    ['merchant_id', ''],
    ['terminal_id', ''],
    ['device_id', '\u0007'],
    ['fraud', 'yes'],
    ['state', 'open'],
    ['source', 'police'],
    ['fraud_type', 'x'.repeat(65)],
    ['effective_time', -1],
    ['observed_time', eventTime - 1],
  ])('refuses %s of %j', (field, value) => {
    expect(labelRejectionOf({ [field]: value })).toMatchObject({
      code: 'WEIR_RECORD_OUT_OF_RANGE',
      message: expect.stringContaining(field),
    })
  })

  it('refuses a label from the future', () => {
    expect(labelRejectionOf({ observed_time: eventTime + 86_460_000 })).toBeUndefined()
    expect(labelRejectionOf({ observed_time: eventTime + 86_460_001 })?.code).toBe('WEIR_RECORD_EVENT_TIME')
  })

  it('withholds a PAN', () => {
    expect(labelRejectionOf({ fraud_type: '4111111111111111' })).toMatchObject({
      code: 'WEIR_RECORD_PAN',
      withhold: true,
    })
  })
})

describe('validateEntityUpdate', () => {
  it('knows the kinds of entities and sources', () => {
    expect(validateEntityUpdate(anEntityUpdate()).ok).toBe(true)
    const [delta] = anEntityUpdate().deltas
    const strange = { ...delta, kind: 'planet' } as never
    expect(validateEntityUpdate(anEntityUpdate({ deltas: [strange] })).ok).toBe(false)
    expect(validateEntityUpdate(anEntityUpdate({ source_kind: 'x' as never })).ok).toBe(false)
  })
})

describe('validateKey', () => {
  it('wants the customer or no key at all', () => {
    expect(validateKey(null, 'c-1')).toBeUndefined()
    expect(validateKey(Buffer.from('c-1'), 'c-1')).toBeUndefined()
    expect(validateKey(Buffer.from('c-2'), 'c-1')?.code).toBe('WEIR_RECORD_KEY')
    expect(validateKey(Buffer.alloc(0), 'c-1')?.code).toBe('WEIR_RECORD_KEY')
  })

  it('compares as a text made of the bytes would', () => {
    const customers = fc.string({
      unit: fc.constantFrom('a', 'b', 'é', 'Ã', '©', '\ufffd', '\ud800'),
      maxLength: 4,
    })
    const bytes = fc.oneof(
      customers.map((customer) => Buffer.from(customer)),
      customers.map((customer) => Buffer.from(customer, 'latin1')),
    )
    fc.assert(
      fc.property(bytes, customers, (key, customer) => {
        expect(validateKey(key, customer) === undefined).toBe(key.toString() === customer)
      }),
      { numRuns: 5_000 },
    )
  })
})
