import { withConnection } from '../src/apps/connect.ts'
import { partitionOf } from '../src/core/partition.ts'
import type { NewRecord } from '../src/core/ports.ts'
import type { Transaction } from '../src/core/types.ts'
import { generate } from '../src/generator/generate.ts'
import { fileSource } from '../src/replay/file-source.ts'
import type { Turn } from './arena.ts'
import type { BenchOptions } from './options.ts'

/** Where the payments of the bench come from. */
type PaymentOptions = Pick<BenchOptions, 'file' | 'map' | 'seed' | 'customers'>

/** The payments of the bench in order: generated from the seed, or those of a file. No labels, no duplicates. */
export async function* payments(
  { file, map, seed, customers }: PaymentOptions,
  events: number,
): AsyncGenerator<Transaction, void, undefined> {
  const batches =
    file === undefined
      ? [generate({ seed, events, customers, duplicateRate: 0 })]
      : fileSource([file], { map, partitions: 1 }).items()
  let left = events
  for await (const batch of batches) {
    for (const item of batch) {
      if (item.kind !== 'transaction') continue
      yield item.transaction
      if (--left === 0) return
    }
  }
}

const recordsPerSend = 4_000

/** Writes the backlog into the turn's input topic. @returns how many payments lie there. */
export async function fillBacklog(
  { config }: Turn,
  options: PaymentOptions & Pick<BenchOptions, 'events'>,
): Promise<number> {
  return withConnection(config, async ({ log, contracts }) => {
    const { transactions: topic, partitions } = config.topics
    let batch: NewRecord[] = []
    let sent = 0
    const flush = async () => {
      await log.append(batch)
      sent += batch.length
      batch = []
    }
    for await (const transaction of payments(options, options.events)) {
      const key = transaction.customer_id
      batch.push({
        topic,
        partition: partitionOf(key, partitions),
        key,
        value: contracts.transactions.encode(transaction),
        timestamp: transaction.event_time,
      })
      if (batch.length === recordsPerSend) await flush()
    }
    await flush()
    return sent
  })
}
