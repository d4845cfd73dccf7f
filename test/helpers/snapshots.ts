import type { Contracts } from '../../src/adapters/avro-contracts.ts'
import type { Config } from '../../src/config/schema.ts'
import type { CompiledFeatures } from '../../src/core/features/compile.ts'
import { History } from '../../src/core/history.ts'
import type { Arrival } from '../../src/core/parties.ts'
import type { Log, LogRecord } from '../../src/core/ports.ts'
import type { Decision } from '../../src/core/types.ts'
import { type SnapshotHead, writeSnapshot } from '../../src/replay/snapshot.ts'
import { withRates } from '../../src/stream/scorer.ts'

/** The records of a topic, by partition, as far as they are there. */
export async function recordsOf(log: Log, group: string, topic: string): Promise<LogRecord[][]> {
  const found: LogRecord[][] = Array.from({ length: await log.partitions(topic) }, () => [])
  const reader = await log.subscribe(group, [topic], {
    onAssigned() {},
    async onRun({ partition, records }) {
      found[partition]?.push(...records)
      return (records.at(-1) as LogRecord).offset + 1
    },
  })
  await reader.idle()
  await reader.stop()
  return found
}

/** What a replay of both input topics to their ends leaves behind. */
export async function snapshotOf(
  path: string,
  { topics, group }: Config,
  log: Log,
  contracts: Contracts,
  features: CompiledFeatures,
): Promise<{ head: SnapshotHead; history: History }> {
  const history = new History(features)
  const payments = await recordsOf(log, `${group}-replay-t`, topics.transactions)
  const codec = withRates(contracts.transactions, features)
  const times: number[] = []
  for (const [partition, records] of payments.entries()) {
    const arrivals: Arrival[] = []
    for (const [i, checked] of (await codec.decode(records)).entries()) {
      if (!checked.ok) continue
      arrivals.push({ partition, offset: records[i]?.offset as number, transaction: checked.value })
    }
    history.enrich(arrivals)
    times.push(Math.max(0, ...arrivals.map(({ transaction }) => transaction.event_time)))
  }
  const labels = await recordsOf(log, `${group}-replay-l`, topics.labels)
  for (const checked of await contracts.labels.decode(labels.flat())) {
    if (checked.ok) history.enrich([], [{ before: 0, label: checked.value }])
  }
  const next = (partitions: readonly LogRecord[][]) =>
    partitions.map((records) => (records.at(-1)?.offset ?? -1) + 1)
  const head: SnapshotHead = {
    version: 1,
    feature_hash: features.hash,
    source: topics.transactions,
    topics: { transactions: topics.transactions, labels: topics.labels },
    partitions: topics.partitions,
    positions: { transactions: next(payments), labels: next(labels) },
    times,
  }
  await writeSnapshot(path, head, history)
  return { head, history }
}

/** What of a decision depends on nothing but its customer's history: two installations must agree on it. */
export function ofCustomer(decision: Decision, { file }: CompiledFeatures) {
  const { decision_id, status, duplicate_of, late, features } = decision
  const columns = file.features.flatMap(({ entity }, i) =>
    entity === 'transaction' || entity === 'customer'
      ? [features.subarray(4 * i, 4 * i + 4).toString('hex')]
      : [],
  )
  return { decision_id, status, duplicate_of, late, columns: columns.join(' ') }
}
