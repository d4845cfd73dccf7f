import { join } from 'node:path'
import type { Codec } from '../adapters/avro.ts'
import { createMemoryLog } from '../adapters/memory-log.ts'
import { createMemoryStore } from '../adapters/memory-store.ts'
import type { Config } from '../config/schema.ts'
import type { ActiveSet } from '../core/decide.ts'
import { partitionOf } from '../core/partition.ts'
import type { Log, LogRecord, NewRecord, Run } from '../core/ports.ts'
import type { Alert, Decision } from '../core/types.ts'
import { jsonLine } from '../files/write.ts'
import { openWritten } from '../files/written.ts'
import { type Generated, generate } from '../generator/generate.ts'
import { type Scorer, startScorer } from '../stream/scorer.ts'
import { loadActiveSet } from './active-set.ts'
import { openContracts } from './connect.ts'

export interface DemoOptions {
  /** Records on the transactions topic, duplicates and damaged ones included. */
  readonly events: number
  readonly seed: number
  /** Folder for decisions.jsonl and alerts.jsonl. */
  readonly out: string
  /** Gets one line a graph on where it runs. */
  readonly onModel: (line: string) => void
  /** Told after every step. */
  readonly onStep: (tally: DemoTally, newAlerts: readonly Alert[]) => void
  /** Called between steps; waits when the demo is to go slower. */
  readonly pause: (events: number) => Promise<void>
}

/** What has happened so far. */
export interface DemoTally {
  events: number
  decisions: number
  alerts: number
  deadLetters: number
  labels: number
  /** Decisions by outcome, or by status where there is none. */
  readonly outcomes: Record<string, number>
  /** By the generator's truth, which weir does not see: payments that are fraud, and those of them not approved. */
  frauds: number
  fraudsStopped: number
  /** Not approved, and honest. */
  falseStops: number
  /** Seconds from a chunk's first step to its last, with its number of records. */
  readonly chunks: { seconds: number; records: number }[]
}

/** Damaged and late records are part of life. */
const damagedRate = 0.0005
/** Payments are fed in steps of event time, so that merchants' values are as fresh as in a live stream. */
const stepMs = 6 * 3_600_000
const stepRecords = 2_000

/**
 * The whole scorer on the embedded log and store, over generated payments. Same options, same bytes in the files:
 * only timings differ.
 */
export async function runDemo(config: Config, options: DemoOptions): Promise<DemoTally> {
  const active = await loadActiveSet(config, options.onModel)
  const contracts = await openContracts(config)
  const tally: DemoTally = {
    events: 0,
    decisions: 0,
    alerts: 0,
    deadLetters: 0,
    labels: 0,
    outcomes: {},
    frauds: 0,
    fraudsStopped: 0,
    falseStops: 0,
    chunks: [],
  }
  const { partitions, ...topics } = pickTopics(config)
  const log = createMemoryLog({
    topics: Object.fromEntries(Object.values(topics).map((topic) => [topic, partitions])),
    retain: 'unread',
    maxRunRecords: config.chunk.max_records,
  })
  // Nothing but a bug can make an embedded lane fail, and then it would fail for ever; so does a reader on a full disk.
  const failure = Promise.withResolvers<never>()
  failure.promise.catch(() => {})
  const scorer = await startEmbedded(config, active, log, contracts, tally, failure.reject)
  const frauds = new Set<string>()
  try {
    const results = await collectResults(log, config, contracts, options.out, tally, frauds, failure.reject)
    for (const step of steps(options)) {
      const records: NewRecord[] = []
      for (const item of step) {
        if (item.kind === 'transaction' && item.fraudType !== null && !item.isDuplicate)
          frauds.add(item.transaction.transaction_id)
        records.push(toRecord(item, config, contracts))
      }
      await log.append(records)
      await Promise.race([scorer.subscription.idle(), failure.promise])
      const newAlerts = await Promise.race([results.settle(), failure.promise])
      const events = step.filter(({ kind }) => kind !== 'label').length
      tally.events += events
      tally.labels += step.length - events
      options.onStep(tally, newAlerts)
      await options.pause(tally.events)
    }
    await scorer.stop()
    await results.close()
  } finally {
    await log.close()
  }
  tally.frauds = frauds.size
  return tally
}

type Contracts = Awaited<ReturnType<typeof openContracts>>

const pickTopics = ({
  topics: { transactions, labels, decisions, alerts, dead_letters, entity_updates, partitions },
}: Config) => ({
  transactions,
  labels,
  decisions,
  alerts,
  dead_letters,
  entity_updates,
  partitions,
})

