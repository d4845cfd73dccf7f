import type { ErrorCode, Rejection } from './errors.ts'
import { holdsPan } from './pan.ts'
import type { Headers, LogRecord, NewRecord, TopicPartition } from './ports.ts'

/**
 * The record that says why another one was not decided, docs/contracts.md. The same record gives the same bytes: its
 * timestamp is that of the record it stands for.
 *
 * Key, value and headers are copied unless they may hold a PAN or the record was too large to be copied.
 *
 * @param topic the topic for dead letters.
 */
export function deadLetter(
  topic: string,
  at: TopicPartition,
  record: LogRecord,
  rejection: Rejection,
): NewRecord {
  const withheld = rejection.withhold || rejection.code === 'WEIR_RECORD_TOO_LARGE' || mayHoldPan(record)
  const headers = {
    ...(withheld ? {} : record.headers),
    '__connect.errors.topic': at.topic,
    '__connect.errors.partition': String(at.partition),
    '__connect.errors.offset': String(record.offset),
    '__connect.errors.stage': stage(rejection),
    '__connect.errors.exception.class.name': rejection.code,
    '__connect.errors.exception.message': rejection.message,
    'weir-reason': rejection.code,
    'weir-withheld': String(withheld),
  }
  return {
    topic,
    partition: at.partition,
    key: withheld ? null : record.key,
    value: withheld ? null : record.value,
    headers,
    timestamp: record.timestamp,
  }
}

/** Which input records a dead letter stands for. */
export interface Lettered extends TopicPartition {
  /** The first of them. */
  readonly offset: number
  /** The offset after the last: beyond `offset + 1` in a declared skip only. */
  readonly next: number
  readonly code: string
}

const skipEnd = 'weir-skipped-to'

/**
 * The record that says that an operator had a range of offsets left undecided (docs/decisions/0024). It has neither key
 * nor value: there is nothing in it to be sent again.
 *
 * @param to not part of the range.
 * @param reason the operator's words, free of card numbers.
 */
export function skipLetter(topic: string, at: TopicPartition, from: number, to: number, reason: string) {
  const headers = {
    '__connect.errors.topic': at.topic,
    '__connect.errors.partition': String(at.partition),
    '__connect.errors.offset': String(from),
    '__connect.errors.exception.class.name': skipCode,
    '__connect.errors.exception.message': reason,
    'weir-reason': skipCode,
    'weir-withheld': 'true',
    [skipEnd]: String(to),
  }
  return { topic, partition: at.partition, key: null, value: null, headers } satisfies NewRecord
}

/** Of declared skips. */
export const skipCode = 'WEIR_RECORD_SKIPPED' satisfies ErrorCode

/** What a record of the dead-letters topic stands for; null where its headers do not say. */
export function readLetter({ headers }: Pick<LogRecord, 'headers'>): Lettered | null {
  const topic = headers['__connect.errors.topic']
  const partition = wholeNumber(headers['__connect.errors.partition'])
  const offset = wholeNumber(headers['__connect.errors.offset'])
  const code = headers['weir-reason']
  if (topic === undefined || partition === null || offset === null || code === undefined) return null
  const next = code === skipCode ? wholeNumber(headers[skipEnd]) : offset + 1
  return next === null || next <= offset ? null : { topic, partition, offset, next, code }
}

const wholeNumber = (text: string | undefined): number | null =>
  text !== undefined && /^(0|[1-9]\d{0,15})$/.test(text) ? Number(text) : null

/** Stages of Kafka Connect's errors: ConverterStage of org.apache.kafka.connect.runtime.errors.Stage. */
function stage(rejection: Rejection): string {
  switch (rejection.code) {
    case 'WEIR_RECORD_KEY':
      return 'KEY_CONVERTER'
    case 'WEIR_RECORD_TOO_LARGE':
    case 'WEIR_RECORD_EMPTY':
    case 'WEIR_RECORD_NOT_AVRO':
    case 'WEIR_RECORD_UNKNOWN_SCHEMA':
    case 'WEIR_RECORD_UNDECODABLE':
      return 'VALUE_CONVERTER'
    default:
      return 'TRANSFORMATION'
  }
}

/** Of bytes that were refused nobody knows the fields: a PAN may stand anywhere in them. */
function mayHoldPan({ key, value, headers }: LogRecord): boolean {
  return [key?.toString('latin1'), value?.toString('latin1'), ...headerTexts(headers)].some(
    (text) => text !== undefined && holdsPan(text, { anywhere: true }),
  )
}

function headerTexts(headers: Headers): string[] {
  return Object.entries(headers).flat()
}
