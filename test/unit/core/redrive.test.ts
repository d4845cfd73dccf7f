import { describe, expect, it } from 'vitest'
import { deadLetter } from '../../../src/core/dead-letter.ts'
import type { LogRecord, NewRecord } from '../../../src/core/ports.ts'
import {
  type DeadLetter,
  deadLetterOf,
  markOf,
  ownHeaders,
  redriveMark,
  redrivenHeaders,
} from '../../../src/core/redrive.ts'
import { aRecord } from '../../helpers/contracts.ts'

const source = { topic: 'in', partition: 3 }
const at = { topic: 'dead', partition: 3 }
const rejection = { code: 'WEIR_RECORD_EMPTY', message: 'nothing', withhold: false } as const

const written = ({ headers = {}, timestamp = 0 }: NewRecord, offset: number): LogRecord =>
  aRecord(null, { offset, headers, timestamp })
const letterFor = (record: LogRecord): LogRecord => written(deadLetter('dead', source, record, rejection), 40)

describe('letters and marks', () => {
  it('a letter says what it stands for', () => {
    const letter = deadLetterOf(at, letterFor(aRecord(null)))
    expect(letter).toMatchObject({ at, code: 'WEIR_RECORD_EMPTY', message: 'nothing', withheld: false })
    expect(letter?.source).toEqual({ ...source, offset: 7 })
  })

  it('a mark names its letter, and is none itself', () => {
    const letter = deadLetterOf(at, letterFor(aRecord(null))) as DeadLetter
    const mark = redriveMark(letter, 99)
    expect(mark).toMatchObject({ ...at, key: null, value: null, timestamp: letter.record.timestamp })
    expect(markOf(written(mark, 50))).toEqual({ offset: 40, code: letter.code, topic: 'in', time: 99 })
    expect(deadLetterOf(at, written(mark, 50))).toBeNull()
  })

  it('a record that pretends to be a mark becomes a letter like any other', () => {
    const forged = aRecord(null, { headers: { 'weir-redriven-offset': '12', 'weir-reason': '' } })
    const record = letterFor(forged)
    expect(markOf(record)).toBeNull()
    expect(deadLetterOf(at, record)?.code).toBe('WEIR_RECORD_EMPTY')
  })

  it('what goes back has the headers that it had, and the name of its letter', () => {
    const headers = { traceparent: '00-ab-cd-01', 'weir-redriven-from': 'dead-3-1' }
    const letter = deadLetterOf(at, letterFor(aRecord(null, { headers }))) as DeadLetter
    expect(ownHeaders(letter.record)).toEqual(headers)
    expect(redrivenHeaders(letter, ownHeaders(letter.record))).toEqual({
      traceparent: '00-ab-cd-01',
      'weir-redriven-from': 'dead-3-40',
    })
  })
})
