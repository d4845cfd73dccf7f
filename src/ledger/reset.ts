import type { Contracts } from '../adapters/avro-contracts.ts'
import type { Config } from '../config/schema.ts'
import { skipLetter } from '../core/dead-letter.ts'
import { WeirError } from '../core/errors.ts'
import type { CompiledFeatures } from '../core/features/compile.ts'
import { laneKeys, statesPrefix } from '../core/lane-keys.ts'
import type { LaneId, Log, StateStore, TransactionalWriter } from '../core/ports.ts'
import { lanesOf, nameOf } from '../replay/target.ts'
import { answeredLabels, answeredTransactions } from '../stream/answered.ts'
import { headRecord } from '../stream/changelog.ts'
import { type LanePlan, planFold, planLane, type SkipTo, type Stand } from './reset-plan.ts'

export interface ResetOptions {
  readonly config: Config
  readonly log: Log
  readonly store: StateStore
  readonly contracts: Pick<Contracts, 'decisions'>
  readonly features: CompiledFeatures
  /** Where payments and labels go on, with what lies before left undecided. */
  readonly skipTo?: SkipTo | undefined
  readonly skipLabelsTo?: SkipTo | undefined
  /** Why, in words that go into the log. */
  readonly reason?: string | undefined
  /** Whether states may be deleted that contain what they should not, or lack what is gone. */
  readonly forgetStates: boolean
}

/**
 * Shows where the group will stand, or puts it there: where its outputs on the log prove that it stands, so that nothing
 * is decided twice or left out, unless a range is declared to be skipped.
 *
 * With `apply` every lane is fenced before anything is read: what was read is still true when it is written, or the write
 * is refused. Broken off, it can be called again.
 *
 * @returns one for each lane. With a refusal among them nothing was changed.
 * @throws WeirError WEIR_LOG_IN_USE while the group has members; WEIR_LOG_FENCED where one came meanwhile.
 */
export async function resetGroup(options: ResetOptions, apply: boolean): Promise<LanePlan[]> {
  const { config, log } = options
  await refuseMembers(options)
  const writers = new Map<string, TransactionalWriter>()
  try {
    const all = lanesOf(config.topics.partitions)
    const lanes = (['t', 'l', 'e'] as const).flatMap((kind) => all.filter((id) => id.kind === kind))
    for (const id of apply ? lanes : []) {
      if (id.kind === 'e') continue
      const at = { topic: topicOf(id, config), partition: id.partition }
      writers.set(nameOf(id), await log.fence(config.group, at))
    }
    const plans: LanePlan[] = []
    for (const id of lanes) plans.push(await plan(id, options))
    if (!apply || plans.some(({ refusal }) => refusal !== null)) return plans
    for (const one of plans) await carryOut(one, writers, options)
    return plans
  } finally {
    await Promise.all([...writers.values()].map((writer) => writer.close()))
  }
}

async function refuseMembers({ config: { group }, log }: ResetOptions): Promise<void> {
  const members = await log.members(group)
  if (members === 0) return
  throw new WeirError(
    'WEIR_LOG_IN_USE',
    `group ${group} has ${members} ${members === 1 ? 'member' : 'members'}`,
    {
      cure: 'stop all of them; one that died counts until its session ends (kafka.session_timeout_ms)',
    },
  )
}

const topicOf = ({ kind }: LaneId, { topics }: Config): string =>
  ({ t: topics.transactions, l: topics.labels, e: topics.entity_updates })[kind]

async function plan(id: LaneId, options: ResetOptions): Promise<LanePlan> {
  const { config, log, store, contracts } = options
  const at = { topic: topicOf(id, config), partition: id.partition }
  const [bounds, watermark] = await Promise.all([log.bounds(at), store.watermark(id)])
  if (id.kind === 'e') return planFold(id, at.topic, bounds, watermark, options.forgetStates)
  const { decisions, dead_letters, entity_updates } = config.topics
  const topics = { decisions, deadLetters: dead_letters, entityUpdates: entity_updates }
  const evidence = { log, topics, decisions: contracts.decisions }
  const answered = await (id.kind === 't' ? answeredTransactions : answeredLabels)(evidence, at)
  const committed = await log.committed(config.group, at)
  const stand: Stand = { id, topic: at.topic, ...bounds, committed, watermark, answered }
  const skipTo = await offsetOf(log, stand, id.kind === 't' ? options.skipTo : options.skipLabelsTo)
  return planLane(stand, skipTo, options.forgetStates)
}

/** Null: this partition skips nothing. */
async function offsetOf(
  log: Pick<Log, 'offsetAt'>,
  { topic, id: { partition }, end }: Stand,
  skipTo: SkipTo | undefined,
): Promise<number | null> {
  if (skipTo === undefined) return null
  if (skipTo === 'end') return end
  if ('time' in skipTo) return log.offsetAt({ topic, partition }, skipTo.time)
  const offset = skipTo.offsets[partition]
  if (offset !== undefined) return offset
  throw new WeirError('WEIR_CLI_USAGE', `there is no offset for partition ${partition} of ${topic}`, {
    cure: 'give one for each partition, in order, and - for those that skip nothing: 120,-,7',
  })
}

async function carryOut(
  { lane, topic, partition, position, to, skip, clears }: LanePlan,
  writers: ReadonlyMap<string, TransactionalWriter>,
  options: ResetOptions,
): Promise<void> {
  const { config, store, reason = '' } = options
  const id = { kind: lane, partition }
  const writer = writers.get(nameOf(id))
  if (writer !== undefined && to !== null && (to !== position || skip !== null)) {
    const at = { topic, partition }
    const letters =
      skip === null ? [] : [skipLetter(config.topics.dead_letters, at, skip.from, skip.to, reason)]
    await writer.commit(letters, to)
  }
  if (!clears) return
  await forgetChangelog(id, options)
  await store.clear(id)
}

/** A lane that finds its store empty would restore from there what is to be forgotten. */
async function forgetChangelog(
  { kind, partition }: LaneId,
  { config: { app, topics }, log, features }: ResetOptions,
): Promise<void> {
  if (topics.features === null) return
  const keys = laneKeys(statesPrefix(app, features.layoutHash), { kind, partition })
  await log.append([headRecord({ topic: topics.features, partition }, keys, null)])
}
