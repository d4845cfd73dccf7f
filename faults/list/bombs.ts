import { setTimeout as sleep } from 'node:timers/promises'
import { type Connection, withConnection } from '../../src/apps/connect.ts'
import type { Config } from '../../src/config/schema.ts'
import { partitionOf } from '../../src/core/partition.ts'
import type { NewRecord } from '../../src/core/ports.ts'
import type { Transaction } from '../../src/core/types.ts'
import { generate } from '../../src/generator/generate.ts'
import { inBackground } from '../background.ts'
import { type BombCodec, type Crowd, bombs as codecs, crowds, sendBomb, sendCrowd } from '../bombs.ts'
import { Breaches, type Fault } from '../fault.ts'
import { MemberProcess } from '../member-process.ts'
import { Poison } from '../poison.ts'
import { openScene, say } from '../scene.ts'
import { CommittedLog } from '../verifier/committed-log.ts'
import { plainAvro } from '../verifier/plain-avro.ts'
import { asInProduction, joined, Watch } from '../watch.ts'

/** Nothing but poison comes here. */
const poisoned = 0
const healthy = 1
/** Poisoned records around each bomb, for each input topic. */
const around = 50

export const bombs: Fault = {
  name: 'bombs',
  promise:
    'batches that unpack to gigabytes or to more than 100,000 records in a partition of nothing but poison, and array bombs in all inputs, are answered record by record, while the partition beside decides',
  times: { whole: 200, short: 8 },
  async run({ seed, times }) {
    const scene = await openScene({
      // A Snappy batch packs 20 bytes into one.
      kafka: { 'message.max.bytes': '8388608' },
      env: { ...asInProduction, WEIR_TOPICS__PARTITIONS: '2' },
    })
    const { config } = scene
    const member = new MemberProcess(scene.env)
    try {
      return await withConnection(config, async (connection) => {
        await joined([member])
        const feed = startHealthyFeed(connection, config, seed)
        await Promise.race([feed.ahead, sleep(60_000, undefined, { ref: false })])
        await sleep(10_000)
        const watch = new Watch([member])
        await sleep(11_000)
        watch.takeLevel()
        const sent = await explode(connection, config, seed, times)
        await sleep(11_000)
        const payments = await feed.stop()
        const breaches = new Breaches()
        await answered(config, sent, payments, breaches)
        const memory = watch.end(breaches)
        await member.stop()
        return {
          injected: times,
          verdict: null,
          figures: { ...memory, ...sent, payments },
          breaches: breaches.all,
        }
      })
    } finally {
      await member.stop()
      await scene.stop()
    }
  },
}

/** Records that were sent to each input: those of transactions all to the poisoned partition. */
interface Sent {
  readonly poisoned_transactions: number
  readonly poisoned_labels: number
  readonly poisoned_updates: number
}

async function explode(
  { log, contracts }: Connection,
  config: Config,
  seed: number,
  times: number,
): Promise<Sent> {
  const poison = new Poison(config, contracts, seed)
  const { transactions, labels, entity_updates } = config.topics
  const names = [...Object.keys(codecs), ...Object.keys(crowds)] as (BombCodec | Crowd)[]
  let sent = 0
  const [broker = ''] = config.kafka.brokers
  const spread = async () => {
    for (let sent = 0; sent < around; sent++) {
      const record = { ...poison.next(), partition: poisoned }
      await log.append([record, poison.aside(labels, sent % 2), poison.aside(entity_updates, sent % 2)])
    }
  }
  await spread()
  for (let i = 0; i < times; i++) {
    const name = names[i % names.length] as BombCodec | Crowd
    const send = name in crowds ? sendCrowd : sendBomb
    await send(broker, transactions, poisoned, name as BombCodec & Crowd)
    sent += name in crowds ? crowds[name as Crowd].records : 1
    await spread()
    say(`  ${i + 1} of ${times} bombs`)
  }
  const each = (times + 1) * around
  return { poisoned_transactions: each + sent, poisoned_labels: each, poisoned_updates: each }
}

/** Valid records that come as fast as bombs of many do: memory follows the rate, whatever the records are. */
const sentAhead = 60_000
const sentAtOnce = 500

