import type { Log, LogRecord } from '../../src/core/ports.ts'

/** What can be read of a log and of its group. */
type Readable = Pick<Log, 'partitions' | 'bounds' | 'committed' | 'read' | 'offsetAt'>

/** Records by topic and partition. */
export type Records = Readonly<Record<string, readonly (readonly LogRecord[])[]>>

/** Everything that lies on these topics. */
export async function recordsOf(log: Readable, topics: readonly string[]): Promise<Records> {
  const records: Record<string, LogRecord[][]> = {}
  for (const topic of topics) {
    records[topic] = []
    for (let partition = 0; partition < (await log.partitions(topic)); partition++) {
      const { first, end } = await log.bounds({ topic, partition })
      const all: LogRecord[] = []
      for await (const batch of log.read({ topic, partition }, first, end)) all.push(...batch)
      records[topic].push(all)
    }
  }
  return records
}

/** A log with these records and nothing else; its group has read them all. */
export function fixedLog(records: Records, batchSize = 300): Readable {
  const of = (topic: string, partition: number) => records[topic]?.[partition] ?? []
  const endOf = (all: readonly LogRecord[]) => (all.at(-1)?.offset ?? -1) + 1
  return {
    partitions: async (topic) => records[topic]?.length ?? 0,
    async bounds({ topic, partition }) {
      const all = of(topic, partition)
      return { first: all[0]?.offset ?? 0, end: endOf(all) }
    },
    committed: async (_, { topic, partition }) => endOf(of(topic, partition)),
    async *read({ topic, partition }, from, to) {
      const asked = of(topic, partition).filter(({ offset }) => offset >= from && offset < to)
      for (let at = 0; at < asked.length; at += batchSize) yield asked.slice(at, at + batchSize)
    },
    async offsetAt({ topic, partition }, time) {
      const all = of(topic, partition)
      return all.find(({ timestamp }) => timestamp >= time)?.offset ?? endOf(all)
    },
  }
}
