import type { Contracts } from '../adapters/avro-contracts.ts'
import type { Config } from '../config/schema.ts'
import { advance } from '../core/enrich.ts'
import { WeirError } from '../core/errors.ts'
import type { CompiledFeatures } from '../core/features/compile.ts'
import { byEntity, fold } from '../core/fold.ts'
import { History } from '../core/history.ts'
import { applyLabels } from '../core/labels.ts'
import type { PackedStates } from '../core/packed-states.ts'
import type { LaneId, Log, LogRecord, StateStore, TopicPartition } from '../core/ports.ts'
import { lanesOf, nameOf } from '../replay/target.ts'
import { checkRecords } from '../stream/decoded.ts'
import { progressKey } from '../stream/entity-updates.ts'
import { withRates } from '../stream/scorer.ts'

/** An installation whose members are stopped. */
export interface Stopped {
  readonly config: Pick<Config, 'app' | 'topics'>
  readonly log: Log
  readonly store: StateStore
  readonly contracts: Contracts
  readonly features: CompiledFeatures
  /** By partition: what its group has decided. */
  readonly positions: { readonly transactions: readonly number[]; readonly labels: readonly number[] }
}

const sections = { t: 'customers', l: 'labelled', e: 'entities' } as const

/** States that are asked for in one call of the store. */
const mostAsked = 500

/**
 * The states after all that was decided: those of the store, and folded into them what the log has beyond their
 * watermarks, as a lane would. So history that the log has lost since stays in them, and an empty store costs a
 * rebuild. Keeps all of them in memory.
 *
 * @throws WeirError WEIR_REKEY_REFUSED where store and log together do not have all of it.
 */
export async function statesOf(stopped: Stopped): Promise<History> {
  const history = new History(stopped.features)
  for (const id of lanesOf(stopped.config.topics.partitions)) {
    const states = history[sections[id.kind]]
    const { at, from, to } = await missing(stopped, id)
    await readStored(stopped.store, id, states)
    const work = folding(stopped, id, states)
    for await (const records of stopped.log.read(at, from, to)) {
      for (const [key, packed] of await work(records)) states.set(key, packed)
    }
  }
  return history
}

/** What the log has beyond the states of a lane. */
async function missing(
  { config: { app, topics }, log, store, positions }: Stopped,
  id: LaneId,
): Promise<{ at: TopicPartition; from: number; to: number }> {
  const names = { t: topics.transactions, l: topics.labels, e: topics.entity_updates }
  const at = { topic: names[id.kind], partition: id.partition }
  const { first, end } = await log.bounds(at)
  const decided = id.kind === 't' ? positions.transactions : positions.labels
  const to = id.kind === 'e' ? end : (decided[id.partition] as number)
  const watermark = await store.watermark(id)
  const from = watermark ?? 0
  const lane = `the states of lane ${nameOf(id)} of app ${app}`
  if (from < 0) throw refused(`${lane} are half loaded from a snapshot`, 'finish `weir state load` first')
  if (from > to) {
    throw refused(
      `${lane} contain the log up to ${from}, but what was decided ends at ${to}`,
      'somebody reset the offsets of the group: set them back',
    )
  }
  if (from >= first || from === to) return { at, from, to }
  throw refused(
    `${lane} ${watermark === null ? 'are lost' : `contain the log up to ${from}`}, and ${at.topic}-${at.partition} begins at ${first} by now`,
    'nothing has that history any more: begin anew with another `app`, `group` and topics of its own',
  )
}

async function readStored(store: StateStore, id: LaneId, states: PackedStates): Promise<void> {
  const seen = new Set<string>()
  for await (const found of store.keys(id)) for (const key of found) seen.add(key)
  seen.delete(progressKey)
  const keys = [...seen]
  for (let i = 0; i < keys.length; i += mostAsked) {
    const asked = keys.slice(i, i + mostAsked)
    const packed = await store.peek(id, asked)
    asked.forEach((key, k) => {
      const state = packed[k]
      if (state != null) states.set(key, state)
    })
  }
}

/** What a lane of that kind makes of records, with states alone to show for it. */
function folding({ contracts, features }: Stopped, { kind, partition }: LaneId, states: PackedStates) {
  const past = (keys: Iterable<string>) => new Map(Array.from(keys, (key) => [key, states.get(key) ?? null]))
  const transactions = withRates(contracts.transactions, features)
  return async (records: readonly LogRecord[]): Promise<Iterable<readonly [string, Buffer]>> => {
    if (kind === 't') {
      const arrivals = (await checkRecords(transactions, records)).flatMap((one, i) =>
        one.ok ? [{ partition, offset: records[i]?.offset as number, transaction: one.value }] : [],
      )
      return advance(arrivals, past(arrivals.map(({ transaction }) => transaction.customer_id)), features)
    }
    if (kind === 'l') {
      const labels = (await checkRecords(contracts.labels, records)).flatMap((one) =>
        one.ok ? [one.value] : [],
      )
      return applyLabels(labels, states, features).states
    }
    const updates = (await checkRecords(contracts.entityUpdates, records)).flatMap((one) =>
      one.ok ? [one.value] : [],
    )
    const deltas = byEntity(updates)
    return fold(deltas, past(deltas.keys()), features)
  }
}

export function refused(message: string, cure: string): WeirError {
  return new WeirError('WEIR_REKEY_REFUSED', message, { cure })
}
