import { readFileSync } from 'node:fs'
import { createMemoryLog } from '../../../src/adapters/memory-log.ts'
import { createMemoryStore } from '../../../src/adapters/memory-store.ts'
import { loadActiveSet } from '../../../src/apps/active-set.ts'
import { createBackend } from '../../../src/apps/backend.ts'
import { openContracts } from '../../../src/apps/connect.ts'
import { createControlReader } from '../../../src/config/control-texts.ts'
import { loadConfig } from '../../../src/config/load.ts'
import { controlled, initialControl } from '../../../src/core/control.ts'
import { WeirError } from '../../../src/core/errors.ts'
import { ListBook } from '../../../src/core/lists.ts'
import { partitionOf } from '../../../src/core/partition.ts'
import type { StateStore } from '../../../src/core/ports.ts'
import { outcomes, type Transaction } from '../../../src/core/types.ts'
import type { Backend } from '../../../src/http/api.ts'
import { type Scorer, startScorer } from '../../../src/stream/scorer.ts'

export const partitions = 2
const { config } = loadConfig({ file: '/dev/null', env: {}, set: [`topics.partitions=${partitions}`] })
const champion = await loadActiveSet(config, () => {})
const contracts = await openContracts(config)
const { transactions, labels, decisions, alerts, dead_letters, entity_updates } = config.topics
export const topics = [transactions, labels, decisions, alerts, dead_letters, entity_updates]

const reader = createControlReader(champion)
const rules = reader.rules(readFileSync(new URL('../../../rules/example.yaml', import.meta.url), 'utf8'))
const changes = Array.from({ length: 5 }, (_, i) => ({
  op: 'add',
  list: i === 4 ? 'watch' : 'deny',
  type: 'customer',
  value: `bad-${i}`,
  reason: 'seen before',
  who: 'ana',
}))
const lists = ListBook.empty.with(reader.lists(JSON.stringify({ changes })))

/** A member on the embedded log and store, whose every decision is one that a person should see. */
export class EmbeddedMember {
  readonly config = config
  readonly contracts = contracts
  readonly active = {
    ...champion,
    policy: { ...champion.policy, file: { ...champion.policy.file, alert_on: outcomes } },
  }
  readonly log = createMemoryLog({ topics: Object.fromEntries(topics.map((name) => [name, partitions])) })
  readonly kept = createMemoryStore()
  isStoreAway = false
  #scorer: Scorer | undefined
  backend: Backend | null = null

  async start(): Promise<void> {
    let tokens = 0
    const store: StateStore = {
      ...this.kept,
      peek: async (...given) => {
        if (this.isStoreAway)
          throw new WeirError('WEIR_STORE_UNAVAILABLE', 'Redis did not answer', { retriable: true })
        return this.kept.peek(...given)
      },
    }
    const { log } = this
    const state = { ...initialControl(this.active), rules, lists }
    const active = controlled(this.active, state)
    this.#scorer = await startScorer({
      config,
      log,
      store,
      contracts,
      active: () => active,
      clock: () => 0,
      now: () => performance.now() / 1000,
      newToken: () => String(tokens++),
      observer: {},
    })
    this.backend = createBackend({ config, log, contracts, active: () => active }, this.#scorer, () => state)
  }

  async stop(): Promise<void> {
    await this.#scorer?.stop()
  }

  async pay(...payments: Transaction[]): Promise<void> {
    await this.log.append(
      payments.map((transaction) => ({
        topic: transactions,
        partition: partitionOf(transaction.customer_id, partitions),
        key: transaction.customer_id,
        value: contracts.transactions.encode(transaction),
        timestamp: transaction.event_time,
      })),
    )
    await this.#scorer?.subscription.idle()
  }
}
