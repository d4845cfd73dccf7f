import type { Log, LogRecord, Subscription } from '../core/ports.ts'

export interface FollowOptions {
  /** Of nobody else; it never commits, and leaves nothing behind. */
  readonly group: string
  /** Whether to begin with the oldest records, not with those that come from now on. */
  readonly fromStart: boolean
}

/**
 * Reads all partitions of a topic as records come. What is appended after the call is read.
 *
 * @param onRecords some records of one partition, in order.
 */
export async function follow(
  log: Pick<Log, 'partitions' | 'bounds' | 'subscribe'>,
  topic: string,
  { group, fromStart }: FollowOptions,
  onRecords: (records: readonly LogRecord[]) => Promise<void>,
): Promise<Subscription> {
  const ends = new Map<number, number>()
  if (!fromStart) {
    for (let partition = 0; partition < (await log.partitions(topic)); partition++) {
      ends.set(partition, (await log.bounds({ topic, partition })).end)
    }
  }
  return log.subscribe(group, [topic], {
    onAssigned() {},
    async onRun({ partition, from, records }) {
      const begin = ends.get(partition) ?? 0
      if (from < begin) return begin
      await onRecords(records)
      return (records.at(-1)?.offset ?? from) + 1
    },
  })
}
