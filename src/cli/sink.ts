import { setTimeout as sleep } from 'node:timers/promises'
import type { Contracts } from '../adapters/avro-contracts.ts'
import type { Config } from '../config/schema.ts'
import { WeirError } from '../core/errors.ts'
import { partitionOf } from '../core/partition.ts'
import type { Log, NewRecord } from '../core/ports.ts'
import type { Label, Transaction } from '../core/types.ts'
import { grouped, type Progress } from './output.ts'

/** Where payments and labels go. Times are record timestamps, epoch milliseconds. */
export interface Sink {
  transaction(transaction: Transaction, time: number, spoil?: (encoded: Buffer) => Buffer): Promise<void>
  label(label: Label, time: number): Promise<void>
  /** Resolves when everything is written. */
  close(): Promise<void>
}

const largestBatch = 1_000

/** Writes to the topics, in batches, at most `rate` records a second (0: as fast as the log takes them). */
export async function createTopicSink(
  { log, contracts }: { readonly log: Pick<Log, 'partitions' | 'append'>; readonly contracts: Contracts },
  topics: Config['topics'],
  { rate, progress }: { readonly rate: number; readonly progress: Progress },
): Promise<Sink> {
  const partitions = await log.partitions(topics.transactions)
  const labelPartitions = await log.partitions(topics.labels)
  // A tenth of a second's worth at a time keeps a slow stream even.
  const batchSize = rate === 0 ? largestBatch : Math.min(largestBatch, Math.max(1, Math.floor(rate / 10)))
  const begun = performance.now()
  let batch: NewRecord[] = []
  let sent = 0

  async function flush(): Promise<void> {
    const records = batch
    batch = []
    if (records.length === 0) return
    try {
      await log.append(records)
    } catch (error) {
      throw inDoubt(error, records.length)
    }
    sent += records.length
    progress.add(records.length)
    const aheadMs = rate === 0 ? 0 : (sent / rate) * 1_000 - (performance.now() - begun)
    if (aheadMs > 1) await sleep(aheadMs)
  }

  async function add(record: NewRecord): Promise<void> {
    batch.push(record)
    if (batch.length >= batchSize) await flush()
  }

  return {
    async transaction(transaction, timestamp, spoil = (encoded) => encoded) {
      const key = transaction.customer_id
      const value = spoil(contracts.transactions.encode(transaction))
      await add({
        topic: topics.transactions,
        partition: partitionOf(key, partitions),
        key,
        value,
        timestamp,
      })
    },
    async label(label, timestamp) {
      const key = label.customer_id
      const value = contracts.labels.encode(label)
      await add({ topic: topics.labels, partition: partitionOf(key, labelPartitions), key, value, timestamp })
    },
    close: flush,
  }
}

/** A request that fails may have reached some partitions: what is counted is there, and perhaps more. */
function inDoubt(error: unknown, records: number): unknown {
  if (!(error instanceof WeirError)) return error
  const { code, message, cure, retriable } = error
  const besides = `besides those counted, some of the ${grouped(records)} records sent last may be there`
  return new WeirError(code, `${message}; ${besides}`, {
    ...(cure !== undefined && { cure }),
    retriable,
    cause: error,
  })
}

/**
 * Holds labels back until the payments reach their time, so that the topics tell the story in the order in which it
 * happened. Labels wait in the order given: for sources that give each the same delay.
 */
export function holdLabels(sink: Sink): Sink {
  const held: { readonly label: Label; readonly time: number }[] = []
  const release = async (until: number) => {
    const waiting = held.findIndex(({ time }) => time > until)
    const due = held.splice(0, waiting === -1 ? held.length : waiting)
    for (const { label, time } of due) await sink.label(label, time)
  }
  return {
    async transaction(transaction, time, spoil) {
      if (held.length > 0) await release(time)
      await sink.transaction(transaction, time, spoil)
    },
    async label(label, time) {
      held.push({ label, time })
    },
    async close() {
      await release(Number.POSITIVE_INFINITY)
      await sink.close()
    },
  }
}
