import { loadActiveSet } from '../src/apps/active-set.ts'
import type { Config } from '../src/config/schema.ts'
import { uncontrolled } from '../src/core/decide.ts'
import type { CompiledFeatures } from '../src/core/features/compile.ts'
import type { Outcome, Transaction } from '../src/core/types.ts'
import { Numbering } from '../src/replay/source.ts'
import { wholePass } from './replay-contestants.ts'

/** What weir makes of payments, one after the other in the order in which they were made; retries left out. */
export interface Reference {
  readonly features: CompiledFeatures
  /** Outcomes that become alerts. */
  readonly alertOn: readonly Outcome[]
  readonly seen: ReadonlyMap<string, Expected>
}

export interface Expected {
  /** As decisions carry them. */
  readonly features: Buffer
  readonly score: number
}

/** Payments that are taken at a time. */
const someItems = 4_000

/** Decides the payments by a pass of replay, without broker and Redis. */
export async function referenceFor(config: Config, source: AsyncIterable<Transaction>): Promise<Reference> {
  const loaded = await loadActiveSet({ ...config, rules: null }, () => {})
  const active = { ...loaded, ...uncontrolled }
  const candidates = [{ name: 'weir', active, rules: null }]
  const seen = new Map<string, Expected>()
  const pass = wholePass(config.topics.transactions, candidates, ({ decisions: [decisions = []] }) => {
    for (const { transaction_id, features, score } of decisions) {
      if (score !== null) seen.set(transaction_id, { features, score })
    }
  })
  const numbering = new Numbering(config.topics.partitions)
  let items = []
  for await (const transaction of source) {
    items.push(numbering.item(transaction, []))
    if (items.length < someItems) continue
    await pass.take(items)
    items = []
  }
  await pass.take(items)
  await pass.settle()
  return { features: active.features, alertOn: active.policy.file.alert_on, seen }
}
