import { createHmac } from 'node:crypto'
import { globSync } from 'node:fs'
import { basename, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Label, Transaction } from '../../../src/core/types.ts'
import { fileSource } from '../../../src/replay/file-source.ts'
import type { HistoryItem } from '../../../src/replay/source.ts'

const root = join(import.meta.dirname, '../../..')
const sample = (map: string) => join(root, `test/fixtures/mappings/${map}.csv`)

async function read(map: string, order: 'refuse' | 'sort' = 'refuse') {
  const items: HistoryItem[] = []
  for await (const batch of fileSource([sample(map)], { map, partitions: 4, order }).items())
    items.push(...batch)
  return {
    payments: items.flatMap((item) => (item.kind === 'transaction' ? [item.transaction] : [])),
    rejected: items.filter(({ kind }) => kind === 'rejected'),
    labels: items.flatMap((item) => (item.kind === 'label' ? [item.label] : [])),
  }
}

const hash = (text: string) => createHmac('sha256', 'weir').update(text).digest('hex').slice(0, 32)

const nothing = {
  entry_mode: null,
  merchant_name: null,
  mcc: null,
  terminal_id: null,
  device_id: null,
  ip: null,
  country: null,
  latitude: null,
  longitude: null,
  utc_offset_minutes: null,
  card_token: null,
  card_bin: null,
  card_last4: null,
  counterparty_id: null,
  email_hash: null,
  description: null,
}

const expected: Record<string, { first: Transaction; rows: number; labels: Partial<Label>[] }> = {
  'ieee-cis': {
    rows: 4,
    first: {
      ...nothing,
      transaction_id: '4000001',
      event_time: Date.UTC(2017, 11, 2, 1, 0, 0),
      customer_id: 'c11111-490.0-150.0-226.0-299.0',
      merchant_id: 'product-W',
      amount_minor: 6_850,
      currency: 'USD',
      type: 'purchase',
      channel: 'ecommerce',
    },
    labels: [
      { transaction_id: '4000003', source: 'chargeback', observed_time: Date.UTC(2018, 0, 1, 1, 2, 0) },
    ],
  },
  ulb: {
    rows: 4,
    first: {
      ...nothing,
      transaction_id: 'u2',
      event_time: Date.UTC(2013, 8, 1),
      customer_id: 'c2',
      merchant_id: 'unknown',
      amount_minor: 1_250,
      currency: 'EUR',
      type: 'purchase',
      channel: 'pos',
    },
    labels: [{ transaction_id: 'u4', observed_time: Date.UTC(2013, 8, 8, 0, 0, 3) }],
  },
  sparkov: {
    rows: 3,
    first: {
      ...nothing,
      transaction_id: '00000000000000000000000000000a01',
      event_time: Date.UTC(2019, 0, 1, 0, 0, 30),
      customer_id: `c${hash('4111111111111111')}`,
      merchant_id: 'fraud_Smith, Doe and Sons',
      merchant_name: 'fraud_Smith, Doe and Sons',
      amount_minor: 1_497,
      currency: 'USD',
      type: 'purchase',
      channel: 'ecommerce',
      country: 'US',
      latitude: 40.011293,
      longitude: -82.048315,
      description: 'misc_net',
    },
    labels: [{ transaction_id: '00000000000000000000000000000a03', fraud: true }],
  },
  paysim: {
    rows: 5,
    first: {
      ...nothing,
      transaction_id: 'p2',
      event_time: Date.UTC(2017, 0, 1, 1),
      customer_id: 'C1000000001',
      merchant_id: 'M2000000001',
      counterparty_id: 'M2000000001',
      amount_minor: 900_050,
      currency: 'USD',
      type: 'purchase',
      channel: 'pos',
    },
    labels: [
      { transaction_id: 'p3', fraud_type: 'TRANSFER' },
      { transaction_id: 'p4', fraud_type: 'CASH_OUT' },
    ],
  },
  tabformer: {
    rows: 4,
    first: {
      ...nothing,
      transaction_id: 'b2',
      event_time: Date.UTC(2012, 8, 1, 6, 21),
      customer_id: 'u0',
      card_token: 'u0-0',
      merchant_id: `m${hash('1234567890123456789')}`,
      mcc: '5300',
      amount_minor: 13_409,
      currency: 'USD',
      type: 'purchase',
      channel: 'pos',
      entry_mode: 'magstripe',
      country: 'US',
    },
    labels: [{ transaction_id: 'b4', fraud: true }],
  },
}

describe('the mapping of', () => {
  it.each(Object.keys(expected))('%s makes a valid payment of every row', async (map) => {
    const { payments, rejected, labels } = await read(map)
    const { first, rows, labels: known } = expected[map] as (typeof expected)[string]
    expect(rejected).toEqual([])
    expect(payments).toHaveLength(rows)
    expect(payments[0]).toEqual(first)
    expect(labels).toMatchObject(known)
    expect(labels).toHaveLength(known.length)
  })

  it('every public file is tested', () => {
    const maps = globSync('mappings/*.yaml', { cwd: root }).map((path) => basename(path, '.yaml'))
    expect(maps.toSorted()).toEqual([...Object.keys(expected), 'handbook'].toSorted())
  })

  it('tabformer knows refunds, other countries, and codes of three digits', async () => {
    const { payments } = await read('tabformer')
    expect(payments[1]).toMatchObject({ type: 'refund', amount_minor: 9_900, entry_mode: 'chip' })
    expect(payments[2]).toMatchObject({ mcc: '0742', channel: 'ecommerce', amount_minor: 750 })
    expect(payments[3]).toMatchObject({ country: null })
  })

  it('ulb takes times as R writes them', async () => {
    const { payments } = await read('ulb')
    expect(payments.at(-1)?.event_time).toBe(Date.UTC(2013, 8, 1) + 100_000_000)
  })

  it('no card number enters', async () => {
    for (const map of Object.keys(expected)) {
      expect(JSON.stringify(await read(map))).not.toMatch(/4111111111111111|6011000990139424/)
    }
  })

  it('rows without ids may not be of several files', () => {
    const files = [sample('ulb'), sample('ulb')]
    expect(() => fileSource(files, { map: 'ulb', partitions: 1 })).toThrow('it reads one file')
  })
})
