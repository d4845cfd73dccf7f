import { expect, test } from 'vitest'
import type { Evidence } from '../../faults/verifier/evidence.ts'
import { checkMoved } from '../../faults/verifier/moved.ts'
import type { LogRecord } from '../../src/core/ports.ts'

const topics = { transactions: 'payments', labels: 'labels' }
const record = (offset: number, changes: Partial<LogRecord> = {}): LogRecord => ({
  offset,
  timestamp: 1_000 + offset,
  key: Buffer.from('c-1'),
  value: Buffer.from([offset]),
  headers: { traceparent: 'x' },
  ...changes,
})
const copy = (offset: number, of: LogRecord, changes: Partial<LogRecord> = {}): LogRecord => ({
  ...of,
  offset,
  headers: { ...of.headers, 'weir-rekeyed-from': `payments-0-${of.offset}` },
  ...changes,
})
const evidence = (transactions: LogRecord[][]) =>
  ({ records: { transactions, labels: [] } }) as unknown as Pick<Evidence, 'records'>

const old = [record(3), record(5)] as const
const check = (...moved: LogRecord[]) => checkMoved(evidence([[...old]]), evidence([[], moved]), topics)

test('a whole move has nothing wrong, whatever was sent there since', () => {
  expect(check(copy(0, old[0]), copy(1, old[1]), record(2))).toEqual([])
})

test('a move is objected to', () => {
  expect(check(copy(0, old[0]))).toEqual(['payments-0-5 was moved 0 times'])
  expect(check(copy(0, old[0]), copy(1, old[1]), copy(2, old[1]))).toEqual(['payments-0-5 was moved 2 times'])
  expect(check(copy(0, old[1]), copy(1, old[0]))).toEqual(['payments-0-3 comes too late in transactions-1'])
  for (const changes of [{ timestamp: 1 }, { value: null }, { key: null }]) {
    expect(check(copy(0, old[0], changes), copy(1, old[1]))).toEqual(['payments-0-3 is not what it was'])
  }
  const stranger = copy(2, record(9))
  expect(check(copy(0, old[0]), copy(1, old[1]), stranger)).toEqual([
    'a record is said to come from payments-0-9, which is none',
  ])
})
