import type { Config } from '../../src/config/schema.ts'
import type { LogRecord } from '../../src/core/ports.ts'
import type { Evidence } from './evidence.ts'
import type { Findings } from './findings.ts'

/** The offset of the letter that a mark names; null for a dead letter, which has a reason. */
export function markedOffset({ headers }: LogRecord): string | null {
  return headers['weir-reason'] === undefined ? (headers['weir-redriven-offset'] ?? null) : null
}

/**
 * Each letter that was put back has one mark and one record, and no record was put back without a mark.
 *
 * @returns how many were put back.
 */
export function checkRedriven(
  { dead_letters, transactions, labels }: Evidence['records'],
  topics: Config['topics'],
  findings: Findings,
): number {
  const marks = dead_letters.flatMap((records, partition) =>
    records.flatMap((record) => {
      const offset = markedOffset(record)
      return offset === null ? [] : [`${topics.dead_letters}-${partition}-${offset}`]
    }),
  )
  const marked = new Set(marks)
  if (marked.size < marks.length)
    findings.add('doubled', `${marks.length - marked.size} dead letters have two marks`)
  const put = new Map<string, number>()
  for (const { headers } of [...transactions, ...labels].flat()) {
    const from = headers['weir-redriven-from']
    if (from !== undefined) put.set(from, (put.get(from) ?? 0) + 1)
  }
  for (const name of marked) {
    if (!put.has(name)) findings.add('lost', `${name} has a mark, but was not put back`)
  }
  for (const [name, times] of put) {
    if (times > 1) findings.add('doubled', `${name} was put back ${times} times`)
    if (!marked.has(name)) findings.add('changed', `${name} was put back without a mark`)
  }
  return marked.size
}
