import { describe, expect, it } from 'vitest'
import { openContracts } from '../../../src/apps/connect.ts'
import { loadFeatures } from '../../../src/config/definitions.ts'
import { loadConfig } from '../../../src/config/load.ts'
import type { LogRecord } from '../../../src/core/ports.ts'
import { decodeRecords } from '../../../src/stream/decoded.ts'
import { withRates } from '../../../src/stream/scorer.ts'
import { aTransaction } from '../../helpers/contracts.ts'

const { config } = loadConfig({ env: { WEIR_CONFIG: '/dev/null' } })
const contracts = await openContracts(config)
const codec = withRates(contracts.transactions, loadFeatures('features.yaml'))

function record(change: Parameters<typeof aTransaction>[0], more: Partial<LogRecord> = {}): LogRecord {
  const transaction = aTransaction(change)
  return {
    offset: 0,
    timestamp: transaction.event_time,
    key: Buffer.from(transaction.customer_id),
    value: contracts.transactions.encode(transaction),
    headers: {},
    ...more,
  }
}

const decode = (one: LogRecord) => decodeRecords(codec, [one], { topic: 'in', partition: 0 }, 'dead')

describe('a valid record that could stop a partition', () => {
  it('an amount whose sums would not be exact goes to dead letters', async () => {
    const { values, rejections } = await decode(record({ amount_minor: 9e15, currency: 'GBP' }))
    expect(values).toEqual([])
    expect(rejections).toMatchObject([{ code: 'WEIR_RECORD_OUT_OF_RANGE' }])
    expect((await decode(record({ amount_minor: 1e12, currency: 'EUR' }))).values).toHaveLength(1)
  })

  it('a currency without a rate goes to dead letters', async () => {
    const { rejections } = await decode(record({ currency: 'FKP' }))
    expect(rejections).toMatchObject([{ code: 'WEIR_RECORD_UNKNOWN_CURRENCY' }])
  })

  it.each([
    ['key', { key: Buffer.alloc(1_000_000, 'a') }],
    ['headers', { headers: { tracestate: 'x'.repeat(2_000_000) } }],
  ])('large %s are not copied to the answer', async (_, more) => {
    const { values, rejections, deadLetters } = await decode(record({}, more))
    expect(values).toEqual([])
    expect(rejections).toMatchObject([{ code: 'WEIR_RECORD_TOO_LARGE' }])
    const [{ key, value, headers = {} } = { key: '', value: null, headers: {} }] = deadLetters
    expect([key, value]).toEqual([null, null])
    expect(JSON.stringify(headers).length).toBeLessThan(2_000)
  })
})
