import { createRequire } from 'node:module'
import { Kafka, type KafkaConfig, logLevel, type RetryOptions, type SASLOptions } from 'kafkajs'
import { WeirError } from '../core/errors.ts'
import { decompressors, guardBatches } from './kafka-compression.ts'
import { encodeRecord } from './kafka-records.ts'

export type {
  Admin,
  Consumer,
  EachBatchPayload,
  KafkaMessage,
  Message,
  Producer,
  TopicMessages,
} from 'kafkajs'

export interface KafkaClientOptions {
  /** `host:port` of the brokers to ask first. */
  readonly brokers: readonly string[]
  /** Name in the brokers' logs and quotas. Default `weir`. */
  readonly clientId?: string
  /** PEM texts; `true` trusts the system's authorities. Absent: no TLS. */
  readonly tls?: true | { readonly ca?: string; readonly cert?: string; readonly key?: string }
  readonly sasl?: {
    readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'
    readonly username: string
    readonly password: string
  }
  /** Where the client's own warnings and errors go. Default: nowhere. */
  readonly logger?: KafkaLogger
}

export type KafkaLogger = (level: 'error' | 'warn' | 'info', message: string, details: object) => void

/**
 * A client of its own. Not shared between consumers and producers: clients cache committed offsets by group, and
 * `retry` governs every step of theirs, the start of a transaction included.
 */
export function createKafkaClient(options: KafkaClientOptions, retry: RetryOptions): Kafka {
  const { brokers, clientId = 'weir', tls, sasl, logger } = options
  const config: KafkaConfig = {
    brokers: [...brokers],
    clientId,
    retry,
    connectionTimeout: 5_000,
    requestTimeout: 15_000,
    logLevel: logger === undefined ? logLevel.NOTHING : logLevel.WARN,
    logCreator: () => (entry) => {
      const { message, timestamp, logger: _, ...details } = entry.log
      logger?.(entry.level === logLevel.ERROR ? 'error' : 'warn', message, details)
    },
  }
  if (tls !== undefined) config.ssl = tls
  if (sasl !== undefined) config.sasl = sasl as SASLOptions
  return new Kafka(config)
}

const fencedTypes = new Set(['INVALID_PRODUCER_EPOCH', 'PRODUCER_FENCED', 'INVALID_PRODUCER_ID_MAPPING'])

const deniedTypes: ReadonlySet<unknown> = new Set([
  'TOPIC_AUTHORIZATION_FAILED',
  'GROUP_AUTHORIZATION_FAILED',
  'TRANSACTIONAL_ID_AUTHORIZATION_FAILED',
  'CLUSTER_AUTHORIZATION_FAILED',
])

/** Any failure of the client as one of ours: fenced, no such topic, denied, or (retriable) unavailable. */
export function asLogError(error: unknown, doing: string): WeirError {
  if (error instanceof WeirError) return error
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const { type } = cause as { type?: string }
    // 90 is PRODUCER_FENCED, which the client does not know by name.
    if (fencedTypes.has(type ?? '') || cause.message === 'Unknown error code 90') {
      return new WeirError('WEIR_LOG_FENCED', `Another writer took over while ${doing}.`, { cause: error })
    }
    if (type === 'UNKNOWN_TOPIC_OR_PARTITION') {
      return new WeirError('WEIR_LOG_TOPIC', `A topic is missing while ${doing}.`, {
        cure: 'Create the topics: weir topics create.',
        cause: error,
      })
    }
    if (deniedTypes.has(type)) {
      return new WeirError('WEIR_LOG_DENIED', `Kafka denied it while ${doing}: ${cause.message} (${type})`, {
        cure: 'Give the user of kafka.sasl or kafka.tls the ACLs of docs/security.md.',
        cause: error,
      })
    }
    if (cause.name === 'KafkaJSSASLAuthenticationError') {
      return new WeirError('WEIR_LOG_DENIED', `Kafka refused the login while ${doing}: ${cause.message}`, {
        cure: 'Check mechanism, username and password of kafka.sasl.',
        cause: error,
      })
    }
  }
  const why = error instanceof Error ? error.message : String(error)
  return new WeirError('WEIR_LOG_UNAVAILABLE', `Kafka failed while ${doing}: ${why}`, {
    cure: 'Check that the brokers run and that kafka.brokers, kafka.tls and kafka.sasl are theirs.',
    retriable: true,
    cause: error,
  })
}

/** True where the error, or what caused it, is of this protocol error type. */
export function isErrorType(error: unknown, wanted: string): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if ((cause as { type?: string }).type === wanted) return true
  }
  return false
}

const require = createRequire(import.meta.url)

/**
 * kafkajs 2.2.4 asks for its queue to be checked again even when it is empty, after the negative time
 * `throttledUntil - now`. Node makes 1 ms of that (Node 24 warns too), so each connection wakes up 1,000 times a
 * second for ever: https://github.com/tulios/kafkajs/issues/1751. An empty queue needs no check: the next
 * request looks for itself.
 */
function patchRequestQueue(): void {
  const { prototype } = require('kafkajs/src/network/requestQueue/index.js')
  const schedule = prototype.scheduleCheckPendingRequests
  prototype.scheduleCheckPendingRequests = function (this: { pending: unknown[] }): void {
    if (this.pending.length > 0) schedule.call(this)
  }
}

/** What the patch below touches of the consumer's offset manager. */
interface OffsetManager {
  cluster: { fetchTopicsOffset(topics: object[]): Promise<{ partitions: { offset: string }[] }[]> }
  resolveOffset(at: { topic: string; partition: number; offset: string }): void
}

