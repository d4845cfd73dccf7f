import type { Codec } from '../adapters/avro.ts'
import type { Contracts } from '../adapters/avro-contracts.ts'
import type { Config } from '../config/schema.ts'
import { offsetIn } from '../core/decide.ts'
import type { Log, LogRecord, TopicPartition } from '../core/ports.ts'
import type { Alert, Decision } from '../core/types.ts'
import { type Answer, startOf } from '../replay/answers.ts'

export interface FindOptions {
  readonly log: Pick<Log, 'bounds' | 'read' | 'partitions'>
  readonly topics: Pick<Config['topics'], 'transactions' | 'decisions' | 'alerts'>
  readonly contracts: Pick<Contracts, 'decisions' | 'alerts'>
}

/**
 * A decision as it lies on its topic. The id says partition and offset of the payment, and answers lie in the order of
 * what they answer: a search in halves, then some thousand records.
 *
 * @returns null where no decision has this id, or retention has taken it.
 */
export function findDecision({ log, topics, contracts }: FindOptions, id: string): Promise<Decision | null> {
  const idOf = ({ decision_id }: Decision) => decision_id
  return find(log, topics.transactions, { topic: topics.decisions, codec: contracts.decisions, idOf }, id)
}

/** Likewise the alert that a decision called for. */
export function findAlert({ log, topics, contracts }: FindOptions, id: string): Promise<Alert | null> {
  const idOf = ({ alert_id }: Alert) => alert_id
  return find(log, topics.transactions, { topic: topics.alerts, codec: contracts.alerts, idOf }, id)
}

interface Output<T> {
  readonly topic: string
  readonly codec: Codec<T>
  readonly idOf: (value: T) => string
}

async function find<T>(
  log: FindOptions['log'],
  input: string,
  { topic, codec, idOf }: Output<T>,
  id: string,
): Promise<T | null> {
  const place = placeIn(id, input)
  if (place === null || place.partition >= (await log.partitions(topic))) return null
  const { partition, offset } = place
  return answerTo(log, { topic, partition }, offset, async (records) => {
    const checked = await codec.decode(records)
    return checked.flatMap((one) => {
      const answered = one.ok ? offsetIn(idOf(one.value), input, partition) : null
      return one.ok && answered !== null ? [{ offset: answered, value: one.value }] : []
    })
  })
}

function placeIn(id: string, topic: string): { partition: number; offset: number } | null {
  const [, partition, offset] = /-(0|[1-9]\d{0,4})-(0|[1-9]\d{0,15})$/.exec(id) ?? []
  if (partition === undefined || id !== `${topic}-${partition}-${offset}`) return null
  return { partition: Number(partition), offset: Number(offset) }
}

async function answerTo<T>(
  log: Pick<Log, 'bounds' | 'read'>,
  at: TopicPartition,
  offset: number,
  read: (records: readonly LogRecord[]) => Promise<readonly Answer<T>[]>,
): Promise<T | null> {
  const bounds = await log.bounds(at)
  const start = await startOf(bounds, offset, async (middle) => {
    for await (const records of log.read(at, middle, bounds.end)) {
      const [answer] = await read(records.slice(0, 1))
      return answer?.offset ?? null
    }
    return null
  })
  for await (const records of log.read(at, start, bounds.end)) {
    for (const answer of await read(records)) {
      if (answer.offset >= offset) return answer.offset === offset ? answer.value : null
    }
  }
  return null
}
