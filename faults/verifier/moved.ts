import type { LogRecord } from '../../src/core/ports.ts'
import type { Evidence } from './evidence.ts'

const inputs = ['transactions', 'labels'] as const

/**
 * Whether `weir rekey` moved every record of the old inputs once and as it was, a customer's in the order of each old
 * partition. Each broken promise is a sentence.
 *
 * @param old gathered after the last move.
 */
export function checkMoved(
  old: Pick<Evidence, 'records'>,
  next: Pick<Evidence, 'records'>,
  topics: Readonly<Record<(typeof inputs)[number], string>>,
): string[] {
  const wrong: string[] = []
  for (const input of inputs) {
    const copies = new Map<string, LogRecord[]>()
    for (const [partition, records] of next.records[input].entries()) {
      const last = new Map<string, number>()
      for (const record of records) {
        const origin = record.headers['weir-rekeyed-from']
        if (origin === undefined) continue
        copies.set(origin, [...(copies.get(origin) ?? []), record])
        const [, from, offset] = /-(\d+)-(\d+)$/.exec(origin) as unknown as [string, string, string]
        const customer = `${from} ${record.key}`
        if (Number(offset) < (last.get(customer) ?? -1))
          wrong.push(`${origin} comes too late in ${input}-${partition}`)
        last.set(customer, Number(offset))
      }
    }
    for (const [partition, records] of old.records[input].entries()) {
      for (const record of records) {
        const origin = `${topics[input]}-${partition}-${record.offset}`
        const found = copies.get(origin) ?? []
        copies.delete(origin)
        if (found.length !== 1) wrong.push(`${origin} was moved ${found.length} times`)
        if (found[0] !== undefined && !isSame(record, found[0])) wrong.push(`${origin} is not what it was`)
      }
    }
    for (const origin of copies.keys()) wrong.push(`a record is said to come from ${origin}, which is none`)
  }
  return wrong
}

function isSame(one: LogRecord, moved: LogRecord): boolean {
  const { 'weir-rekeyed-from': _, ...headers } = moved.headers
  const contents = ({ key, value, timestamp }: LogRecord, of: LogRecord['headers']) =>
    JSON.stringify([key?.toString('hex'), value?.toString('hex'), timestamp, Object.entries(of).sort()])
  return contents(one, one.headers) === contents(moved, headers)
}
