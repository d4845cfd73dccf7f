import type { Codec } from '../adapters/avro.ts'
import { deadLetter } from '../core/dead-letter.ts'
import { type ActiveSet, type Chunk, type Decided, decide, decideDegraded } from '../core/decide.ts'
import {
  type Arrival,
  advance,
  currencyFactor,
  type EntityValue,
  entityIds,
  entityKey,
} from '../core/enrich.ts'
import type { Checked, Rejection } from '../core/errors.ts'
import type { CompiledFeatures } from '../core/features/compile.ts'
import { partitionOf } from '../core/partition.ts'
import type { Clock, Headers, LogRecord, NewRecord, StateStore } from '../core/ports.ts'
import { type Alert, type Decision, entityKinds, type Transaction } from '../core/types.ts'
import { type EntityUpdates, progressKey, progressOf } from './entity-updates.ts'
import type { LaneWork } from './lane.ts'

/** Tells what was decided; adds nothing to it. */
export interface DecisionObserver {
  decided?(chunk: Chunk, decided: Pick<Decided, 'decisions' | 'alerts'>): void
  rejected?(rejection: Rejection): void
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
  readonly active: ActiveSet
  readonly store: StateStore
  readonly updates: EntityUpdates
  /** For the header that tells when it was decided; no byte of a decision depends on it. */
  readonly clock: Clock
  readonly observer: DecisionObserver
}

interface Sorted {
  readonly arrivals: readonly Arrival[]
  /** By position in `arrivals`. */
  readonly accepted: readonly LogRecord[]
  readonly deadLetters: readonly NewRecord[]
}

/**
 * The transactions' way, from the bytes of a chunk to the records that answer it: decode, read the past, decide, encode.
 * What cannot be decoded is answered with a dead letter in the same transaction.
 */
export function createTransactionWork(options: TransactionWorkOptions): LaneWork {
  const { topics, partition, codecs, active, store, updates, clock, observer } = options
  const at = { topic: topics.transactions, partition }

  async function sort(records: readonly LogRecord[]): Promise<Sorted> {
    const checked = await codecs.transactions.decode(records)
    const arrivals: Arrival[] = []
    const accepted: LogRecord[] = []
    const deadLetters: NewRecord[] = []
    records.forEach((record, i) => {
      const one = withRate(checked[i] as Checked<Transaction>, active.features)
      if (one.ok) {
        arrivals.push({ offset: record.offset, transaction: one.value })
        accepted.push(record)
      } else {
        deadLetters.push(deadLetter(topics.deadLetters, at, record, one.rejection))
        observer.rejected?.(one.rejection)
      }
    })
    return { arrivals, accepted, deadLetters }
  }

  function encode(sorted: Sorted, decided: Pick<Decided, 'decisions' | 'alerts' | 'deltas'>): NewRecord[] {
    const { accepted, arrivals, deadLetters } = sorted
    const decidedAt = String(clock())
    const records: NewRecord[] = []
    const alerts = new Map(decided.alerts.map((alert) => [alert.alert_id, alert]))
    decided.decisions.forEach((decision, i) => {
      const record = accepted[i] as LogRecord
      const headers = outputHeaders(record, decidedAt)
      records.push({
        topic: topics.decisions,
        partition,
        key: record.key ?? decision.customer_id,
        value: codecs.decisions.encode(decision),
        headers,
      })
      const alert = alerts.get(decision.decision_id)
      if (alert === undefined) return
      records.push({
        topic: topics.alerts,
        partition,
        key: decision.customer_id,
        value: codecs.alerts.encode(alert),
        headers: { ...headers, ...cloudEvent(alert, topics.transactions) },
      })
    })
    const lastTime = Math.max(0, ...arrivals.map(({ transaction }) => transaction.event_time))
    const source = {
      source_kind: 't',
      source_partition: partition,
      source_offset: arrivals[0]?.offset ?? 0,
      time: lastTime,
    } as const
    records.push(...updates.records(source, decided.deltas), ...deadLetters)
    observer.decided?.({ ...at, arrivals }, decided)
    return records
  }

  async function entitiesOf(arrivals: readonly Arrival[]): Promise<Map<string, EntityValue>> {
    const keys = new Map<number, Set<string>>()
    for (const { transaction } of arrivals) {
      const ids = entityIds(transaction)
      for (const kind of active.features.kinds) {
        const id = ids[entityKinds.indexOf(kind)]
        if (id === null || id === undefined) continue
        const key = entityKey(kind, id)
        const home = partitionOf(key, updates.partitions)
        const there = keys.get(home) ?? new Set([progressKey])
        keys.set(home, there.add(key))
      }
    }
    const values = new Map<string, EntityValue>()
    await Promise.all(
      [...keys].map(async ([home, wanted]) => {
        const names = [...wanted]
        const [progress, ...packed] = await store.peek({ kind: 'e', partition: home }, names)
        const ageMs = updates.ageMs(home, partition, progressOf(progress ?? null, partition))
        packed.forEach((value, i) => {
          values.set(names[i + 1] as string, { packed: value, ageMs })
        })
      }),
    )
    return values
  }

  return {
    async work(records, read) {
      const sorted = await sort(records)
      const { arrivals } = sorted
      const chunk: Chunk = { ...at, arrivals }
      const [customers, entities] = await Promise.all([read(customersOf(arrivals)), entitiesOf(arrivals)])
      const decided = await decide(chunk, { customers, entities }, active)
      if (decided.modelFailure !== null) observer.modelFailed?.(decided.modelFailure)
      return { records: encode(sorted, decided), states: decided.states }
    },
    async rebuild(records, read) {
      const { arrivals } = await sort(records)
      return advance(arrivals, await read(customersOf(arrivals)), active.features)
    },
    async degraded(records) {
      const sorted = await sort(records)
      return encode(sorted, decideDegraded({ ...at, arrivals: sorted.arrivals }, active))
    },
  }
}

const customersOf = (arrivals: readonly Arrival[]): string[] => [
  ...new Set(arrivals.map(({ transaction }) => transaction.customer_id)),
]

/** A currency is accepted when the feature file can compare its amounts with others. */
function withRate(checked: Checked<Transaction>, features: CompiledFeatures): Checked<Transaction> {
  if (!checked.ok || currencyFactor(features, checked.value.currency) !== undefined) return checked
  const message = `currency: the feature file has no rate for ${checked.value.currency}`
  return { ok: false, rejection: { code: 'WEIR_RECORD_UNKNOWN_CURRENCY', message, withhold: false } }
}

/** What depends on the clock, and the trace that the payment system began (W3C Trace Context). */
function outputHeaders({ headers }: LogRecord, decidedAt: string): Headers {
  const { traceparent, tracestate } = headers
  return {
    'weir-decided-at': decidedAt,
    ...(traceparent === undefined ? {} : { traceparent }),
    ...(tracestate === undefined ? {} : { tracestate }),
  }
}

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
