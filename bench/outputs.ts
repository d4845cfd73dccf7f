import type { Codec } from '../src/adapters/avro.ts'
import { openContracts, openKafka } from '../src/apps/connect.ts'
import type { LogRecord, Subscription } from '../src/core/ports.ts'
import type { Decision, Transaction } from '../src/core/types.ts'
import type { Turn } from './arena.ts'
import type { Comparison } from './comparison.ts'

/** The output of a turn, as a read-committed consumer outside of it finds it. */
export interface Outputs {
  readonly records: number
  /** Mean number of records that a transaction wrote to a partition; 1 where there were no transactions. */
  readonly batch: number
}

/** Anything that names its payment: a decision, or a payment passed on. */
export type Answer = Pick<Transaction, 'transaction_id' | 'event_time'> &
  Partial<Pick<Decision, 'features' | 'score' | 'outcome'>>

/**
 * Reads all that was committed.
 *
 * @param comparison gets the answers, where they are decisions.
 * @throws Error unless every payment of the backlog was answered once, and every one that calls for an alert has one.
 */
export async function checkOutputs(
  turn: Turn,
  codec: Codec<Answer>,
  events: number,
  comparison: Comparison | null,
): Promise<Outputs> {
  const { config, name } = turn
  const answered = new Set<string>()
  let records = 0
  let ends = 0
  await withAnswers(
    turn,
    { topic: config.topics.decisions, codec },
    (answers) => {
      for (const answer of answers) {
        answered.add(answer.transaction_id)
        comparison?.add(answer)
      }
      records += answers.length
    },
    async ({ subscription, failed, log }) => {
      await Promise.race([subscription.idle(), failed])
      for (let partition = 0; partition < config.topics.partitions; partition++) {
        ends += (await log.bounds({ topic: config.topics.decisions, partition })).end
      }
    },
  )
  if (records !== events || answered.size !== events) {
    throw new Error(`${name} answered ${answered.size} of ${events} payments in ${records} records`)
  }
  if (comparison !== null) await checkAlerts(turn, comparison.alerted)
  // In each partition that a transaction wrote to, one offset is its marker's.
  return { records, batch: ends === records ? 1 : records / (ends - records) }
}

async function checkAlerts(turn: Turn, due: ReadonlySet<string>): Promise<void> {
  const codec = (await openContracts(turn.config)).alerts
  const found: string[] = []
  await withAnswers(
    turn,
    { topic: turn.config.topics.alerts, codec },
    (alerts) => found.push(...alerts.map(({ transaction_id }) => transaction_id)),
    ({ subscription, failed }) => Promise.race([subscription.idle(), failed]),
  )
  const ids = new Set(found)
  if (found.length === due.size && ids.size === due.size && found.every((id) => due.has(id))) return
  throw new Error(`${turn.name} wrote ${found.length} alerts, its decisions call for ${due.size}`)
}

interface Reading {
  readonly subscription: Subscription
  readonly log: ReturnType<typeof openKafka>
  /** Rejects when a record is not what the contestant has to write. */
  readonly failed: Promise<never>
}

/** Follows an output of a turn, committed records only, while `use` runs. */
export async function withAnswers<T>(
  { config, name }: Turn,
  { topic, codec }: { readonly topic: string; readonly codec: Codec<Answer> },
  handle: (answers: readonly Answer[]) => void,
  use: (reading: Reading) => Promise<T>,
): Promise<T> {
  const { promise: failed, reject } = Promise.withResolvers<never>()
  failed.catch(() => {})
  const log = openKafka(config, {
    onEvent(event) {
      if (event.type === 'run-rejected') reject(event.error)
    },
  })
  try {
    const subscription = await log.subscribe(`${name}.check.${topic}`, [topic], {
      onAssigned() {},
      async onRun({ records }) {
        handle(await read(codec, records))
        return (records.at(-1) as LogRecord).offset + 1
      },
    })
    return await use({ subscription, log, failed })
  } finally {
    await log.close()
  }
}

async function read(codec: Codec<Answer>, records: readonly LogRecord[]): Promise<Answer[]> {
  return (await codec.decode(records)).map((one) => {
    if (!one.ok) throw new Error(one.rejection.message)
    return one.value
  })
}
