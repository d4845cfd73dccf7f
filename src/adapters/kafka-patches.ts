import { createRequire } from 'node:module'
import { setTimeout as sleep } from 'node:timers/promises'
import { deniedTypes } from './kafka-errors.ts'
import {
  decodeFetched,
  type FetchedPartition,
  type FetchedRecord,
  hideAborted,
  openSealed,
} from './kafka-fetch.ts'
import { type FetchedBatch as BatchToHandle, type FetchingGroup, FetchLoops } from './kafka-fetch-loops.ts'
import { produceRequest, type RoomyBytes } from './kafka-produce.ts'

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

/** What the patch below touches of a connection. */
interface Connection {
  /** What has come of an answer that is not complete. */
  chunks: Buffer[]
  bytesBuffered: number
  bytesNeeded: number
  isConnected(): boolean
}

const lengthBytes = 4

/**
 * kafkajs keeps half an answer when its connection is cut, and takes what comes over the next one for the rest: no
 * answer is understood any more, each request times out, for ever. And whoever asks while it connects opens another
 * socket, whose end would later fail the requests of the first.
 */
function patchReconnect(): void {
  const { prototype } = require('kafkajs/src/network/connection.js')
  const connect: () => Promise<unknown> = prototype.connect
  const connecting = new WeakMap<Connection, Promise<unknown>>()
  prototype.connect = function (this: Connection): Promise<unknown> {
    const underWay = connecting.get(this)
    if (this.isConnected() || underWay !== undefined) return underWay ?? connect.call(this)
    this.chunks = []
    this.bytesBuffered = 0
    this.bytesNeeded = lengthBytes
    const connected = connect.call(this).finally(() => connecting.delete(this))
    connecting.set(this, connected)
    return connected
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

/** What a fetch asks for, and what comes. */
interface FetchRequest {
  readonly topics: readonly {
    readonly topic: string
    readonly partitions: readonly { readonly partition: number; readonly fetchOffset: string }[]
  }[]
}
interface FetchResponse {
  readonly responses: readonly {
    readonly topicName: string
    readonly partitions: readonly FetchedPartition[]
  }[]
}

/** Where its decoder does not know what was asked for, or which transactions were aborted, both are known here. */
function patchFetch(): void {
  const { prototype } = require('kafkajs/src/broker/index.js')
  const fetch: (request: FetchRequest) => Promise<FetchResponse> = prototype.fetch
  prototype.fetch = async function (request: FetchRequest) {
    const response = await fetch.call(this, request)
    for (const { topicName, partitions } of response.responses) {
      const asked = request.topics.find(({ topic }) => topic === topicName)?.partitions
      for (const fetched of partitions) {
        const from = asked?.find(({ partition }) => partition === fetched.partition)?.fetchOffset
        if (from === undefined)
          throw new Error(`the broker sent ${topicName}-${fetched.partition}, which nobody asked for`)
        await openSealed(fetched, Number(from))
        hideAborted(fetched)
      }
    }
    return response
  }
}

/** What kafkajs's batch is made of and has. */
interface Batch {
  rawMessages: readonly FetchedRecord[]
  messagesWithinOffset: readonly FetchedRecord[]
  messages: readonly FetchedRecord[]
}
type BatchClass = new (topic: string, fetchedOffset: string, partition: FetchedPartition) => Batch

/** kafkajs makes two objects of each record's offset to compare it with the one that was asked for. */
function patchBatch(): void {
  const path = 'kafkajs/src/consumer/batch.js'
  const Batch: BatchClass = require(path)
  class FetchedBatch extends Batch {
    constructor(topic: string, fetchedOffset: string, partition: FetchedPartition) {
      super(topic, fetchedOffset, { ...partition, messages: [] })
      const from = Number(fetchedOffset)
      this.rawMessages = partition.messages
      const within: FetchedRecord[] = []
      const messages: FetchedRecord[] = []
      for (const record of partition.messages) {
        if (record.offset < from) continue
        within.push(record)
        if (!record.isControlRecord) messages.push(record)
      }
      this.messagesWithinOffset = within
      this.messages = messages
    }
  }
  replace(path, FetchedBatch)
}

/** What the patches below touch of a consumer group. */
interface ConsumerGroup {
  readonly groupId: string
  readonly cluster: {
    refreshMetadata(): Promise<void>
    findGroupCoordinator(asked: { groupId: string }): Promise<unknown>
  }
  coordinator: unknown
}
interface Failure {
  readonly name?: string
  readonly type?: string
}

/** A fetch is refused with one of these by a broker that does not lead a partition, or not any more. */
const otherLeaderTypes: ReadonlySet<unknown> = new Set([
  'LEADER_NOT_AVAILABLE',
  'NOT_LEADER_FOR_PARTITION',
  'FENCED_LEADER_EPOCH',
  'UNKNOWN_LEADER_EPOCH',
])
/** Until it is asked again who leads: an election takes as long at least. */
const electionMs = 100
/** Fetches that are refused for longer wait for no election. */
const longestElectionMs = 5_000

/**
 * Where a partition gets another leader, kafkajs joins the group anew, once for each broker that it fetches from: all
 * members stop, and what they have in hand is for nothing. It is the client alone that must ask who leads by now.
 * Refusals that do not end are left to kafkajs: its joins, again and again, are seen.
 */
function patchFetchRecovery(): void {
  const { prototype } = require('kafkajs/src/consumer/consumerGroup.js')
  const recover: (failure: Failure) => Promise<void> = prototype.recoverFromFetch
  const refusals = new WeakMap<ConsumerGroup, { readonly since: number; readonly last: number }>()
  prototype.recoverFromFetch = async function (this: ConsumerGroup, failure: Failure): Promise<void> {
    if (!otherLeaderTypes.has(failure.type)) return recover.call(this, failure)
    const now = performance.now()
    const { since, last } = refusals.get(this) ?? { since: now, last: now }
    const begun = now - last > longestElectionMs ? now : since
    if (now - begun > longestElectionMs) {
      refusals.delete(this)
      return recover.call(this, failure)
    }
    refusals.set(this, { since: begun, last: now })
    await sleep(electionMs)
    await this.cluster.refreshMetadata()
  }
}

const connectionErrors: ReadonlySet<unknown> = new Set([
  'KafkaJSConnectionError',
  'KafkaJSConnectionClosedError',
])

/**
 * kafkajs learns who coordinates its group when it joins it. Where that broker goes, each heartbeat fails until the
 * consumer gives up, 16 s later; where another coordinates by now, it joins anew, and with the group's leader all do.
 * Here it asks who does, and goes on.
 */
function patchHeartbeat(): void {
  const { prototype } = require('kafkajs/src/consumer/consumerGroup.js')
  const beat: (asked: object) => Promise<void> = prototype.heartbeat
  prototype.heartbeat = async function (this: ConsumerGroup, asked: object): Promise<void> {
    try {
      await beat.call(this, asked)
    } catch (error) {
      const { name, type } = error as Failure
      if (!connectionErrors.has(name) && type !== 'NOT_COORDINATOR_FOR_GROUP') throw error
      forgetCoordinators(this.cluster)
      this.coordinator = await this.cluster.findGroupCoordinator({ groupId: this.groupId })
      await beat.call(this, asked)
    }
  }
}

/** What kafkajs's runner is made of and has. */
interface Runner {
  fetchManager: FetchLoops
  fetch(nodeId: number): Promise<BatchToHandle[]>
  handleBatch(batch: BatchToHandle): Promise<void>
}
interface RunnerOptions {
  readonly consumerGroup: FetchingGroup
  readonly concurrency: number
}

/** See FetchLoops. */
function patchFetchManager(): void {
  const path = 'kafkajs/src/consumer/runner.js'
  const { KafkaJSNoBrokerAvailableError } = require('kafkajs/src/errors.js')
  const Runner: new (options: RunnerOptions) => Runner = require(path)
  class LoopingRunner extends Runner {
    constructor(options: RunnerOptions) {
      super(options)
      this.fetchManager = new FetchLoops({
        group: options.consumerGroup,
        fetch: (nodeId) => this.fetch(nodeId),
        handle: (batch) => this.handleBatch(batch),
        concurrency: options.concurrency,
        noBroker: () => new KafkaJSNoBrokerAvailableError(),
      })
    }
  }
  replace(path, LoopingRunner)
}

/** What kafkajs gets for a file of its own: those of requests it loads when a broker is first spoken to, others with itself. */
function replace(path: string, exported: unknown): void {
  const file = require.resolve(path)
  require(file)
  ;(require.cache[file] as NodeJS.Module).exports = exported
}

/** What the patch below touches of kafkajs's Encoder. */
interface Encoder {
  buf: Buffer
  offset: number
  room?: number
}

/**
 * kafkajs puts a header before a request by copying both, and does it twice. Bytes with room before them take the
 * header in. Nothing is written behind them afterwards.
 */
function patchRequestFraming(): void {
  const { prototype } = require('kafkajs/src/protocol/encoder.js')
  const writeEncoder: (value: Encoder | RoomyBytes) => Encoder = prototype.writeEncoder
  prototype.writeEncoder = function (this: Encoder, value: RoomyBytes): Encoder {
    if (value?.room === undefined || value.room < this.offset) return writeEncoder.call(this, value)
    const { buffer, byteOffset, length } = value.buffer
    const framed = Buffer.from(buffer, byteOffset - this.offset, this.offset + length)
    this.buf.copy(framed, 0, 0, this.offset)
    this.room = value.room - this.offset
    this.buf = framed
    this.offset = framed.length
    return this
  }
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

interface PartitionsAdded {
  readonly errors: readonly {
    readonly topic: string
    readonly partitionErrors: readonly { readonly errorCode: number }[]
  }[]
}

/** What else is refused because one topic is. */
const operationNotAttempted = 55

/** kafkajs says that a topic may not be written to, and not which; of several refusals it takes the first, a mere consequence. */
function patchAddPartitions(): void {
  const { createErrorFromCode, failure } = require('kafkajs/src/protocol/error.js')
  const path = 'kafkajs/src/protocol/requests/addPartitionsToTxn/v1/response.js'
  async function parse(data: PartitionsAdded): Promise<PartitionsAdded> {
    const refused = data.errors
      .flatMap(({ topic, partitionErrors }) => partitionErrors.map(({ errorCode }) => ({ topic, errorCode })))
      .filter(({ errorCode }) => failure(errorCode))
    const first = refused.find(({ errorCode }) => errorCode !== operationNotAttempted) ?? refused[0]
    if (first === undefined) return data
    const error = createErrorFromCode(first.errorCode)
    error.message = `${first.topic}: ${error.message}`
    throw error
  }
  replace(path, { ...require(path), parse })
}

/** For how long nobody asks again who coordinates, unless one that is asked says that it does not. */
const coordinatorMs = 2_000
/** By cluster, what was found for whatever was asked. */
const coordinators = new WeakMap<object, Map<string, { readonly found: unknown; readonly until: number }>>()

/** Who coordinates is asked again. */
export const forgetCoordinators = (cluster: object): unknown => coordinators.delete(cluster)

/** Each step of a transaction begins with the question who coordinates: four requests of nine. */
function patchCoordinatorLookups(): void {
  const { prototype } = require('kafkajs/src/cluster/index.js')
  const find: (asked: object) => Promise<unknown> = prototype.findGroupCoordinatorMetadata
  prototype.findGroupCoordinatorMetadata = async function (asked: object): Promise<unknown> {
    const known = coordinators.get(this) ?? new Map()
    coordinators.set(this, known)
    const key = JSON.stringify(asked)
    const now = performance.now()
    const { found, until = 0 } = known.get(key) ?? {}
    if (now < until) return found
    const fresh = await find.call(this, asked)
    known.set(key, { found: fresh, until: now + coordinatorMs })
    return fresh
  }
}

// They reach into kafkajs's own files.
const patched = '2.2.4'
const { version } = require('kafkajs/package.json')
if (version !== patched) throw new Error(`kafkajs is ${version}: its patches are for ${patched}`)

patchRequestQueue()
patchReconnect()
patchFindCoordinator()
patchAddPartitions()
patchCoordinatorLookups()
patchRequestFraming()
patchOffsetReset()
patchFetch()
patchBatch()
patchFetchRecovery()
patchHeartbeat()
patchFetchManager()
replace('kafkajs/src/protocol/requests/produce/v3/request.js', produceRequest)
replace('kafkajs/src/protocol/requests/fetch/v4/decodeMessages.js', decodeFetched)

/** To be had from here: whoever loads it first gets it as it is. */
export const kafkajs: typeof import('kafkajs') = require('kafkajs')
