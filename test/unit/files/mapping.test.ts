import { describe, expect, it } from 'vitest'
import { validateTransaction } from '../../../src/core/validate.ts'
import { contractMapping, loadMapping } from '../../../src/files/contract.ts'
import { toMinorUnits } from '../../../src/files/conversions.ts'
import { mappingSchema, rowMapper } from '../../../src/files/mapping.ts'

const handbookRow = {
  TRANSACTION_ID: '3527',
  TX_DATETIME: '2018-04-01 10:17:43',
  CUSTOMER_ID: '3774',
  TERMINAL_ID: '3059',
  TX_AMOUNT: '225.41',
  TX_TIME_SECONDS: '37063',
  TX_TIME_DAYS: '0',
  TX_FRAUD: '1',
  TX_FRAUD_SCENARIO: '1',
}

const minimal = {
  transaction_id: 'id',
  event_time: { column: 'time', as: 'iso_time' },
  customer_id: { constant: 'c' },
  amount_minor: { column: 'amount', as: 'decimal' },
  currency: 'currency',
  merchant_id: { constant: 'm' },
}
const row = { id: 't1', time: '2026-01-05T00:00:00Z', amount: '1', currency: 'EUR' }
const map = (fields: object, values: object = {}) =>
  rowMapper(mappingSchema.parse({ transaction: { ...minimal, ...fields } }))({ ...row, ...values }, 2)
    .transaction

describe('the handbook mapping', () => {
  const handbook = loadMapping('handbook')

  it('makes a valid payment of a row', () => {
    const { transaction } = rowMapper(handbook)(handbookRow, 2)
    expect(transaction).toMatchObject({
      transaction_id: '3527',
      event_time: Date.UTC(2018, 3, 1, 10, 17, 43),
      customer_id: 'c3774',
      merchant_id: 'm3059',
      terminal_id: 't3059',
      amount_minor: 22_541,
      currency: 'USD',
      channel: 'pos',
      type: 'purchase',
      country: null,
      description: null,
    })
    const limits = { eventTimePastMs: 0, eventTimeFutureMs: 0 }
    expect(validateTransaction(transaction, transaction.event_time, limits).ok).toBe(true)
  })

  it('makes a label, seven days later, of a fraud only', () => {
    expect(rowMapper(handbook)({ ...handbookRow, TX_FRAUD: '0' }, 2).label).toBeNull()
    expect(rowMapper(handbook)(handbookRow, 2).label).toEqual({
      label_id: '3527',
      transaction_id: '3527',
      customer_id: 'c3774',
      merchant_id: 'm3059',
      terminal_id: 't3059',
      device_id: null,
      fraud: true,
      state: 'reported',
      source: 'analyst',
      fraud_type: 'scenario_1',
      effective_time: Date.UTC(2018, 3, 1, 10, 17, 43),
      observed_time: Date.UTC(2018, 3, 8, 10, 17, 43),
    })
  })
})

describe('amounts', () => {
  it.each<[string, string, number]>([
    ['57.16', 'EUR', 5716],
    ['0.07', 'EUR', 7],
    // 1.15 * 100 and 4.35 * 100 are 114.99999999999999 and 434.99999999999994 as floats.
    ['1.15', 'EUR', 115],
    ['4.35', 'USD', 435],
    ['100', 'JPY', 100],
    ['100.00', 'JPY', 100],
    ['1.5', 'KWD', 1500],
    ['90071992547409.91', 'EUR', Number.MAX_SAFE_INTEGER],
  ])('of %s %s are %i minor units', (text, currency, minor) => {
    expect(toMinorUnits(text, currency)).toBe(minor)
  })

  it.each([
    ['1.005', 'EUR', 'more decimals than EUR'],
    ['1.5', 'JPY', 'more decimals than JPY'],
    ['-1', 'EUR', 'no amount'],
    ['1,50', 'EUR', 'no amount'],
    ['1e3', 'EUR', 'no amount'],
    ['1', 'EURO', 'no currency'],
    ['90071992547409.92', 'EUR', 'too large'],
  ])('of %s %s are refused', (text, currency, message) => {
    expect(() => toMinorUnits(text, currency)).toThrow(message)
  })

  it.each<[string, string, number]>([
    ['85.64999999999999', 'USD', 8565],
    ['1.005', 'EUR', 101],
    ['1.0049', 'EUR', 100],
    ['9.999', 'EUR', 1000],
    ['0.5', 'JPY', 1],
  ])('of %s %s are rounded to %i where the mapping says so', (text, currency, minor) => {
    expect(toMinorUnits(text, currency, true)).toBe(minor)
  })

  it('take the currency of their row', () => {
    expect(map({}, { amount: '1.234', currency: 'KWD' }).amount_minor).toBe(1234)
  })
})

