import { setTimeout as sleep } from 'node:timers/promises'
import { build } from 'hdr-histogram-js'
import type { Codec } from '../src/adapters/avro.ts'
import { createKafkaClient } from '../src/adapters/kafka-client.ts'
import { withConnection } from '../src/apps/connect.ts'
import { partitionOf } from '../src/core/partition.ts'
import type { NewRecord } from '../src/core/ports.ts'
import type { Transaction } from '../src/core/types.ts'
import type { Turn } from './arena.ts'
import type { Running } from './contestant.ts'
import type { BenchOptions } from './options.ts'
import { type Answer, withAnswers } from './outputs.ts'
import { payments } from './payments.ts'

export interface Latency {
  readonly p50_ms: number
  readonly p99_ms: number
  readonly p99_9_ms: number
  readonly max_ms: number
  readonly payments: number
}

const tickMs = 5
/** Of each run, before anything is counted. */
const warmUpSeconds = 5
const limitMs = 60_000
const lookEveryMs = 200
/** Nothing has come for so long: nothing will. */
const silenceMs = 10_000

/**
 * Sends payments at a fixed rate and takes the time until a read-committed consumer has the answer.
 *
 * A payment's `event_time` is the moment at which it was due, also when the sender itself was late: a contestant that
 * holds the sender up does not look faster for it.
 *
 * @returns null when the contestant cannot keep up: answers still come in when the time for them is over.
 * @throws Error when answers are missing and no more come in.
 */
export async function measureLatency(
  turn: Turn,
  running: Running,
  codec: Codec<Answer>,
  rate: number,
  options: BenchOptions,
): Promise<Latency | null> {
  const histogram = build({ highestTrackableValue: 10 * limitMs, numberOfSignificantValueDigits: 3 })
  const total = rate * (warmUpSeconds + options.seconds)
  let seen = 0
  let lastSeen = 0
  let countFrom = Number.POSITIVE_INFINITY
  const handle = (answers: readonly Answer[]) => {
    const now = Date.now()
    lastSeen = now
    for (const { event_time } of answers) {
      seen++
      if (event_time >= countFrom) histogram.recordValue(Math.max(0, now - event_time))
    }
  }
  await withAnswers(turn, { topic: turn.config.topics.decisions, codec }, handle, async ({ failed }) => {
    await Promise.race([running.failed, untilJoined(turn)])
    const began = Date.now()
    countFrom = began + warmUpSeconds * 1_000
    await Promise.race([running.failed, failed, sendEvenly(turn, payments(options, total), { began, rate })])
    for (const end = Date.now() + limitMs; seen < total && Date.now() < end; ) await sleep(20)
  })
  if (seen < total && Date.now() - lastSeen < silenceMs) return null
  if (seen !== total) throw new Error(`${turn.name}: ${seen} of ${total} payments were answered`)
  return {
    p50_ms: histogram.getValueAtPercentile(50),
    p99_ms: histogram.getValueAtPercentile(99),
    p99_9_ms: histogram.getValueAtPercentile(99.9),
    max_ms: histogram.maxValue,
    payments: histogram.totalCount,
  }
}

/** Until the contestant has its partitions: how long it takes to start is not asked here. */
async function untilJoined({ config, name }: Turn): Promise<void> {
  const admin = createKafkaClient({ brokers: config.kafka.brokers }, { retries: 12 }).admin()
  await admin.connect()
  try {
    for (const end = Date.now() + limitMs; ; await sleep(lookEveryMs)) {
      const [group] = (await admin.describeGroups([name])).groups
      if (group?.state === 'Stable') return
      if (Date.now() > end) throw new Error(`${name} has not joined its group within ${limitMs / 1_000} s`)
    }
  } finally {
    await admin.disconnect()
  }
}

async function sendEvenly(
  { config }: Turn,
  source: AsyncIterable<Transaction>,
  { began, rate }: { readonly began: number; readonly rate: number },
): Promise<void> {
  const { transactions: topic, partitions } = config.topics
  await withConnection(config, async ({ log, contracts }) => {
    let records: NewRecord[] = []
    let index = 0
    for await (const transaction of source) {
      const due = Math.floor(began + (index++ * 1_000) / rate)
      if (due > Date.now()) {
        if (records.length > 0) await log.append(records)
        records = []
        await sleep(Math.max(tickMs, due - Date.now()))
      }
      const key = transaction.customer_id
      const value = contracts.transactions.encode({ ...transaction, event_time: due })
      records.push({ topic, partition: partitionOf(key, partitions), key, value, timestamp: due })
    }
    await log.append(records)
  })
}
