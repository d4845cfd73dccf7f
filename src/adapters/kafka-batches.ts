import { WeirError } from '../core/errors.ts'
import type { NewRecord } from '../core/ports.ts'
import type { Message, Producer } from './kafka-client.ts'

/** Under the brokers' default `message.max.bytes` of 1,048,588, which a batch of one partition must keep. */
const maxBatchBytes = 900_000
/** Upper bound of what a record takes besides key, value and headers. */
const recordOverheadBytes = 40

/**
 * The messages of one topic, with the grouping by partition that kafkajs makes of every list by copying it once
 * for each message: 2 us a message in a chunk of 2,000, of 9 us in all (Node 24).
 */
class GroupedMessages extends Array<Message> {
  readonly byPartition: Record<number, Message[]> = {}
  readonly bytes: Record<number, number> = {}

  add(partition: number, message: Message, bytes: number): void {
    this.push(message)
    const group = this.byPartition[partition]
    if (group === undefined) this.byPartition[partition] = [message]
    else group.push(message)
    this.bytes[partition] = (this.bytes[partition] ?? 0) + bytes
  }

  /** The only reduction that kafkajs asks for. */
  override reduce(): never {
    return this.byPartition as never
  }
}

/** Records say their partition themselves. */
export function givenPartition(): (args: { message: Message }) => number {
  return ({ message }) => message.partition as number
}

type Batch = Map<string, GroupedMessages>

/** Sends records in order, in as few requests as the brokers' size limit allows. */
export async function sendRecords(
  producer: Pick<Producer, 'sendBatch'>,
  records: readonly NewRecord[],
): Promise<void> {
  for (const batch of toBatches(records)) {
    const topicMessages = Array.from(batch, ([topic, messages]) => ({ topic, messages }))
    const sent = await producer.sendBatch({ topicMessages, acks: -1 })
    for (const [topic, { byPartition }] of batch) {
      for (const partition in byPartition) {
        // kafkajs leaves out what is for a partition that it does not know, and reports success.
        if (sent.some((at) => at.topicName === topic && at.partition === Number(partition))) continue
        throw new WeirError('WEIR_LOG_TOPIC', `Topic ${topic} has no partition ${partition}.`, {
          cure: 'Output topics need as many partitions as the input topic: see weir topics check.',
        })
      }
    }
  }
}

function toBatches(records: readonly NewRecord[]): Batch[] {
  const batches: Batch[] = []
  let topics: Batch = new Map()
  const flush = (): void => {
    if (topics.size > 0) batches.push(topics)
    topics = new Map()
  }
  for (const record of records) {
    const { topic, partition } = record
    const bytes = sizeOf(record)
    let group = topics.get(topic)
    const filled = group?.bytes[partition]
    if (filled !== undefined && filled + bytes > maxBatchBytes) {
      flush()
      group = undefined
    }
    if (group === undefined) {
      group = new GroupedMessages()
      topics.set(topic, group)
    }
    group.add(partition, toMessage(record), bytes)
  }
  flush()
  return batches
}

function toMessage({ partition, key, value, headers, timestamp }: NewRecord): Message {
  const message: Message = { partition, key, value }
  if (headers !== undefined) message.headers = headers as Record<string, string>
  if (timestamp !== undefined) message.timestamp = String(timestamp)
  return message
}

function sizeOf({ key, value, headers }: NewRecord): number {
  let bytes = recordOverheadBytes + (value?.length ?? 0) + (key === null ? 0 : Buffer.byteLength(key))
  for (const name in headers) bytes += 10 + Buffer.byteLength(name) + Buffer.byteLength(headers[name] ?? '')
  return bytes
}
