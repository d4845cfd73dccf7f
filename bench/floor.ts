/**
 * What Kafka itself costs: a bare kafkajs process that passes each record on, exactly once, and does nothing else. The
 * same fetch settings, the same partitions side by side and as many records in a transaction as weir.
 *
 * `floor` is kafkajs as it comes. `floor-grouped` also has weir's cures for it: those of kafka-patches.ts and, for the
 * quadratic grouping of messages by partition, kafka-batches.ts.
 */
import { Kafka, type Producer, type Transaction } from 'kafkajs'
import type { NewRecord } from '../src/core/ports.ts'

export interface FloorOptions {
  readonly brokers: readonly string[]
  readonly group: string
  readonly input: string
  readonly output: string
  readonly batch: number
  readonly concurrency: number
  readonly grouped: boolean
  readonly fetch: {
    readonly minBytes: number
    readonly maxWaitTimeInMs: number
    readonly maxBytesPerPartition: number
    readonly maxBytes: number
  }
}

type Send = (transaction: Transaction, records: readonly NewRecord[]) => Promise<void>

const retry = { initialRetryTime: 10, multiplier: 1.5, maxRetryTime: 500, retries: 18 }

async function main(options: FloorOptions): Promise<void> {
  const { brokers, group, input, output, batch, concurrency, fetch } = options
  const send = await sender(options)
  const kafka = new Kafka({ brokers: [...brokers], clientId: group, logLevel: 1, retry })
  const producers = new Map<number, Promise<Producer>>()
  const consumer = kafka.consumer({ groupId: group, readUncommitted: false, ...fetch })

  async function connect(partition: number): Promise<Producer> {
    const producer = kafka.producer({
      transactionalId: `${group}-${partition}`,
      maxInFlightRequests: 1,
      createPartitioner:
        () =>
        ({ message }) =>
          message.partition as number,
    })
    await producer.connect()
    return producer
  }

  await consumer.connect()
  await consumer.subscribe({ topics: [input], fromBeginning: true })
  await consumer.run({
    autoCommit: false,
    eachBatchAutoResolve: false,
    partitionsConsumedConcurrently: concurrency,
    async eachBatch({ batch: fetched, resolveOffset, heartbeat }) {
      const { topic, partition, messages } = fetched
      const isBacklog = BigInt(fetched.highWatermark) > BigInt(fetched.lastOffset()) + 1n
      const connected = producers.get(partition) ?? connect(partition)
      producers.set(partition, connected)
      const producer = await connected
      for (let at = 0; at < messages.length; at += batch) {
        // As weir does: the short tail of a fetch waits for what follows it.
        if (isBacklog && at > 0 && messages.length - at < batch) break
        const part = messages.slice(at, at + batch)
        const last = (part.at(-1) as { offset: string }).offset
        const next = String(BigInt(last) + 1n)
        const transaction = await producer.transaction()
        await send(
          transaction,
          part.map(({ key, value }) => ({ topic: output, partition, key, value })),
        )
        await transaction.sendOffsets({
          consumerGroupId: group,
          topics: [{ topic, partitions: [{ partition, offset: next }] }],
        })
        await transaction.commit()
        resolveOffset(last)
        await heartbeat()
      }
    },
  })
}

async function sender({ output, grouped }: FloorOptions): Promise<Send> {
  if (!grouped) {
    return async (transaction, records) => {
      const messages = records.map(({ partition, key, value }) => ({ partition, key, value }))
      await transaction.send({ topic: output, messages })
    }
  }
  // Both change kafkajs, or how it is used: the plain floor must not load them.
  await import('../src/adapters/kafka-client.ts')
  const { sendRecords } = await import('../src/adapters/kafka-batches.ts')
  return sendRecords
}

await main(JSON.parse(process.argv[2] as string) as FloorOptions)
