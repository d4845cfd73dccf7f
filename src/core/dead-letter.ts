import type { Rejection } from './errors.ts'
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
