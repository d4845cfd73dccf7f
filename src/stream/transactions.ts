import type { Codec } from '../adapters/avro.ts'
import { type ActiveSet, type Chunk, type Decided, decide, decideDegraded } from '../core/decide.ts'
import { advance } from '../core/enrich.ts'
import type { Rejection } from '../core/errors.ts'
import { holdsPan } from '../core/pan.ts'
import { type Arrival, keyOf, type Parties, partiesOf } from '../core/parties.ts'
import type { Clock, Headers, LogRecord, NewRecord, StateStore } from '../core/ports.ts'
import type { Alert, Decision, Transaction } from '../core/types.ts'
import { type Decoded, decodeRecords } from './decoded.ts'
import { type EntityUpdates, progressOf } from './entity-updates.ts'
import { peekEntities } from './entity-values.ts'
import type { Answer, LaneWork } from './lane.ts'

/** Told what was committed, and what failed on the way; adds nothing to it. */
export interface DecisionObserver {
  /**
   * @returns what is called once they are committed. Whatever it holds on to lives as long: half of the time in which a
   * chunk is under way, and with it most of what garbage collection has to copy.
   */
  decided?(decisions: readonly Decision[]): () => void
  rejected?(rejections: readonly Rejection[]): void
  modelFailed?(cause: Error): void
}

export interface TransactionWorkOptions {
  readonly topics: {
    readonly transactions: string
    readonly decisions: string
    readonly alerts: string
    readonly deadLetters: string
  }
  readonly partition: number
  readonly codecs: {
    readonly transactions: Codec<Transaction>
    readonly decisions: Codec<Decision>
    readonly alerts: Codec<Alert>
  }
  /** What decides now; a chunk keeps what it began with. Features never change. */
  readonly active: () => ActiveSet
  readonly store: StateStore
  readonly updates: EntityUpdates
  /** For the header that tells when it was decided; no byte of a decision depends on it. */
  readonly clock: Clock
  readonly observer: DecisionObserver
}

/**
 * The transactions' way, from the bytes of a chunk to the records that answer it: decode, read the past, decide, encode.
 * What cannot be decoded is answered with a dead letter in the same transaction.
 */
export function createTransactionWork(options: TransactionWorkOptions): LaneWork {
  const { topics, partition, codecs, store, updates, clock, observer } = options
  const { features } = options.active()
  const at = { topic: topics.transactions, partition }

  const decode = (records: readonly LogRecord[]): Promise<Decoded<Transaction>> =>
    decodeRecords(codecs.transactions, records, at, topics.deadLetters)

  function chunkOf({ values, accepted }: Decoded<Transaction>): Chunk {
    const arrivals: Arrival[] = []
    for (let i = 0; i < values.length; i++) {
      const offset = accepted[i]?.offset as number
      arrivals.push({ partition, offset, transaction: values[i] as Transaction })
    }
    return { topic: at.topic, arrivals }
  }

  function answer(
    { accepted, deadLetters, rejections }: Decoded<Transaction>,
    chunk: Chunk,
    decided: Pick<Decided, 'decisions' | 'alerts' | 'deltas'>,
  ): Answer {
    const untraced = { 'weir-decided-at': String(clock()) }
    const records: NewRecord[] = []
    const alerts = new Map(decided.alerts.map((alert) => [alert.alert_id, alert]))
    for (let i = 0; i < accepted.length; i++) {
      const record = accepted[i] as LogRecord
      const decision = decided.decisions[i] as Decision
      const headers = outputHeaders(record, untraced)
      records.push({
        topic: topics.decisions,
        partition,
        key: record.key ?? decision.customer_id,
        value: codecs.decisions.encode(decision),
        headers,
      })
      const alert = alerts.get(decision.decision_id)
      if (alert === undefined) continue
      records.push({
        topic: topics.alerts,
        partition,
        key: decision.customer_id,
        value: codecs.alerts.encode(alert),
        headers: { ...headers, ...cloudEvent(alert, topics.transactions) },
      })
    }
    const source = {
      source_kind: 't',
      source_partition: partition,
      source_offset: chunk.arrivals[0]?.offset ?? 0,
      time: latest(chunk.arrivals),
    } as const
    records.push(...updates.records(source, decided.deltas), ...deadLetters)
    return { records, onCommitted: whenCommitted(decided.decisions, rejections) }
  }

  // Not within `answer`, where it would keep all that was needed there.
  function whenCommitted(decisions: readonly Decision[], rejections: readonly Rejection[]): () => void {
    const count = observer.decided?.(decisions)
    return () => {
      count?.()
      observer.rejected?.(rejections)
    }
  }

  const entitiesOf = (parties: Parties, time: number) =>
    peekEntities(store, parties, updates.partitions, (home, progress) =>
      updates.ageMs(home, partition, progressOf(progress, partition), time),
    )

  return {
    async work(records, read) {
      const decoded = await decode(records)
      const chunk = chunkOf(decoded)
      const active = options.active()
      const parties = partiesOf(chunk.arrivals, features.kinds)
      const [customers, entities] = await Promise.all([
        read(parties.customers.map(keyOf)),
        entitiesOf(parties, latest(chunk.arrivals)),
      ])
      const decided = await decide(chunk, { customers, entities }, active, parties)
      if (decided.modelFailure !== null) observer.modelFailed?.(decided.modelFailure)
      return { ...answer(decoded, chunk, decided), states: decided.states }
    },
    async rebuild(records, read) {
      const { arrivals } = chunkOf(await decode(records))
      const { customers } = partiesOf(arrivals, [])
      return advance(arrivals, await read(customers.map(keyOf)), features)
    },
    async degraded(records) {
      const decoded = await decode(records)
      const chunk = chunkOf(decoded)
      return answer(decoded, chunk, decideDegraded(chunk, options.active()))
    },
  }
}

/** Latest event_time of a chunk; 0 when it is empty. */
function latest(arrivals: readonly Arrival[]): number {
  let time = 0
  for (const { transaction } of arrivals) time = Math.max(time, transaction.event_time)
  return time
}

/** W3C Trace Context, "traceparent Header Field Values". */
const wellFormedParent = /^[\da-f]{2}-[\da-f]{32}-[\da-f]{16}-[\da-f]{2}$/

/**
 * What depends on the clock, and the trace that the payment system began (W3C Trace Context). A trace that may hold a
 * PAN ends here: what a producer puts in a header is nobody's contract.
 */
function outputHeaders({ headers }: LogRecord, untraced: Headers): Headers {
  const { traceparent, tracestate } = headers
  if (traceparent === undefined || !wellFormedParent.test(traceparent) || mayHoldPan(traceparent))
    return untraced
  const state = tracestate === undefined || mayHoldPan(tracestate) ? {} : { tracestate }
  return { ...untraced, traceparent, ...state }
}

const mayHoldPan = (text: string): boolean => holdsPan(text, { anywhere: true })

/** CloudEvents 1.0, Kafka binary mode; on alerts only, which leave for other systems. */
function cloudEvent(alert: Alert, source: string): Headers {
  return {
    ce_specversion: '1.0',
    ce_id: alert.alert_id,
    ce_source: source,
    ce_type: 'weir.v1.Alert',
    ce_time: new Date(alert.event_time).toISOString(),
    'content-type': 'application/avro',
  }
}
