import type { Codec } from '../adapters/avro.ts'
import { type ActiveSet, decide } from '../core/decide.ts'
import type { Checked } from '../core/errors.ts'
import { partiesOf } from '../core/parties.ts'
import { partitionOf } from '../core/partition.ts'
import type { StateStore } from '../core/ports.ts'
import type { Alert, Decision, Transaction } from '../core/types.ts'
import { type Unchecked, validateTransaction } from '../core/validate.ts'
import { type EntityUpdates, progressOf } from './entity-updates.ts'
import { peekEntities } from './entity-values.ts'
import { asLaneError } from './lane-states.ts'

export interface ScoreNowOptions {
  readonly topic: string
  /** Of the topic. */
  readonly partitions: number
  readonly codec: Codec<Transaction>
  /** What decides now. */
  readonly active: () => ActiveSet
  readonly store: StateStore
  readonly updates: EntityUpdates
  /** Whether this member decides the transactions of a partition. */
  readonly owns: (partition: number) => boolean
}

export interface ScoredNow {
  /** Its id is `notRecorded`. */
  readonly decision: Decision
  readonly alert: Alert | null
}

/**
 * What weir would decide if this payment came now. Nothing changes by it: no state, no record, no count.
 *
 * @param recordTimestamp that its record would have, epoch milliseconds.
 */
export type ScoreNow = (
  candidate: Unchecked<Transaction>,
  recordTimestamp: number,
) => Promise<Checked<ScoredNow>>

/** In place of the id of decision and alert: what is scored now has no place on the log that could name it. */
export const notRecorded = 'not-recorded'

/** What a record is checked against has its own limits; here only the types of the fields count. */
const anyTime = { eventTimePastMs: Number.POSITIVE_INFINITY, eventTimeFutureMs: Number.POSITIVE_INFINITY }

/**
 * The transactions' way without lane and log: the same checks, the same `decide`, states as they lie. Rejects with
 * WEIR_STORE_UNAVAILABLE when they cannot be had.
 *
 * The customer's state is looked for in the partition that Kafka's own producers choose.
 */
export function createScoreNow(options: ScoreNowOptions): ScoreNow {
  const { topic, partitions, codec, store, updates, owns } = options

  /** As a record would be: written and read again by the contract. */
  async function read(
    candidate: Unchecked<Transaction>,
    recordTimestamp: number,
  ): Promise<Checked<Transaction>> {
    const typed = validateTransaction(candidate, 0, anyTime)
    if (!typed.ok) return typed
    const { value } = typed
    const key = Buffer.from(value.customer_id)
    const record = { offset: 0, timestamp: recordTimestamp, key, value: codec.encode(value), headers: {} }
    const [checked] = await codec.decode([record])
    return checked as Checked<Transaction>
  }

  async function answer(transaction: Transaction, partition: number): Promise<ScoredNow> {
    const { customer_id, event_time } = transaction
    const arrivals = [{ partition, offset: -1, transaction }]
    const active = options.active()
    const parties = partiesOf(arrivals, active.features.kinds)
    // Only who decides a partition knows how much it has sent: to the others the values are as fresh as they lie.
    const ageMs = (home: number, progress: Buffer | null) =>
      owns(partition) ? updates.ageMs(home, partition, progressOf(progress, partition), event_time) : 0
    const [[customer], entities] = await Promise.all([
      store.peek({ kind: 't', partition }, [customer_id]),
      peekEntities(store, parties, updates.partitions, ageMs),
    ])
    const past = { customers: new Map([[customer_id, customer ?? null]]), entities }
    const { decisions, alerts } = await decide({ topic, arrivals }, past, active, parties)
    const [decision, alert] = [decisions[0] as Decision, alerts[0] ?? null]
    return {
      decision: { ...decision, decision_id: notRecorded },
      alert: alert && { ...alert, alert_id: notRecorded },
    }
  }

  return async (candidate, recordTimestamp) => {
    const checked = await read(candidate, recordTimestamp)
    if (!checked.ok) return checked
    const partition = partitionOf(checked.value.customer_id, partitions)
    try {
      return { ok: true, value: await answer(checked.value, partition) }
    } catch (error) {
      throw asLaneError(error, { kind: 't', partition })
    }
  }
}
