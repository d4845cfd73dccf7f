import type { Codec } from '../adapters/avro.ts'
import { partitionOf } from '../core/partition.ts'
import type { Headers, LogRecord, NewRecord, TopicPartition } from '../core/ports.ts'
import { rekeyedFrom } from '../stream/decoded.ts'

/** What names the customer where a record has no key. */
type OfCustomer = Codec<{ readonly customer_id: string }>

/** A record with what its partition is chosen by: its key, else its customer; null where it has neither. */
export interface Keyed {
  readonly record: LogRecord
  readonly key: Uint8Array | string | null
}

/** Only records without a key are decoded. */
export async function keyed(records: readonly LogRecord[], codec: OfCustomer): Promise<Keyed[]> {
  const unkeyed = records.filter(({ key }) => key === null)
  const customers = new Map<LogRecord, string>()
  for (const [i, checked] of (await codec.decode(unkeyed)).entries()) {
    if (checked.ok) customers.set(unkeyed[i] as LogRecord, checked.value.customer_id)
  }
  return records.map((record) => ({ record, key: record.key ?? customers.get(record) ?? null }))
}

/** Whether the record lies where Kafka's own producers put its key; so does what names nobody. */
export const isHome = ({ key }: Keyed, partition: number, partitions: number): boolean =>
  key === null || partitionOf(key, partitions) === partition

/** The record in its new place. It says where it lay: by that name the old installation decided it. */
export function moved(
  { record, key }: Keyed,
  at: TopicPartition,
  to: { readonly topic: string; readonly partitions: number },
): NewRecord {
  const partition = key === null ? at.partition % to.partitions : partitionOf(key, to.partitions)
  const headers: Headers = {
    ...record.headers,
    [rekeyedFrom]: `${at.topic}-${at.partition}-${record.offset}`,
  }
  return {
    topic: to.topic,
    partition,
    key: record.key,
    value: record.value,
    headers,
    timestamp: record.timestamp,
  }
}

/** The offset that a record of the new topic had in the old one; null for a record that was not moved there. */
export function originOf({ headers }: LogRecord, topic: string): number | null {
  const origin = headers[rekeyedFrom]
  if (!origin?.startsWith(`${topic}-`)) return null
  return Number(origin.slice(origin.lastIndexOf('-') + 1))
}