/**
 * Where the log no longer holds the offset asked for, kafkajs commits the position "earliest" for the group, even
 * with autoCommit off. The group's position is ours and moves in transactions only: read on from the first
 * record, which the run's `from` shows, and commit nothing.
 */
function patchOffsetReset(): void {
  const { prototype } = require('kafkajs/src/consumer/offsetManager/index.js')
  prototype.setDefaultOffset = async function (
    this: OffsetManager,
    { topic, partition }: { topic: string; partition: number },
  ): Promise<void> {
    const asked = { topic, partitions: [{ partition }], fromBeginning: true }
    const [found] = await this.cluster.fetchTopicsOffset([asked])
    const first = BigInt(found?.partitions[0]?.offset ?? 0)
    this.resolveOffset({ topic, partition, offset: String(first - 1n) })
  }
}

/** What the patch below touches of a fetched partition. */
interface Fetched {
  abortedTransactions: { readonly producerId: string; readonly firstOffset: string }[] | null
  readonly messages: {
    readonly offset: string
    readonly batchContext: { readonly producerId: string; readonly inTransaction: boolean }
    isControlRecord: boolean
  }[]
}

/**
 * A fetch lists the aborted transactions in the order in which they ended. kafkajs takes them for ordered by their
 * beginning, and begins one a message at most: where transactions of several writers lie between each other, it shows
 * records of aborted ones. Marked as control records they count as read and reach nobody.
 */
function hideAborted(fetched: Fetched): void {
  const coming = (fetched.abortedTransactions ?? [])
    .map(({ producerId, firstOffset }) => ({ producerId, first: BigInt(firstOffset) }))
    .sort((a, b) => (a.first < b.first ? -1 : 1))
  fetched.abortedTransactions = []
  if (coming.length === 0) return
  const open = new Set<string>()
  for (const message of fetched.messages) {
    const { producerId, inTransaction } = message.batchContext
    const offset = BigInt(message.offset)
    for (let next = coming[0]; next !== undefined && next.first <= offset; next = coming[0]) {
      open.add(next.producerId)
      coming.shift()
    }
    if (message.isControlRecord) open.delete(producerId)
    else if (inTransaction && open.has(producerId)) message.isControlRecord = true
  }
}

function patchAbortedTransactions(): void {
  const { prototype } = require('kafkajs/src/broker/index.js')
  const fetch: (request: object) => Promise<{ responses: { partitions: Fetched[] }[] }> = prototype.fetch
  prototype.fetch = async function (request: object) {
    const response = await fetch.call(this, request)
    for (const { partitions } of response.responses) partitions.forEach(hideAborted)
    return response
  }
}

/** kafkajs loads the requests of a version, and with them this encoder, when a broker is first spoken to. */
function patchRecordEncoder(): void {
  const path = require.resolve('kafkajs/src/protocol/recordBatch/record/v0/index.js')
  require(path)
  ;(require.cache[path] as NodeJS.Module).exports = encodeRecord
}

/** What the patch below touches of kafkajs's Encoder. */
interface Encoder {
  buf: Buffer
  readonly offset: number
}

/** kafkajs zeroes what it then writes over, several MiB a chunk of 2,000. */
function patchEncoderGrowth(): void {
  const { prototype } = require('kafkajs/src/protocol/encoder.js')
  prototype.ensureAvailable = function (this: Encoder, length: number): void {
    const needed = this.offset + length
    if (needed <= this.buf.length) return
    const grown = Buffer.allocUnsafe(Math.max(needed, 2 * this.buf.length))
    this.buf.copy(grown, 0, 0, this.offset)
    this.buf = grown
  }
}

/** kafkajs reads gzip only, without a limit, and loads the batch decoder when the first fetch is answered. */
function patchDecompression(): void {
  // By require: Node does not see this one among the names that the package exports.
  const { CompressionCodecs } = require('kafkajs')
  for (const [codec, decompress] of Object.entries(decompressors)) {
    CompressionCodecs[codec] = () => ({ decompress })
  }
  const path = require.resolve('kafkajs/src/protocol/recordBatch/v0/decoder.js')
  const decode = require(path)
  ;(require.cache[path] as NodeJS.Module).exports = guardBatches(decode)
}

/** What the patch below touches of a cluster. */
interface Cluster {
  readonly brokerPool: { withBroker(ask: (at: object) => Promise<unknown>): Promise<unknown> }
}

/** Where every broker refuses to name the coordinator, kafkajs forgets why and says that there is none. */
function patchFindCoordinator(): void {
  const { prototype } = require('kafkajs/src/cluster/index.js')
  const find: (asked: object) => Promise<unknown> = prototype.findGroupCoordinatorMetadata
  prototype.findGroupCoordinatorMetadata = async function (this: Cluster, asked: object): Promise<unknown> {
    let denied: unknown
    const withBroker: Cluster['brokerPool']['withBroker'] = (ask) =>
      this.brokerPool.withBroker((at) =>
        ask(at).catch((error: { type?: string }) => {
          if (deniedTypes.has(error.type)) denied = error
          throw error
        }),
      )
    const listening = Object.create(this, { brokerPool: { value: { withBroker } } })
    return find.call(listening, asked).catch((error: unknown) => {
      throw denied ?? error
    })
  }
}

patchRequestQueue()
patchFindCoordinator()
patchRecordEncoder()
patchEncoderGrowth()
patchOffsetReset()
patchDecompression()
patchAbortedTransactions()
