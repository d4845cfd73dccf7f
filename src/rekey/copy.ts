import type { Log, LogRecord, NewRecord, TopicPartition } from '../core/ports.ts'

export interface Copy {
  readonly log: Log
  /** Whose position says how far it has come: it moves in the transaction of the copies. */
  readonly group: string
  readonly at: TopicPartition
  /** Where it begins when the group has no position yet. */
  readonly start: number
  readonly end: number
  /** What becomes of some records of the partition, which come in order. */
  readonly translate: (records: readonly LogRecord[]) => Promise<readonly NewRecord[]>
  readonly onRecords: (count: number) => void
}

/**
 * Copies a range of a partition, each record once, whenever it dies: by the protocol of a lane, fenced, and with the
 * position in the same transaction as the copies.
 *
 * @returns where the group stands after it: at `end` or later.
 */
export async function copy({ log, group, at, start, end, translate, onRecords }: Copy): Promise<number> {
  const writer = await log.fence(group, at)
  try {
    const committed = await log.committed(group, at)
    const from = committed ?? start
    let next = from
    for await (const records of log.read(at, from, end)) {
      next = (records.at(-1) as LogRecord).offset + 1
      await writer.commit(await translate(records), next)
      onRecords(records.length)
    }
    // Behind the last record may lie the markers of transactions.
    const position = Math.max(next, end)
    if (committed === null || next < position) await writer.commit([], position)
    return position
  } finally {
    await writer.close()
  }
}
