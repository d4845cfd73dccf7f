import { describe, expect, it } from 'vitest'
import { deadLetter } from '../../../src/core/dead-letter.ts'
import type { Rejection } from '../../../src/core/errors.ts'
import { aRecord } from '../../helpers/contracts.ts'

const at = { topic: 'payments.transactions.v1', partition: 3 }
const rejection: Rejection = { code: 'WEIR_RECORD_UNDECODABLE', message: 'not what it says', withhold: false }
const record = aRecord(Buffer.from([0, 0, 0, 0, 1, 9]), { headers: { traceparent: '00-ab-cd-01' } })

describe('deadLetter', () => {
  it('copies the record and says what was wrong with it, as Kafka Connect does', () => {
    expect(deadLetter('fraud.dead-letters.v1', at, record, rejection)).toEqual({
      topic: 'fraud.dead-letters.v1',
      partition: 3,
      key: record.key,
      value: record.value,
      timestamp: record.timestamp,
      headers: {
        traceparent: '00-ab-cd-01',
        '__connect.errors.topic': 'payments.transactions.v1',
        '__connect.errors.partition': '3',
        '__connect.errors.offset': '7',
        '__connect.errors.stage': 'VALUE_CONVERTER',
        '__connect.errors.exception.class.name': 'WEIR_RECORD_UNDECODABLE',
        '__connect.errors.exception.message': 'not what it says',
        'weir-reason': 'WEIR_RECORD_UNDECODABLE',
        'weir-withheld': 'false',
      },
    })
  })

  it.each<[Rejection['code'], string]>([
    ['WEIR_RECORD_EMPTY', 'VALUE_CONVERTER'],
    ['WEIR_RECORD_KEY', 'KEY_CONVERTER'],
    ['WEIR_RECORD_OUT_OF_RANGE', 'TRANSFORMATION'],
    ['WEIR_RECORD_EVENT_TIME', 'TRANSFORMATION'],
  ])('names the stage of %s', (code, stage) => {
    const { headers } = deadLetter('dl', at, record, { ...rejection, code })
    expect(headers?.['__connect.errors.stage']).toBe(stage)
  })

  it('cannot be told a place by the record itself', () => {
    const forged = { ...record, headers: { '__connect.errors.offset': '1', 'weir-withheld': 'false' } }
    const { headers } = deadLetter('dl', at, forged, { ...rejection, withhold: true })
    expect(headers).toMatchObject({ '__connect.errors.offset': '7', 'weir-withheld': 'true' })
  })

  const pan = '4111111111111111'
  it.each([
    ['the rejection says so', record, { ...rejection, withhold: true }],
    ['it was too large', record, { ...rejection, code: 'WEIR_RECORD_TOO_LARGE' as const }],
    ['JSON holds a PAN', { ...record, value: Buffer.from(`{"pan":"${pan}"}`) }, rejection],
    // The length of an Avro string of 24 characters is the digit 0, right before the string.
    ['a PAN follows a length', { ...record, value: Buffer.from(`0${pan} (visa)`) }, rejection],
    ['the key holds a PAN', { ...record, key: Buffer.from(pan) }, rejection],
    ['a header holds a PAN', { ...record, headers: { card: pan } }, rejection],
  ])('withholds key, value and headers when %s', (_when, given, refused) => {
    const letter = deadLetter('dl', at, given, refused)
    expect(letter).toMatchObject({ key: null, value: null })
    expect(letter.headers).toMatchObject({ 'weir-withheld': 'true', '__connect.errors.offset': '7' })
    expect(letter.headers).not.toHaveProperty('traceparent')
    expect(JSON.stringify(letter)).not.toContain(pan)
  })

  it('copies records without key or value', () => {
    const empty = aRecord(null, { key: null })
    expect(deadLetter('dl', at, empty, rejection)).toMatchObject({ key: null, value: null })
  })
})
