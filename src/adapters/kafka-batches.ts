import { WeirError } from '../core/errors.ts'
import type { NewRecord } from '../core/ports.ts'
import type { Message, Producer, TopicMessages } from './kafka-client.ts'
import { batchHeaderBytes, recordMeter } from './kafka-records.ts'

/** Under the brokers' default `message.max.bytes` of 1,048,588, which a batch of one partition must keep. */
const maxBatchBytes = 1_000_000

/**
 * The records of one topic, with the grouping by partition that kafkajs makes of every list by copying it once for each
 * message: 2 us a message in a chunk of 2,000, of 9 us in all (Node 24). They are its messages as they are, since
 * `produceRequest` reads them.
 */
class GroupedRecords extends Array<NewRecord> {
  readonly byPartition: Record<number, NewRecord[]> = {}
  readonly bytes: Record<number, number> = {}

  add(record: NewRecord, bytes: number): void {
    const { partition } = record
    this.push(record)
    const group = this.byPartition[partition]
    if (group === undefined) this.byPartition[partition] = [record]
    else group.push(record)
    this.bytes[partition] = (this.bytes[partition] ?? batchHeaderBytes) + bytes
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

/** What goes in one request to each leader: by topic. */
export type Batch = Map<string, GroupedRecords>

/** Sends records in order, in as few requests as the brokers' size limit allows. */
export async function sendRecords(
  producer: Pick<Producer, 'sendBatch'>,
  records: readonly NewRecord[],
): Promise<void> {
  for (const batch of toBatches(records)) {
    const topicMessages = Array.from(batch, ([topic, messages]) => ({ topic, messages })) as object[]
    const sent = await producer.sendBatch({ topicMessages: topicMessages as TopicMessages[], acks: -1 })
    for (const [topic, { byPartition }] of batch) {
      for (const partition in byPartition) {
        // kafkajs leaves out what is for a partition that it does not know, or whose leader, while it tries again,
        // has become a broker that it has already had an answer from; and reports success.
        if (sent.some((at) => at.topicName === topic && at.partition === Number(partition))) continue
        const what = `Topic ${topic} has no partition ${partition}, or its leader has just changed.`
        throw new WeirError('WEIR_LOG_TOPIC', what, {
          cure: 'Output topics need as many partitions as the input topic: see weir topics check.',
          retriable: true,
        })
      }
    }
  }
}

/** In order, and as few as the brokers' size limit allows. */
export function toBatches(records: readonly NewRecord[]): Batch[] {
  const batches: Batch[] = []
  let topics: Batch = new Map()
  const measure = recordMeter()
  const flush = (): void => {
    if (topics.size > 0) batches.push(topics)
    topics = new Map()
  }
  for (const record of records) {
    const { topic, partition } = record
    const bytes = measure(record)
    let group = topics.get(topic)
    const filled = group?.bytes[partition]
    if (filled !== undefined && filled + bytes > maxBatchBytes) {
      flush()
      group = undefined
    }
    if (group === undefined) {
      group = new GroupedRecords()
      topics.set(topic, group)
    }
    group.add(record, bytes)
  }
  flush()
  return batches
}