function startEmbedded(
  config: Config,
  active: ActiveSet,
  log: Log,
  contracts: Contracts,
  tally: DemoTally,
  failed: (error: unknown) => void,
): Promise<Scorer> {
  let tokens = 0
  return startScorer({
    // The log forgets what was read, and ends with the store: there is nothing to restore.
    config: { ...config, topics: { ...config.topics, features: null } },
    log,
    contracts,
    active: () => active,
    store: createMemoryStore(),
    clock: Date.now,
    now: () => performance.now() / 1000,
    newToken: () => String(tokens++),
    observer: {
      worked(lane, { length: records }, stages) {
        const seconds = Object.values(stages).reduce((sum, spent) => sum + spent, 0)
        if (lane.kind === 't') tally.chunks.push({ seconds, records })
      },
      lost(_, error) {
        failed(error)
      },
    },
  })
}

/** The generator's stream, cut where enough event time has gone by, up to the number of records asked for. */
function* steps({ events, seed }: DemoOptions): Generator<Generated[], void, undefined> {
  let step: Generated[] = []
  let begun = Number.NaN
  let left = events
  for (const item of generate({ seed, events, damagedRate })) {
    if (step.length >= stepRecords || item.time >= begun + stepMs) {
      yield step
      step = []
    }
    if (step.length === 0) begun = item.time
    step.push(item)
    if (item.kind !== 'label' && --left === 0) break
  }
  if (step.length > 0) yield step
}

/** The record that carries what was generated, as it reaches the log. */
export function toRecord(item: Generated, { topics }: Config, contracts: Contracts): NewRecord {
  if (item.kind === 'label') {
    const key = item.label.customer_id
    return {
      topic: topics.labels,
      partition: partitionOf(key, topics.partitions),
      key,
      value: contracts.labels.encode(item.label),
      timestamp: item.time,
    }
  }
  const transaction = item.kind === 'damaged' ? item.candidate : item.transaction
  const encoded = contracts.transactions.encode(transaction)
  const key = transaction.customer_id
  return {
    topic: topics.transactions,
    partition: partitionOf(key, topics.partitions),
    key,
    value: item.kind === 'damaged' ? item.spoil(encoded) : encoded,
    timestamp: item.time,
  }
}

interface Results {
  /** Resolves, with the alerts since the last call, when everything that is on the log so far is in the files. */
  settle(): Promise<readonly Alert[]>
  close(): Promise<void>
}

/** Reads decisions, alerts and dead letters as any consumer would, counts them and writes the files. */
async function collectResults(
  log: Log,
  { topics }: Config,
  contracts: Contracts,
  out: string,
  tally: DemoTally,
  frauds: ReadonlySet<string>,
  failed: (error: unknown) => void,
): Promise<Results> {
  const decisionsFile = await openWritten(join(out, 'decisions.jsonl'))
  const alertsFile = await openWritten(join(out, 'alerts.jsonl'))
  let newAlerts: Alert[] = []
  const take = async ({ topic, records }: Run): Promise<number> => {
    if (topic === topics.decisions) {
      for (const decision of await values(contracts.decisions, records)) {
        count(decision, tally, frauds)
        await decisionsFile.write(jsonLine({ ...decision, features: decision.features.toString('base64') }))
      }
    } else if (topic === topics.alerts) {
      const alerts = await values(contracts.alerts, records)
      for (const alert of alerts) await alertsFile.write(jsonLine(alert))
      tally.alerts += alerts.length
      newAlerts.push(...alerts)
    } else {
      tally.deadLetters += records.length
    }
    return (records.at(-1) as LogRecord).offset + 1
  }
  const subscription = await log.subscribe('demo', [topics.decisions, topics.alerts, topics.dead_letters], {
    onAssigned() {},
    onRun: (run) =>
      take(run).catch((error: unknown) => {
        failed(error)
        throw error
      }),
  })
  return {
    async settle() {
      await subscription.idle()
      const alerts = newAlerts
      newAlerts = []
      return alerts
    },
    async close() {
      await subscription.stop()
      await Promise.all([decisionsFile.close(), alertsFile.close()])
    },
  }
}

function count(
  { transaction_id, outcome, status }: Decision,
  tally: DemoTally,
  frauds: ReadonlySet<string>,
): void {
  tally.decisions++
  const name = outcome ?? status
  tally.outcomes[name] = (tally.outcomes[name] ?? 0) + 1
  if (outcome === null || outcome === 'approve') return
  if (frauds.has(transaction_id)) tally.fraudsStopped++
  else tally.falseStops++
}

async function values<T>(codec: Codec<T>, records: readonly LogRecord[]): Promise<T[]> {
  return (await codec.decode(records)).map((checked) => {
    if (checked.ok) return checked.value
    throw new Error(`weir wrote what it cannot read: ${checked.rejection.message}`)
  })
}
