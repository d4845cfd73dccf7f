/**
 * A straightforward TypeScript service: eachMessage of kafkajs, and for each payment one read and one write of Redis, one
 * run of the model and one send, each awaited. Features are computed by weir's own functions, so that they are the same;
 * what differs is how the parts are put together. States are not protected: a crash leaves payments in them twice.
 */
import { Redis } from 'ioredis'
import { Kafka, type Message } from 'kafkajs'
import { loadActiveSet } from '../../src/apps/active-set.ts'
import { openContracts } from '../../src/apps/connect.ts'
import { loadConfig } from '../../src/config/load.ts'
import { type ActiveSet, type Chunk, decide } from '../../src/core/decide.ts'
import { byEntity, fold } from '../../src/core/fold.ts'
import { type Arrival, entityIds, entityKey } from '../../src/core/parties.ts'
import type { LogRecord } from '../../src/core/ports.ts'
import { entityKinds, type Transaction } from '../../src/core/types.ts'
import type { PeerOptions } from '../peer-options.ts'

/** As most services: the group's position moves by the clock. */
const commitEveryMs = 1_000

async function main(options: PeerOptions): Promise<void> {
  const { brokers, group, input, output, alerts, fetch } = options
  const { config } = loadConfig()
  const active = await loadActiveSet(config, () => {})
  const codecs = await openContracts(config)
  const store = new Redis(options.redis, { keyPrefix: `${group}:` })
  const kafka = new Kafka({ brokers: [...brokers], clientId: group, logLevel: 1 })
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 })
  const consumer = kafka.consumer({ groupId: group, ...fetch })
  await Promise.all([producer.connect(), consumer.connect()])

  async function onPayment(partition: number, record: LogRecord): Promise<void> {
    const [read] = await codecs.transactions.decode([record])
    if (read?.ok !== true) throw new Error(`a payment cannot be read: ${read?.rejection.message}`)
    const transaction = read.value
    const arrival = { partition, offset: record.offset, transaction }
    const { decision, alert } = await answer(store, { topic: input, arrivals: [arrival] }, active)
    const message = (value: Buffer): Message => ({ key: transaction.customer_id, value, partition })
    const sent = [{ topic: output, messages: [message(codecs.decisions.encode(decision))] }]
    if (alert !== undefined) sent.push({ topic: alerts, messages: [message(codecs.alerts.encode(alert))] })
    await producer.sendBatch({ topicMessages: sent })
  }

  await consumer.subscribe({ topics: [input], fromBeginning: true })
  await consumer.run({
    autoCommitInterval: commitEveryMs,
    async eachMessage({ partition, message: { key, value, offset, timestamp } }) {
      const place = { offset: Number(offset), timestamp: Number(timestamp) }
      await onPayment(partition, { key, value, headers: {}, ...place })
    },
  })
}

/** One MGET, one decision, one MSET. */
async function answer(store: Redis, chunk: Chunk, active: ActiveSet) {
  const [{ transaction }] = chunk.arrivals as [Arrival]
  const entities = entityKeys(transaction)
  const [ofCustomer = null, ...ofEntities] = await store.mgetBuffer(transaction.customer_id, ...entities)
  const past = new Map(entities.map((key, i) => [key, ofEntities[i] ?? null]))
  const found = await decide(
    chunk,
    {
      customers: new Map([[transaction.customer_id, ofCustomer]]),
      entities: new Map(entities.map((key, i) => [key, { packed: ofEntities[i] ?? null, ageMs: 0 }])),
    },
    active,
  )
  const [decision] = found.decisions
  if (decision === undefined) throw found.modelFailure ?? new Error('no decision was made')
  await store.mset(new Map([...found.states, ...fold(byEntity([found]), past, active.features)]))
  return { decision, alert: found.alerts[0] }
}

const entityKeys = (transaction: Transaction): string[] =>
  entityIds(transaction).flatMap((id, i) => (id === null ? [] : [entityKey(entityKinds[i] as never, id)]))

await main(JSON.parse(process.argv[2] as string) as PeerOptions)
