import { createMemoryLog, type MemoryLog } from '../../src/adapters/memory-log.ts'
import { createMemoryStore } from '../../src/adapters/memory-store.ts'
import { loadActiveSet } from '../../src/apps/active-set.ts'
import { openContracts } from '../../src/apps/connect.ts'
import type { Config } from '../../src/config/schema.ts'
import { partitionOf } from '../../src/core/partition.ts'
import type { NewRecord, StateStore } from '../../src/core/ports.ts'
import type { Generated } from '../../src/generator/generate.ts'
import { startScorer } from '../../src/stream/scorer.ts'

/** Scores all that is generated on the embedded log, in steps, and gives the log as it stands then. */
export async function scoreEmbedded(
  config: Config,
  items: Iterable<Generated>,
  { stepRecords = 500, store = createMemoryStore() }: { stepRecords?: number; store?: StateStore } = {},
): Promise<MemoryLog> {
  const { topics } = config
  const contracts = await openContracts(config)
  const names = [
    topics.transactions,
    topics.labels,
    topics.decisions,
    topics.alerts,
    topics.dead_letters,
    topics.entity_updates,
  ]
  const log = createMemoryLog({
    topics: Object.fromEntries(names.map((name) => [name, topics.partitions])),
    maxRunRecords: config.chunk.max_records,
  })
  let tokens = 0
  let seconds = 0
  const scorer = await startScorer({
    config,
    log,
    store,
    contracts,
    active: await loadActiveSet(config, () => {}),
    clock: () => 0,
    now: () => seconds++,
    newToken: () => String(tokens++),
    observer: {},
  })
  const recordOf = (item: Generated): NewRecord => {
    const subject =
      item.kind === 'label' ? item.label : item.kind === 'damaged' ? item.candidate : item.transaction
    const encode = () =>
      contracts.transactions.encode(item.kind === 'damaged' ? item.candidate : (item as never)['transaction'])
    return {
      topic: item.kind === 'label' ? topics.labels : topics.transactions,
      partition: partitionOf(subject.customer_id, topics.partitions),
      key: subject.customer_id,
      value:
        item.kind === 'label'
          ? contracts.labels.encode(item.label)
          : item.kind === 'damaged'
            ? item.spoil(encode())
            : encode(),
      timestamp: item.time,
    }
  }
  let step: NewRecord[] = []
  for (const item of items) {
    step.push(recordOf(item))
    if (step.length < stepRecords) continue
    await log.append(step)
    await scorer.subscription.idle()
    step = []
  }
  await log.append(step)
  await scorer.subscription.idle()
  await scorer.stop()
  return log
}
