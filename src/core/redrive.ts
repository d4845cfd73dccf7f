import type { LogRecord, NewRecord, TopicPartition } from './ports.ts'

/** What a record on the topic for dead letters says of itself. */
export interface DeadLetter {
  /** Where the letter itself lies. */
  readonly at: TopicPartition
  readonly record: LogRecord
  /** The record that it stands for. */
  readonly source: TopicPartition & { readonly offset: number }
  readonly code: string
  /** What is wrong with which field. */
  readonly message: string
  readonly stage: string
  /** Key, value and headers were left out. */
  readonly withheld: boolean
}

/** Says that a dead letter was put back, in one Kafka transaction with the record that was put back for it. */
export interface RedriveMark {
  /** Of the letter, in the mark's own partition. */
  readonly offset: number
  /** The letter's, so that marks can be counted without their letters. */
  readonly code: string
  readonly topic: string
  /** When, epoch milliseconds. */
  readonly time: number
}

const connect = '__connect.errors.'

/** The letter that a record of the topic is; null for a mark. Only letters have a reason, whatever they copied. */
export function deadLetterOf(at: TopicPartition, record: LogRecord): DeadLetter | null {
  const { headers } = record
  const code = headers['weir-reason']
  if (code === undefined) return null
  return {
    at,
    record,
    source: {
      topic: headers[`${connect}topic`] ?? '',
      partition: Number(headers[`${connect}partition`]),
      offset: Number(headers[`${connect}offset`]),
    },
    code,
    message: headers[`${connect}exception.message`] ?? '',
    stage: headers[`${connect}stage`] ?? '',
    withheld: headers['weir-withheld'] === 'true',
  }
}

/** The mark that a record of the topic is; null for a letter. */
export function markOf({ headers }: LogRecord): RedriveMark | null {
  const offset = headers['weir-redriven-offset']
  if (offset === undefined || headers['weir-reason'] !== undefined) return null
  return {
    offset: Number(offset),
    code: headers['weir-redriven-code'] ?? '',
    topic: headers['weir-redriven-topic'] ?? '',
    time: Number(headers['weir-redriven-at']),
  }
}

/** `partition-offset` of the letter, as the command line has it. */
export const shortName = ({ at, record }: DeadLetter): string => `${at.partition}-${record.offset}`

/** `topic-partition-offset` of the record that it stands for. */
export const sourceName = ({ source: { topic, partition, offset } }: DeadLetter): string =>
  `${topic}-${partition}-${offset}`

/** The headers that the record had before it was set aside. */
export function ownHeaders({ headers }: LogRecord): Record<string, string> {
  const isOurs = (name: string) =>
    name.startsWith(connect) || name === 'weir-reason' || name === 'weir-withheld'
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !isOurs(name)))
}

/** With the header that names the letter, over an earlier one. */
export const redrivenHeaders = (letter: DeadLetter, headers: LogRecord['headers']) => ({
  ...headers,
  'weir-redriven-from': `${letter.at.topic}-${shortName(letter)}`,
})

/** @param now epoch milliseconds. */
export function redriveMark(letter: DeadLetter, now: number): NewRecord {
  const { at, record, code, source } = letter
  return {
    ...at,
    key: null,
    value: null,
    headers: {
      'weir-redriven-offset': String(record.offset),
      'weir-redriven-code': code,
      'weir-redriven-topic': source.topic,
      'weir-redriven-at': String(now),
    },
    // The letter's: retention by time never takes a mark before its letter.
    timestamp: record.timestamp,
  }
}
