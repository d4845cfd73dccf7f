import { createMemoryLog, type MemoryLog } from '../../src/adapters/memory-log.ts'
import { createMemoryStore } from '../../src/adapters/memory-store.ts'
import { loadActiveSet } from '../../src/apps/active-set.ts'
import { openContracts } from '../../src/apps/connect.ts'
import { toRecord } from '../../src/apps/demo.ts'
import type { Config } from '../../src/config/schema.ts'
import type { Model, NewRecord, StateStore } from '../../src/core/ports.ts'
import type { Generated } from '../../src/generator/generate.ts'
import { startScorer } from '../../src/stream/scorer.ts'

export interface EmbeddedOptions {
  /** What scores in place of the loaded one. */
  readonly model?: (loaded: Model) => Model
  /** Records that are appended before the scorer goes on. */
  readonly stepRecords?: number
  /** Of a scorer that was stopped: another takes over from it. */
  readonly log?: MemoryLog
  readonly store?: StateStore
  /** What becomes of a record before it is appended. */
  readonly change?: (record: NewRecord, i: number) => NewRecord
}

/** Scores all that is generated on the embedded log, in steps, and gives the log as it stands then. */
export async function scoreEmbedded(
  config: Config,
  items: Iterable<Generated>,
  {
    stepRecords = 500,
    log = emptyLog(config),
    store = createMemoryStore(),
    change,
    model,
  }: EmbeddedOptions = {},
): Promise<MemoryLog> {
  const contracts = await openContracts(config)
  let tokens = 0
  let seconds = 0
  const loaded = await loadActiveSet(config, () => {})
  const active = { ...loaded, model: model?.(loaded.model) ?? loaded.model }
  const scorer = await startScorer({
    config,
    log,
    store,
    contracts,
    active: () => active,
    clock: () => 0,
    now: () => seconds++,
    newToken: () => String(tokens++),
    observer: {},
  })
  let step: NewRecord[] = []
  let count = 0
  const finish = async () => {
    await log.append(step)
    await scorer.subscription.idle()
    step = []
  }
  for (const item of items) {
    const record = toRecord(item, config, contracts)
    step.push(change?.(record, count++) ?? record)
    if (step.length === stepRecords) await finish()
  }
  await finish()
  await scorer.stop()
  return log
}

function emptyLog({ topics, chunk }: Config): MemoryLog {
  const { transactions, labels, decisions, alerts, dead_letters, entity_updates, features } = topics
  const names = [transactions, labels, decisions, alerts, dead_letters, entity_updates, features ?? []].flat()
  return createMemoryLog({
    topics: Object.fromEntries(names.map((name) => [name, topics.partitions])),
    maxRunRecords: chunk.max_records,
  })
}
