/**
 * A straightforward TypeScript service: eachMessage of kafkajs, and for each payment one read and one write of Redis, one
 * run of the model and one send, each awaited. Features are computed by weir's own pure functions, so that they are the
 * same; what differs is how the parts are put together. States are not protected: what was written before a crash stays.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import avsc from 'avsc'
import { Redis } from 'ioredis'
import { Kafka, type Message } from 'kafkajs'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { type Part, readManifest } from '../../src/adapters/model-package.ts'
import { loadFeatures } from '../../src/config/definitions.ts'
import { interpolate } from '../../src/core/calibration.ts'
import { amountIn, enrich } from '../../src/core/enrich.ts'
import type { CompiledFeatures } from '../../src/core/features/compile.ts'
import { byEntity, fold } from '../../src/core/fold.ts'
import { type Arrival, partiesOf } from '../../src/core/parties.ts'
import { outcomeAt } from '../../src/core/thresholds.ts'
import type { Transaction } from '../../src/core/types.ts'
import type { PeerOptions } from '../peer-options.ts'

/** As in most services, the group's position moves by the clock. */
const commitEveryMs = 1_000

async function main(options: PeerOptions): Promise<void> {
  const { brokers, group, input, output, alerts, fetch, alertOn } = options
  const [payments, decisions, alerted] = ['transaction', 'decision', 'alert'].map((name) =>
    codec(options.schemas, `${name}.avsc`),
  ) as [Codec, Codec, Codec]
  const features = loadFeatures(options.features)
  const states = new States(new Redis(options.redis, { keyPrefix: `${group}:` }), features)
  const score = await openModel(options)
  const kafka = new Kafka({ brokers: [...brokers], clientId: group, logLevel: 1 })
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 })
  const consumer = kafka.consumer({ groupId: group, ...fetch })
  await Promise.all([producer.connect(), consumer.connect()])

  async function onPayment(partition: number, offset: number, value: Buffer): Promise<void> {
    const transaction = payments.read(value) as Transaction
    const vector = await states.advance({ partition, offset, transaction })
    const scored = await score(vector)
    const { event_time, customer_id, transaction_id } = transaction
    const decision = {
      ...options.decision,
      ...scored,
      decision_id: `${input}-${partition}-${offset}`,
      transaction_id,
      customer_id,
      event_time,
      status: 'scored',
      features: Buffer.from(vector.buffer),
    }
    const message = (bytes: Buffer): Message => ({ key: customer_id, value: bytes, partition })
    const sent = [{ topic: output, messages: [message(decisions.write(decision))] }]
    if (alertOn.includes(scored.outcome)) {
      const loss = scored.score * amountIn(features, transaction)
      const alert = { ...transaction, ...decision, alert_id: decision.decision_id, loss }
      sent.push({ topic: alerts, messages: [message(alerted.write(alert))] })
    }
    await producer.sendBatch({ topicMessages: sent })
  }

  await consumer.subscribe({ topics: [input], fromBeginning: true })
  await consumer.run({
    autoCommitInterval: commitEveryMs,
    eachMessage: ({ partition, message: { offset, value } }) =>
      onPayment(partition, Number(offset), value as Buffer),
  })
}

/** States of customers, merchants, terminals and devices in Redis. */
class States {
  readonly #store: Redis
  readonly #features: CompiledFeatures

  constructor(store: Redis, features: CompiledFeatures) {
    this.#store = store
    this.#features = features
  }

  /** Adds a payment to the states it belongs to: one MGET, one MSET. @returns its features. */
  async advance(arrival: Arrival): Promise<Float32Array> {
    const features = this.#features
    const parties = partiesOf([arrival], features.kinds)
    const keys = parties.entities.flat().map(({ key }) => key)
    const customer = arrival.transaction.customer_id
    const [ofCustomer = null, ...ofEntities] = await this.#store.mgetBuffer(customer, ...keys)
    const past = new Map(keys.map((key, i) => [key, ofEntities[i] ?? null]))
    const found = enrich(
      [arrival],
      {
        customers: new Map([[customer, ofCustomer]]),
        entities: new Map([...past].map(([key, packed]) => [key, { packed, ageMs: 0 }])),
      },
      features,
      Number.POSITIVE_INFINITY,
      parties,
    )
    await this.#store.mset(new Map([...found.states, ...fold(byEntity([found]), past, features)]))
    return found.rows
  }
}

/** Score, risk score and outcome of one row. */
async function openModel({ package: folder, graph, thresholds }: PeerOptions) {
  const { manifest } = await readManifest(folder)
  const [{ input, output, calibration }] = manifest.parts as [Part]
  const session = await InferenceSession.create(graph, { intraOpNumThreads: 1, interOpNumThreads: 1 })
  return async (vector: Float32Array) => {
    const feeds = { [input.name]: new Tensor('float32', vector, [1, vector.length]) }
    const found = (await session.run(feeds, [output.name]))[output.name]?.data as Float32Array
    const score = interpolate(calibration, found[output.column] as number)
    const risk_score = Math.floor(interpolate(manifest.score_map, score) + 0.5)
    return { score, risk_score, outcome: outcomeAt(thresholds, risk_score) }
  }
}

interface Codec {
  read(value: Buffer): unknown
  write(record: object): Buffer
}

/** Avro in Confluent wire format by avsc; what a record does not have gets the schema's default. */
function codec(folder: string, file: string): Codec {
  const ids = JSON.parse(readFileSync(join(folder, 'ids.json'), 'utf8')) as Record<string, string>
  const [id] = Object.entries(ids).find(([, name]) => name === file) as [string, string]
  const head = Buffer.alloc(5)
  head.writeInt32BE(Number(id), 1)
  const type = avsc.Type.forSchema(JSON.parse(readFileSync(join(folder, file), 'utf8')))
  return {
    read(value) {
      if (!value.subarray(0, 5).equals(head)) throw new Error('a record of another schema')
      return type.fromBuffer(value.subarray(5))
    },
    write: (record) => Buffer.concat([head, type.toBuffer(record)]),
  }
}

await main(JSON.parse(process.argv[2] as string) as PeerOptions)
