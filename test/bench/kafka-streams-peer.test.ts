import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Arena, createTopics, openArena, prepareTurn, type Turn } from '../../bench/arena.ts'
import { buildKafkaStreams, kafkaStreams } from '../../bench/kafka-streams.ts'
import { payments } from '../../bench/payments.ts'
import { peerOptions } from '../../bench/peer-options.ts'
import { type Reference, referenceFor } from '../../bench/reference.ts'
import { withConnection } from '../../src/apps/connect.ts'
import { partitionOf } from '../../src/core/partition.ts'
import type { LogRecord, NewRecord } from '../../src/core/ports.ts'
import type { Decision, Transaction } from '../../src/core/types.ts'
import { guard } from '../helpers/services-guard.ts'

const canBuild = ['java', 'mvn'].every((program) => spawnSync(program, ['-version']).error === undefined)
if (!canBuild) console.warn('there is no Java or no Maven: the Kafka Streams contestant is not compared')

/** Few customers and all devices: events that outlast a day, full memories, shared devices. */
const stream = { file: undefined, map: undefined, seed: 7, customers: 60 }

let arena: Arena
/** For what a process that is killed cannot delete. */
let folder: string
beforeAll(async () => {
  if (!canBuild) return
  await buildKafkaStreams()
  arena = await openArena()
  folder = mkdtempSync(join(tmpdir(), 'weir-kafka-streams-test-'))
})
afterAll(async () => {
  if (!canBuild) return
  await arena.stop()
  rmSync(folder, { recursive: true })
})

test.skipIf(!canBuild)('in one batch all features and scores are those of weir', async () => {
  const events = 3_000
  const turn = await prepare('one-batch', { batch: events, partitions: 1 })
  const reference = await referenceFor(turn.config, payments(stream, events))
  await write(turn, await taken(events))
  // Longer than it takes, and less than the 10 s that Kafka Streams gives a transaction.
  const peer = await startPeer(turn, 9_000)
  const decisions = await decided(turn, events)
  await stop(peer, 'SIGTERM')
  expect(differing(decisions, reference, reference.features.names)).toEqual([])
  for (const { transaction_id, score } of decisions) {
    expect(score).toBeCloseTo(reference.seen.get(transaction_id)?.score as number, 6)
  }
})

test.skipIf(!canBuild)(
  'killed in the middle it answers everything once, with the states of before',
  async () => {
    const events = 20_000
    const turn = await prepare('killed', { batch: 300, partitions: 4 })
    const reference = await referenceFor(turn.config, payments(stream, events))
    const all = await taken(events)
    const retried = all.slice(-20)
    await write(turn, all)
    const killed = await startPeer(turn, 100)
    await expect.poll(() => endOf(turn), { timeout: 60_000 }).toBeGreaterThan(events / 4)
    await stop(killed, 'SIGKILL')
    expect(await endOf(turn)).toBeLessThan(events)
    await write(turn, retried)
    const peer = await startPeer(turn, 100)
    const decisions = await decided(turn, events + retried.length)
    await stop(peer, 'SIGTERM')
    expect(new Set(decisions.map(({ decision_id }) => decision_id)).size).toBe(events + retried.length)
    const scored = decisions.filter(({ status }) => status === 'scored')
    expect(new Set(scored.map(({ transaction_id }) => transaction_id)).size).toBe(events)
    const { names, entityColumns } = reference.features
    const shared = new Set(entityColumns.flat().map(({ at }) => names[at]))
    const ofCustomer = names.filter((name) => !shared.has(name))
    expect(differing(scored, reference, ofCustomer)).toEqual([])
    const ids = new Map(scored.map(({ transaction_id, decision_id }) => [transaction_id, decision_id]))
    const duplicates = decisions.filter(({ status }) => status === 'duplicate')
    expect(duplicates.length).toBe(retried.length)
    for (const { transaction_id, duplicate_of } of duplicates)
      expect(duplicate_of).toBe(ids.get(transaction_id))
  },
)

async function prepare(name: string, sizes: { batch: number; partitions: number }): Promise<Turn> {
  const turn = prepareTurn(arena, sizes, { name, input: `${name}.payments`, httpPort: 1 })
  await createTopics(turn)
  return turn
}

async function taken(events: number): Promise<Transaction[]> {
  const all: Transaction[] = []
  for await (const one of payments(stream, events)) all.push(one)
  return all
}

async function write({ config }: Turn, transactions: readonly Transaction[]): Promise<void> {
  const { transactions: topic, partitions } = config.topics
  await withConnection(config, async ({ log, contracts }) => {
    const records = transactions.map((transaction): NewRecord => {
      const key = transaction.customer_id
      const value = contracts.transactions.encode(transaction)
      return { topic, partition: partitionOf(key, partitions), key, value, timestamp: transaction.event_time }
    })
    await log.append(records)
  })
}

interface Peer {
  readonly child: ChildProcess
  readonly unguard: () => Promise<void>
}

async function startPeer(turn: Turn, commitMs: number): Promise<Peer> {
  const [program, ...args] = kafkaStreams() as [string, ...string[]]
  const options = JSON.stringify(await peerOptions(turn, { commitMs, waitMs: 100 }))
  const child = spawn(program, [`-Djava.io.tmpdir=${folder}`, ...args, options], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  return { child, unguard: guard('kill -9 "$1"', String(child.pid)) }
}

async function stop({ child, unguard }: Peer, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  const exited = once(child, 'exit')
  child.kill(signal)
  await exited
  await unguard()
}

/** Offsets behind the last record of decisions, over all partitions; an offset that is no decision is a marker. */
async function endOf({ config }: Turn): Promise<number> {
  return withConnection(config, async ({ log }) => {
    let end = 0
    for (let partition = 0; partition < config.topics.partitions; partition++) {
      end += (await log.bounds({ topic: config.topics.decisions, partition })).end
    }
    return end
  })
}

/** All committed decisions, once there are so many. */
async function decided(turn: Turn, wanted: number): Promise<Decision[]> {
  let decisions: Decision[] = []
  const count = async () => {
    decisions = await decisionsOf(turn)
    return decisions.length
  }
  await expect.poll(count, { timeout: 100_000, interval: 1_000 }).toBeGreaterThanOrEqual(wanted)
  return decisions
}

let readers = 0

async function decisionsOf({ config, name }: Turn): Promise<Decision[]> {
  return withConnection(config, async ({ log, contracts }) => {
    const decisions: Decision[] = []
    const subscription = await log.subscribe(`${name}.reader-${readers++}`, [config.topics.decisions], {
      onAssigned() {},
      async onRun({ records }) {
        for (const one of await contracts.decisions.decode(records)) if (one.ok) decisions.push(one.value)
        return (records.at(-1) as LogRecord).offset + 1
      },
    })
    await subscription.idle()
    return decisions
  })
}

/** The first values that are not weir's, in words. */
function differing(
  decisions: readonly Decision[],
  { seen, features }: Reference,
  columns: readonly string[],
): string[] {
  const found: string[] = []
  for (const { transaction_id, features: theirs } of decisions) {
    const ours = seen.get(transaction_id)?.features as Buffer
    for (const name of columns) {
      const at = features.names.indexOf(name) * 4
      const [their, our] = [theirs.readFloatLE(at), ours.readFloatLE(at)]
      // Java's sines and logarithms are JavaScript's to the last bit of a float32.
      if (Object.is(their, our) || their === our) continue
      found.push(`${transaction_id} has ${name} ${their}, of weir ${our}`)
    }
  }
  return found.slice(0, 10)
}