/** Payments of customers of the healthy partition, some 50 a second after those that come ahead. */
function startHealthyFeed(
  { log, contracts }: Connection,
  config: Config,
  seed: number,
): { readonly ahead: Promise<void>; stop(): Promise<number> } {
  let sent = 0
  const ahead = Promise.withResolvers<void>()
  const feed = inBackground(
    async (isStopped) => {
      let batch: NewRecord[] = []
      for (const item of generate({ seed, events: Number.MAX_SAFE_INTEGER, customers: 600, merchants: 60 })) {
        if (isStopped()) break
        if (item.kind !== 'transaction') continue
        const key = item.transaction.customer_id
        if (partitionOf(key, config.topics.partitions) !== healthy) continue
        const value = contracts.transactions.encode(item.transaction)
        batch.push({
          topic: config.topics.transactions,
          partition: healthy,
          key,
          value,
          timestamp: item.time,
        })
        if (sent < sentAhead && batch.length < sentAtOnce) continue
        await log.append(batch)
        sent += batch.length
        batch = []
        if (sent < sentAhead) continue
        ahead.resolve()
        await sleep(20)
      }
    },
    () => sent,
  )
  return { ahead: ahead.promise, stop: feed.stop }
}

const decisions = plainAvro<{ decision_id: string; status: string } & Pick<Transaction, 'customer_id'>>(
  'decision.avsc',
)

/** Every record that was sent is answered once, by a decision or a dead letter with a code. */
async function answered(config: Config, sent: Sent, payments: number, breaches: Breaches): Promise<void> {
  const { transactions, labels, entity_updates } = config.topics
  const wanted = [
    [`${transactions}-${poisoned}`, sent.poisoned_transactions],
    [`${transactions}-${healthy}`, payments],
    [`${labels}-0`, sent.poisoned_labels / 2],
    [`${labels}-1`, sent.poisoned_labels / 2],
    [entity_updates, sent.poisoned_updates],
  ] as const
  const nameOf = (input: string) => (input.startsWith(entity_updates) ? entity_updates : input)
  let counts = new Map<string, number>()
  for (let tries = 0; tries < 120; tries++) {
    const answers = await answersOf(config)
    counts = new Map()
    for (const [input, times] of answers.byRecord) {
      const name = nameOf(input.slice(0, input.lastIndexOf('-')))
      counts.set(name, (counts.get(name) ?? 0) + 1)
      if (times > 1) breaches.must(false, `${input} was answered ${times} times`)
    }
    if (breaches.all.length > 0) return
    if (wanted.every(([name, count]) => (counts.get(name) ?? 0) >= count)) {
      breaches.must(answers.withoutCode === 0, `${answers.withoutCode} dead letters without a code`)
      breaches.must(answers.degraded === 0, `${answers.degraded} decisions were degraded`)
      break
    }
    await sleep(1_000)
  }
  for (const [name, count] of wanted) {
    breaches.must(
      counts.get(name) === count,
      `${counts.get(name) ?? 0} of ${count} records of ${name} were answered`,
    )
  }
}

async function answersOf(config: Config) {
  const log = new CommittedLog(config.kafka.brokers)
  try {
    const byRecord = new Map<string, number>()
    const add = (name: string) => byRecord.set(name, (byRecord.get(name) ?? 0) + 1)
    let [withoutCode, degraded] = [0, 0]
    for (const { value } of (await log.read(config.topics.decisions)).partitions.flat()) {
      const { decision_id, status } = decisions.read(value)
      add(decision_id)
      if (status === 'degraded') degraded++
    }
    for (const { headers } of (await log.read(config.topics.dead_letters)).partitions.flat()) {
      const [topic, partition, offset] = ['topic', 'partition', 'offset'].map(
        (name) => headers[`__connect.errors.${name}`],
      )
      add(`${topic}-${partition}-${offset}`)
      if (!headers['weir-reason']?.startsWith('WEIR_RECORD_')) withoutCode++
    }
    return { byRecord, withoutCode, degraded }
  } finally {
    await log.close()
  }
}
