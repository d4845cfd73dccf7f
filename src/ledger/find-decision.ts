import type { Codec } from '../adapters/avro.ts'
import type { Contracts } from '../adapters/avro-contracts.ts'
import type { Config } from '../config/schema.ts'
import { offsetIn } from '../core/decide.ts'
import type { Log, LogRecord, TopicPartition } from '../core/ports.ts'
import type { Alert, Decision } from '../core/types.ts'
import { type Answer, startOf } from '../replay/answers.ts'

export interface FoundDecision {
  readonly decision: Decision
  /** The one that the decision called for. */
  readonly alert: Alert | null
}

export interface FindOptions {
  readonly log: Pick<Log, 'bounds' | 'read' | 'partitions'>
  readonly topics: Pick<Config['topics'], 'transactions' | 'decisions' | 'alerts'>
  readonly contracts: Pick<Contracts, 'decisions' | 'alerts'>
}

/**
 * A decision as it lies on its topic, and its alert. The id says partition and offset of the payment, and answers lie in
 * the order of what they answer: a search in halves, then some thousand records.
 *
 * @returns null where no decision has this id, or retention has taken it.
 */
export async function findDecision(options: FindOptions, id: string): Promise<FoundDecision | null> {
  const { log, topics, contracts } = options
  const place = placeIn(id, topics.transactions)
  if (place === null || place.partition >= (await log.partitions(topics.decisions))) return null
  const find = <T>(topic: string, codec: Codec<T>, idOf: (value: T) => string) =>
    answerTo(log, { topic, partition: place.partition }, place.offset, async (records) => {
      const checked = await codec.decode(records)
      return checked.flatMap((one) => {
        const offset = one.ok ? offsetIn(idOf(one.value), topics.transactions, place.partition) : null
        return one.ok && offset !== null ? [{ offset, value: one.value }] : []
      })
    })
  const decision = await find(topics.decisions, contracts.decisions, ({ decision_id }) => decision_id)
  if (decision === null) return null
  return { decision, alert: await find(topics.alerts, contracts.alerts, ({ alert_id }) => alert_id) }
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
