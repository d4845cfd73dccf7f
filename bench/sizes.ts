import { parseArgs } from 'node:util'
import { type BatchedRecord, writeBatch } from '../src/adapters/kafka-records.ts'
import { createMemoryStore } from '../src/adapters/memory-store.ts'
import { loadActiveSet } from '../src/apps/active-set.ts'
import { openContracts } from '../src/apps/connect.ts'
import { grouped, note, print, printTable } from '../src/cli/output.ts'
import { loadConfig } from '../src/config/load.ts'
import { byEntity, fold } from '../src/core/fold.ts'
import { partitionOf } from '../src/core/partition.ts'
import type { LogRecord, StateStore } from '../src/core/ports.ts'
import { EntityUpdates } from '../src/stream/entity-updates.ts'
import type { LaneWork } from '../src/stream/lane.ts'
import type { StateChanges } from '../src/stream/lane-states.ts'
import { createTransactionWork } from '../src/stream/transactions.ts'
import { whole } from './options.ts'
import { payments } from './payments.ts'

export const sizesUsage = `npm run bench -- sizes [options]     bytes of a payment on every link, by weir's own encoders

  --events N      generated payments, the second half is measured (100000)
  --customers N   who make them (20000)
  --partitions N  of every topic (4)
  --chunk N       payments of a chunk (500)
  --json          the results as one line of JSON, last
  --help`

/** Prints bytes a payment: records in Kafka's batches, uncompressed, and states on their way to and from Redis. */
export async function benchSizes(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      events: { type: 'string', default: '100000' },
      customers: { type: 'string', default: '20000' },
      partitions: { type: 'string', default: '4' },
      chunk: { type: 'string', default: '500' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return print(sizesUsage)
  const sizes = await sizesOf({
    events: whole('events', values.events),
    customers: whole('customers', values.customers),
    partitions: whole('partitions', values.partitions),
    chunk: whole('chunk', values.chunk),
  })
  note(`${grouped(sizes.payments)} payments measured`)
  printTable(
    ['', 'BYTES A PAYMENT', 'OF THEM A PAYMENT', 'BYTES EACH'],
    Object.entries(sizes.parts).map(([name, { bytes, count }]) => [
      name,
      (bytes / sizes.payments).toFixed(0),
      (count / sizes.payments).toFixed(3),
      (bytes / count).toFixed(0),
    ]),
    'numbers',
  )
  if (values.json) print(JSON.stringify(sizes))
}

const partNames = [
  'transactions',
  'decisions',
  'alerts',
  'entity updates',
  'customers read',
  'customers written',
  'entities read',
  'entities written',
] as const
type Part = (typeof partNames)[number]

export interface Sizes {
  readonly payments: number
  /** Bytes and number of records or states, over all payments. */
  readonly parts: Readonly<Record<Part, { bytes: number; count: number }>>
}

interface Load {
  readonly events: number
  readonly customers: number
  readonly partitions: number
  /** Payments of a partition that are decided together. */
  readonly chunk: number
}

/** Runs generated payments (seed 1) through the work of weir's lanes, without broker and Redis; nothing is remembered. */
export async function sizesOf({ events, customers, partitions, chunk }: Load): Promise<Sizes> {
  const { config } = loadConfig({ env: { WEIR_CONFIG: '/dev/null' } })
  const { topics } = config
  const contracts = await openContracts(config)
  const active = await loadActiveSet({ ...config, rules: null }, () => {})
  const count = new Count()
  const [known, entities] = [new Map<string, Buffer>(), new Map<string, Buffer>()]
  // Entities of all homes in one map: where one lies makes no difference to its bytes.
  const store: StateStore = {
    ...createMemoryStore(),
    peek: async (_, keys) => [...count.read('entities read', entities, keys).values()],
  }
  const works = Array.from({ length: partitions }, (_, partition) =>
    createTransactionWork({
      topics: { ...topics, deadLetters: topics.dead_letters },
      partition,
      codecs: contracts,
      active: () => active,
      store,
      updates: new EntityUpdates(topics.entity_updates, partitions, contracts.entityUpdates),
      clock: Date.now,
      observer: {},
    }),
  )
  const named: Readonly<Record<string, Part>> = {
    [topics.decisions]: 'decisions',
    [topics.alerts]: 'alerts',
    [topics.entity_updates]: 'entity updates',
  }
  async function decide(records: readonly LogRecord[], work: LaneWork): Promise<void> {
    count.batch('transactions', records)
    const { records: answers, states } = await work.work(records, async (keys) =>
      count.read('customers read', known, keys),
    )
    count.write('customers written', known, states)
    for (const batch of Map.groupBy(answers, ({ topic, partition }) => `${topic} ${partition}`).values()) {
      count.batch(named[(batch[0] as (typeof batch)[number]).topic] as Part, batch)
    }
    const updates = answers
      .filter(({ topic }) => topic === topics.entity_updates)
      .map(({ value }, i) => recordOf(i, null, value))
    const decoded = await contracts.entityUpdates.decode(updates)
    const deltas = byEntity(decoded.flatMap((one) => (one.ok ? [one.value] : [])))
    count.write('entities written', entities, fold(deltas, entities, active.features))
  }
  const waiting: LogRecord[][] = works.map(() => [])
  const next = works.map(() => 0)
  let done = 0
  for await (const transaction of payments({ file: undefined, map: undefined, seed: 1, customers }, events)) {
    const key = transaction.customer_id
    const partition = partitionOf(key, partitions)
    const records = waiting[partition] as LogRecord[]
    const offset = next[partition] as number
    next[partition] = offset + 1
    records.push(
      recordOf(offset, Buffer.from(key), contracts.transactions.encode(transaction), transaction.event_time),
    )
    if (records.length < chunk) continue
    waiting[partition] = []
    count.payments += done >= events / 2 ? chunk : 0
    count.measuring = done >= events / 2
    await decide(records, works[partition] as LaneWork)
    done += chunk
  }
  return { payments: count.payments, parts: count.parts }
}

const recordOf = (offset: number, key: Buffer | null, value: Buffer | null, timestamp = 0): LogRecord => ({
  offset,
  timestamp,
  key,
  value,
  headers: {},
})

/** With a name and a value go two lengths and line ends (RESP 2); in a write, packed, two words. */
const readBytes = 12
const writtenBytes = 8
const scratch = Buffer.allocUnsafe(64 * 1024 * 1024)

class Count {
  readonly parts = Object.fromEntries(
    partNames.map((name) => [name, { bytes: 0, count: 0 }]),
  ) as Sizes['parts']
  payments = 0
  measuring = false

  batch(part: Part, records: readonly BatchedRecord[]): void {
    const transaction = { transactional: true, producerId: 1_000n, producerEpoch: 0, firstSequence: 0 }
    this.#add(part, writeBatch(scratch, 0, { records, ...transaction, now: Date.now() }), records.length)
  }

  read(part: Part, from: ReadonlyMap<string, Buffer>, keys: readonly string[]): Map<string, Buffer | null> {
    const found = new Map(keys.map((key) => [key, from.get(key) ?? null]))
    for (const [key, state] of found) this.#add(part, key.length + (state?.length ?? 0) + readBytes, 1)
    return found
  }

  write(part: Part, to: Map<string, Buffer>, states: StateChanges): void {
    for (const [key, state] of states) {
      this.#add(part, key.length + state.length + writtenBytes, 1)
      to.set(key, state)
    }
  }

  #add(part: Part, bytes: number, count: number): void {
    if (!this.measuring) return
    this.parts[part].bytes += bytes
    this.parts[part].count += count
  }
}
