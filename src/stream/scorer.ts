import type { Codec } from '../adapters/avro.ts'
import type { Contracts } from '../adapters/avro-contracts.ts'
import type { Config } from '../config/schema.ts'
import type { ActiveSet } from '../core/decide.ts'
import { refusedAmount } from '../core/enrich.ts'
import type { Checked, Rejection } from '../core/errors.ts'
import type { CompiledFeatures } from '../core/features/compile.ts'
import { laneKeys, statesPrefix } from '../core/lane-keys.ts'
import type { Clock, LaneId, Log, StateStore, Subscription } from '../core/ports.ts'
import type { Transaction } from '../core/types.ts'
import { answeredLabels, answeredTransactions } from './answered.ts'
import { createEntityFold, createEntityWork } from './entities.ts'
import { EntityUpdates } from './entity-updates.ts'
import { FoldLane } from './fold-lane.ts'
import type { HoldOptions } from './hold.ts'
import { createLabelWork } from './labels.ts'
import { Lane, type LaneObserver, type LaneWork } from './lane.ts'
import { Member } from './member.ts'
import type { PartitionLane } from './partition-lane.ts'
import { PinnedPartitions } from './pinned-partitions.ts'
import { createScoreNow, type ScoreNow } from './score-now.ts'
import { createTransactionWork, type DecisionObserver } from './transactions.ts'

/** What a scorer is made of: the same parts on Kafka and Redis and on the embedded log and store. */
export interface ScorerParts {
  readonly config: Config
  readonly log: Log
  readonly store: StateStore
  readonly contracts: Contracts
  /** What decides now; its features never change. */
  readonly active: () => ActiveSet
  /** Epoch milliseconds, for the headers that tell when. */
  readonly clock: Clock
  /** Seconds on any steady clock. */
  readonly now: () => number
  readonly newToken: () => string
  readonly observer: LaneObserver & DecisionObserver
}

export interface Scorer {
  readonly member: Member
  readonly subscription: Subscription
  readonly scoreNow: ScoreNow
  readonly pinned: PinnedPartitions
  /** Finishes what is being handled, then leaves the group and lets go of the lanes. Idempotent. */
  stop(): Promise<void>
}

/** Updates of many chunks are folded together: an entity that all of them touch is read and written once. */
const foldEveryMs = 250

/** Joins the group and scores until stopped. */
export async function startScorer(parts: ScorerParts): Promise<Scorer> {
  const { config, log } = parts
  const { transactions, labels, entity_updates } = config.topics
  const homes = await log.partitions(entity_updates)
  const pinned = new PinnedPartitions(log, config.topics)
  const shared = {
    pinned,
    updates: new EntityUpdates(entity_updates, homes, parts.contracts.entityUpdates),
    transactions: withRates(parts.contracts.transactions, parts.active().features),
  }
  const createLane = prepareLanes(parts, shared)
  const kinds = { [transactions]: 't', [labels]: 'l', [entity_updates]: 'e' } as const
  const member = new Member(
    ({ topic, partition }) => createLane[kinds[topic] as 't' | 'l' | 'e'](partition),
    parts.now,
  )
  const topics = [transactions, labels, entity_updates]
  const subscription = await log.subscribe(config.group, topics, member, { [entity_updates]: foldEveryMs })
  const scoreNow = createScoreNow({
    topic: transactions,
    partitions: config.topics.partitions,
    codec: shared.transactions,
    active: parts.active,
    store: parts.store,
    updates: shared.updates,
    owns: (partition) => member.lanes().some(({ id }) => id.kind === 't' && id.partition === partition),
  })
  let stopped: Promise<void> | undefined
  const stop = async () => {
    await subscription.stop()
    await member.release()
  }
  return {
    member,
    subscription,
    scoreNow,
    pinned,
    stop: () => {
      stopped ??= stop()
      return stopped
    },
  }
}

type LaneOf = (partition: number) => PartitionLane

/** What all lanes of a member have in common. */
interface Shared {
  readonly pinned: PinnedPartitions
  readonly updates: EntityUpdates
  readonly transactions: Codec<Transaction>
}

/** Records of each partition of outputs, from its end: labels may be rare among what payments leave. */
const mostLookedThrough = 20_000

/** The lane of each kind of input, by partition. */
function prepareLanes(
  parts: ScorerParts,
  { pinned, updates, transactions }: Shared,
): Record<'t' | 'l' | 'e', LaneOf> {
  const { config, store, contracts, active, clock, observer } = parts
  const { group } = config
  const { features } = active()
  const topics = {
    transactions: config.topics.transactions,
    labels: config.topics.labels,
    decisions: config.topics.decisions,
    alerts: config.topics.alerts,
    deadLetters: config.topics.dead_letters,
    entityUpdates: config.topics.entity_updates,
  }
  const codecs = { ...contracts, transactions }
  const evidence = { log: parts.log, topics, decisions: contracts.decisions, most: mostLookedThrough }
  const rejected = (rejections: readonly Rejection[]) => observer.rejected?.(rejections)
  const prefix = statesPrefix(config.app, features.layoutHash)
  const changelogTopic = config.topics.features
  const lane = (id: LaneId, topic: string, work: LaneWork, answered: HoldOptions['answered'] = null) => {
    const changelog = changelogTopic === null ? null : { topic: changelogTopic, keys: laneKeys(prefix, id) }
    return new Lane({ ...parts, group, id, topic, work, answered, changelog })
  }
  return {
    t(partition) {
      const work = createTransactionWork({
        topics,
        partition,
        codecs,
        active,
        store,
        updates,
        clock,
        observer,
      })
      const at = { topic: topics.transactions, partition }
      return lane({ kind: 't', partition }, at.topic, pinned.guard(at, work), () =>
        answeredTransactions(evidence, at),
      )
    },
    l(partition) {
      const work = createLabelWork({
        topics,
        partition,
        codec: contracts.labels,
        features,
        updates,
        rejected,
      })
      const at = { topic: topics.labels, partition }
      return lane({ kind: 'l', partition }, at.topic, pinned.guard(at, work), () =>
        answeredLabels(evidence, at),
      )
    },
    e(partition) {
      const fold = createEntityFold({ topics, partition, codec: contracts.entityUpdates, features, rejected })
      const id = { kind: 'e', partition } as const
      if (changelogTopic !== null) return lane(id, topics.entityUpdates, createEntityWork(fold))
      return new FoldLane({ ...parts, id, topic: topics.entityUpdates, fold })
    },
  }
}

/** The codec, with amounts checked against the feature file as well. */
export function withRates(codec: Codec<Transaction>, features: CompiledFeatures): Codec<Transaction> {
  const check = (checked: Checked<Transaction>): Checked<Transaction> => {
    const rejection = checked.ok ? refusedAmount(checked.value, features) : null
    return rejection === null ? checked : { ok: false, rejection }
  }
  return { encode: codec.encode, decode: async (records) => (await codec.decode(records)).map(check) }
}
