import { expect, it } from 'vitest'
import { createMemoryLog } from '../../../src/adapters/memory-log.ts'
import { createMemoryStore } from '../../../src/adapters/memory-store.ts'
import { loadActiveSet } from '../../../src/apps/active-set.ts'
import { openContracts } from '../../../src/apps/connect.ts'
import { loadConfig } from '../../../src/config/load.ts'
import { entityKey } from '../../../src/core/parties.ts'
import { partitionOf } from '../../../src/core/partition.ts'
import type { Log, LogRecord, StateStore } from '../../../src/core/ports.ts'
import { Random } from '../../../src/core/random.ts'
import type { Transaction } from '../../../src/core/types.ts'
import { type Scorer, startScorer } from '../../../src/stream/scorer.ts'
import { aTransaction, eventTime } from '../../helpers/contracts.ts'
import { type Fate, fates, faultyLog, faultyStore } from './faulty.ts'

const partitions = 2
const set = [`topics.partitions=${partitions}`, 'chunk.max_records=7']
const { config } = loadConfig({ file: '/dev/null', env: {}, set })
const changelog = 'weir.features.v1'
const { transactions, labels, decisions, alerts, dead_letters, entity_updates } = config.topics
const active = await loadActiveSet(config, () => {})
const contracts = await openContracts(config)

const customers = Array.from({ length: 9 }, (_, i) => `c-${i}`)
const merchants = ['m-0', 'm-1', 'm-2']
const payments = Array.from({ length: 240 }, (_, i) =>
  aTransaction({
    transaction_id: `tx-${i}`,
    customer_id: customers[(i * 7) % customers.length] as string,
    merchant_id: merchants[i % merchants.length] as string,
    amount_minor: 100 + i,
    event_time: eventTime + i * 1_000,
  }),
)

const toRecord = (transaction: Transaction) => ({
  topic: transactions,
  partition: partitionOf(transaction.customer_id, partitions),
  key: transaction.customer_id,
  value: contracts.transactions.encode(transaction),
  timestamp: transaction.event_time,
})

/** A log and a store, and scorers that compete for them. Each look at the clock takes 0.3 seconds. */
class World {
  readonly log = createMemoryLog({
    topics: Object.fromEntries(
      [transactions, labels, decisions, alerts, dead_letters, entity_updates, changelog].map((name) => [
        name,
        partitions,
      ]),
    ),
    maxRunRecords: config.chunk.max_records,
  })
  readonly store = createMemoryStore()
  seconds = 0
  #tokens = 0

  /** @param features topic of the states; null: none. */
  start(
    log: Log = this.log,
    store: StateStore = this.store,
    features: string | null = null,
  ): Promise<Scorer> {
    const topics = { ...config.topics, features }
    const newToken = () => String(this.#tokens++)
    const now = () => {
      this.seconds += 0.3
      return this.seconds
    }
    const parts = { log, store, contracts, active: () => active, clock: () => 0, now, newToken, observer: {} }
    return startScorer({ ...parts, config: { ...config, topics } })
  }

  async append(from: number, to: number): Promise<void> {
    await this.log.append(payments.slice(from, to).map(toRecord))
  }

  async states(): Promise<string[]> {
    const kept = []
    for (let partition = 0; partition < partitions; partition++) {
      const merchantKeys = merchants.map((name) => entityKey('merchant', name))
      kept.push(...(await this.store.peek({ kind: 't', partition }, customers)))
      kept.push(...(await this.store.peek({ kind: 'e', partition }, merchantKeys)))
    }
    return kept.map((state) => state?.toString('hex') ?? 'none')
  }

  /** Identifiers of all decisions, with duplicates if there are any. */
  async decided(): Promise<string[]> {
    const ids: string[] = []
    const reader = await this.log.subscribe('reader', [decisions], {
      onAssigned() {},
      async onRun({ records }) {
        for (const checked of await contracts.decisions.decode(records)) {
          ids.push(checked.ok ? checked.value.decision_id : checked.rejection.message)
        }
        return (records.at(-1) as LogRecord).offset + 1
      },
    })
    await reader.idle()
    await reader.stop()
    return ids.toSorted()
  }
}

/** What a scorer alone makes of all this on a good day. */
async function undisturbed() {
  const world = new World()
  const scorer = await world.start()
  await world.append(0, payments.length)
  await scorer.subscription.idle()
  await scorer.stop()
  return { decided: await world.decided(), states: await world.states() }
}

const storms = [1, 2, 3, 4, 5, 6].flatMap((seed) => [
  { seed, features: null },
  { seed, features: changelog },
])

it.each(storms)(
  'two scorers in a storm decide what one decides in peace ($seed, $features)',
  async ({ seed, features }) => {
    const calm = await undisturbed()
    expect(new Set(calm.decided).size).toBe(payments.length)

    const world = new World()
    const random = new Random(seed, 0)
    let isStormy = true
    let failures = 0
    const fate = (): Fate => {
      const one = isStormy && random.below(5) === 0 ? random.pick(fates) : 'ok'
      if (one !== 'ok') failures++
      return one
    }
    const start = () => world.start(faultyLog(world.log, fate), faultyStore(world.store, fate), features)
    const first = await start()
    await world.append(0, 80)
    const second = await start()
    await world.append(80, 160)
    await first.stop()
    const third = await start()
    await world.append(160, 200)
    await third.subscription.idle()
    isStormy = false
    // Pauses after a failure of the store are over; the next chunks bring the states up to date.
    world.seconds += 10
    await world.append(200, payments.length)
    await Promise.all([second.subscription.idle(), third.subscription.idle()])
    await Promise.all([second.stop(), third.stop()])

    expect(failures).toBeGreaterThan(3)
    expect(await world.decided()).toEqual(calm.decided)
    expect(await world.states()).toEqual(calm.states)
    for (let partition = 0; partition < partitions; partition++) {
      const committed = await world.log.committed(config.group, { topic: transactions, partition })
      expect(await world.store.acquire({ kind: 't', partition }, 'reader')).toBe(committed)
    }
  },
)