describe('a column', () => {
  it.each<[string, number]>([
    ['2026-01-05', Date.UTC(2026, 0, 5)],
    ['2026-01-05 01:02:03', Date.UTC(2026, 0, 5, 1, 2, 3)],
    ['2026-01-05T01:02:03.5', Date.UTC(2026, 0, 5, 1, 2, 3, 500)],
    ['2026-01-05T01:02:03+02:00', Date.UTC(2026, 0, 4, 23, 2, 3)],
  ])('of ISO time %s is UTC unless it says otherwise', (time, instant) => {
    expect(map({}, { time }).event_time).toBe(instant)
  })

  it('may hold seconds or milliseconds of the epoch', () => {
    expect(map({ event_time: { column: 'time', as: 'epoch_s' } }, { time: '12' }).event_time).toBe(12_000)
    expect(map({ event_time: { column: 'time', as: 'epoch_ms' } }, { time: '12' }).event_time).toBe(12)
  })

  it('may have words of its own', () => {
    const channel = { column: 'ch', values: { '05': 'pos', '81': 'ecommerce' } }
    expect(map({ channel }, { ch: '81' }).channel).toBe('ecommerce')
    expect(() => map({ channel }, { ch: 'toString' })).toThrow('column ch: "toString" is not in its values')
  })

  it('that is empty is null, or its fallback', () => {
    expect(map({ country: 'land' }, { land: ' ' }).country).toBeNull()
    expect(map({ channel: { column: 'ch', optional: true, fallback: 'atm' } }).channel).toBe('atm')
  })

  it('that is absent is a mistake unless it is optional', () => {
    expect(() => map({ country: 'land' })).toThrow('there is no column land')
    expect(map({ country: { column: 'land', optional: true } }).country).toBeNull()
  })

  it.each([
    ['yesterday', 'iso_time'],
    ['2026-13-01', 'iso_time'],
    ['-1', 'epoch_s'],
    ['1.5', 'integer'],
    ['', 'nothing'],
  ])('of %j is not %s', (time, as) => {
    if (as === 'nothing') expect(map({}, { time }).event_time).toBeNull()
    else expect(() => map({ event_time: { column: 'time', as } }, { time })).toThrow(`is not ${as}`)
  })
})

describe('a file whose columns are the fields', () => {
  it('needs no mapping: types and defaults are those of the contract', () => {
    const { transaction } = rowMapper(contractMapping())(
      {
        transaction_id: 't1',
        event_time: '5',
        customer_id: 'c',
        amount_minor: 12,
        currency: 'EUR',
        merchant_id: 'm',
        latitude: '48.5',
        longitude: '',
        mcc: '0742',
      },
      2,
    )
    expect(transaction).toMatchObject({
      event_time: 5,
      amount_minor: 12,
      type: 'purchase',
      channel: 'pos',
      latitude: 48.5,
      longitude: null,
      mcc: '0742',
      ip: null,
    })
    expect(Object.keys(transaction)).toHaveLength(24)
  })

  it('must have the columns that have no default', () => {
    expect(() => rowMapper(contractMapping())({ transaction_id: 't1' }, 2)).toThrow(
      'there is no column event_time',
    )
  })
})

describe('a mapping file', () => {
  it('that is not there is named', () => {
    expect(() => loadMapping('nowhere')).toThrow('there is no mapping nowhere')
  })

  it('names other files from where it lies itself', () => {
    expect(loadMapping('handbook').defaults?.features).toMatch(/^\/.*\/features-handbook\.yaml$/)
  })

  it('with a misspelt field is refused', () => {
    expect(mappingSchema.safeParse({ transaction: { ...minimal, merchnat_name: 'x' } }).success).toBe(false)
  })
})
