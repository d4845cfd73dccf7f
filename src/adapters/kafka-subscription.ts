import { setTimeout as sleep } from 'node:timers/promises'
import { isTakenOver, WeirError } from '../core/errors.ts'
import type { LogRecord, RunHandler, Subscription, TopicPartition } from '../core/ports.ts'
import {
  type Consumer,
  createKafkaClient,
  type EachBatchPayload,
  type KafkaClientOptions,
} from './kafka-client.ts'
import { asLogError } from './kafka-errors.ts'
import type { FetchedRecord } from './kafka-fetch.ts'

/** What happens to a group member, for logs and metrics. */
export type KafkaLogEvent =
  | { readonly type: 'joined'; readonly partitions: readonly TopicPartition[] }
  /** The handler rejected a run; it gets it again after the pause. */
  | {
      readonly type: 'run-rejected'
      readonly at: TopicPartition
      readonly pauseMs: number
      readonly error: unknown
    }
  /** A batch cannot be read (WEIR_LOG_BATCH): the partition stands before it and tries again after the pause. */
  | {
      readonly type: 'blocked'
      readonly at: TopicPartition
      readonly pauseMs: number
      readonly error: WeirError
    }
  /** The consumer died and is being started again. */
  | { readonly type: 'restarting'; readonly error: unknown }

export interface KafkaSubscriptionOptions {
  /** Largest number of records in a run. Default 2,000. */
  readonly maxRunRecords?: number
  /** Partitions that are handled side by side. Default 4. */
  readonly partitionsConsumedConcurrently?: number
  /** Silence after which the broker gives a member's partitions to others. Default 10,000. */
  readonly sessionTimeoutMs?: number
  /** How long the broker waits for members to finish their runs when membership changes. Default 30,000. */
  readonly rebalanceTimeoutMs?: number
  readonly onEvent?: (event: KafkaLogEvent) => void
}

interface Dependencies extends KafkaSubscriptionOptions {
  readonly client: KafkaClientOptions
  /** By topic: how long a partition rests after a run. */
  readonly restMs: Readonly<Record<string, number>>
  /** End of each partition of a topic. */
  readonly endsOf: (topic: string) => Promise<Map<number, number>>
}

/** One partition as this member reads it. */
interface Lane extends TopicPartition {
  /** Offset that the next run starts from; unknown until the first run of a generation. */
  position: number | undefined
  /** Offset that Kafka is asked for next: `position` and the markers after it. */
  fetch: number | undefined
  busy: Promise<void> | undefined
  rejections: number
  /** Until then it waits before a batch that cannot be read. */
  blockedUntil: number
  /** Another has taken it over: perhaps its new owner, of which this member has not heard yet. */
  isTaken: boolean
}

/**
 * A lone record is answered at once (minBytes 1); a backlog comes in bites of several runs. The wait is short because
 * requests on the same connection, heartbeats for one, queue behind it.
 */
export const fetchSettings = {
  minBytes: 1,
  maxWaitTimeInMs: 250,
  maxBytesPerPartition: 1_048_576,
  maxBytes: 8_388_608,
} as const

/** A member hears of a change of the group in the answer to its next heartbeat: until then the others wait. */
const longestBeatMs = 1_000
const firstPauseMs = 50
const longestPauseMs = 2_000
const longestGoodbyeMs = 3_000
/** Before a consumer that died is replaced: a refused login takes a connection a try, and may last for hours. */
const firstReopenPauseMs = 1_000
const longestReopenPauseMs = 8_000
/** Before a batch that cannot be read is tried again: only a person can change it. */
const blockedPauseMs = 30_000
/** What the next try may take before the partition counts as free. */
const blockedGraceMs = 5_000

/** A member of a consumer group: turns the batches of kafkajs into runs, and keeps a consumer alive. */
export class KafkaSubscription implements Subscription {
  readonly #group: string
  readonly #topics: readonly string[]
  readonly #handler: RunHandler
  readonly #options: Dependencies
  readonly #maxRunRecords: number
  readonly #sessionTimeoutMs: number
  readonly #rebalanceTimeoutMs: number
  readonly #lanes = new Map<string, Lane>()
  #assigned: ReadonlySet<Lane> = new Set()
  #generation = 0
  /** Counts everything that `idle` must not miss. */
  #activity = 0
  #consumer: Consumer | undefined
  #lastSeen = performance.now()
  #watchdog: NodeJS.Timeout | undefined
  #watchedAt = performance.now()
  #restarting: Promise<void> | undefined
  #stopped: Promise<void> | undefined
  readonly #stopping = new AbortController()

  constructor(group: string, topics: readonly string[], handler: RunHandler, options: Dependencies) {
    this.#group = group
    this.#topics = topics
    this.#handler = handler
    this.#options = options
    this.#maxRunRecords = options.maxRunRecords ?? 2_000
    this.#sessionTimeoutMs = options.sessionTimeoutMs ?? 10_000
    this.#rebalanceTimeoutMs = options.rebalanceTimeoutMs ?? 30_000
  }

  /** Joins the group; resolves with the first assignment. Rejects when the brokers cannot be reached. */
  async start(): Promise<void> {
    await this.#open()
    this.#watchdog = setInterval(() => this.#watch(), this.#sessionTimeoutMs / 2)
  }

  /** Whether the group counts on this member, as far as it knows. */
  isMember(): boolean {
    const silentMs = performance.now() - this.#lastSeen
    return this.#generation > 0 && this.#restarting === undefined && silentMs < this.#sessionTimeoutMs
  }

  /** A member, and not before a batch that cannot be read. */
  healthy(): boolean {
    return this.isMember() && [...this.#assigned].every((lane) => lane.blockedUntil <= performance.now())
  }

  /** See KafkaLog.fetchPosition; null for a partition that is not this member's. */
  fetchPosition({ topic, partition }: TopicPartition): number | null {
    for (const lane of this.#assigned) {
      if (lane.topic === topic && lane.partition === partition) return lane.fetch ?? null
    }
    return null
  }

  async idle(): Promise<void> {
    while (this.#stopped === undefined && !(await this.#isIdle())) await sleep(20)
  }

  seek({ topic, partition }: TopicPartition, offset: number): void {
    const lane = this.#lane(topic, partition)
    if (this.#consumer === undefined || lane.busy !== undefined || !this.#assigned.has(lane)) return
    this.#jump(this.#consumer, lane, offset)
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  async #stop(): Promise<void> {
    clearInterval(this.#watchdog)
    this.#stopping.abort()
    const isMember = this.isMember()
    const goodbye = Promise.resolve(this.#restarting).then(() => this.#consumer?.disconnect())
    const gone = goodbye.catch(() => {})
    // Where the brokers refuse, there is nobody to say goodbye to, and trying takes as long as it takes.
    await (isMember ? gone : Promise.race([gone, sleep(longestGoodbyeMs, undefined, { ref: false })]))
    await Promise.all([...this.#lanes.values()].map((lane) => lane.busy))
  }

  async #isIdle(): Promise<boolean> {
    const { size } = this.#assigned
    const before = this.#activity
    const ends = await Promise.all(this.#topics.map((topic) => this.#options.endsOf(topic)))
    if (this.#activity !== before || size === 0) return false
    const endOf = ({ topic, partition }: Lane): number =>
      ends[this.#topics.indexOf(topic)]?.get(partition) ?? 0
    return [...this.#assigned].every((lane) => lane.busy === undefined && (lane.fetch ?? 0) >= endOf(lane))
  }

  async #open(): Promise<void> {
    const consumer = createKafkaClient(this.#options.client, {
      initialRetryTime: 100,
      maxRetryTime: 2_000,
      retries: 10,
    }).consumer({
      groupId: this.#group,
      sessionTimeout: this.#sessionTimeoutMs,
      rebalanceTimeout: this.#rebalanceTimeoutMs,
      heartbeatInterval: Math.min(longestBeatMs, this.#sessionTimeoutMs / 3),
      ...fetchSettings,
      readUncommitted: false,
      allowAutoTopicCreation: false,
      retry: { retries: 10, restartOnFailure: async () => true },
    })
    this.#consumer = consumer
    const joined = this.#listen(consumer)
    try {
      await consumer.connect()
      await consumer.subscribe({ topics: [...this.#topics], fromBeginning: true })
      await consumer.run({
        autoCommit: false,
        eachBatchAutoResolve: false,
        partitionsConsumedConcurrently: this.#options.partitionsConsumedConcurrently ?? 4,
        eachBatch: (payload) => this.#onBatch(consumer, payload),
      })
      await joined
    } catch (error) {
      consumer.disconnect().catch(() => {})
      throw asLogError(error, `joining ${this.#group}`)
    }
  }

  /** Resolves at the first assignment, rejects when the consumer dies for good before it. */
  #listen(consumer: Consumer): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const { events } = consumer
    const alive = (): void => {
      this.#lastSeen = performance.now()
    }
    consumer.on(events.FETCH, alive)
    consumer.on(events.HEARTBEAT, alive)
    consumer.on(events.GROUP_JOIN, ({ payload }) => {
      alive()
      this.#onJoined(payload.memberAssignment)
      resolve()
    })
    consumer.on(events.START_BATCH_PROCESS, ({ payload }) => {
      if (payload.batchSize === 0) this.#onMarkers(payload)
    })
    consumer.on(events.CRASH, ({ payload: { error: cause, restart } }) => {
      const error = asLogError(cause, `reading as a member of ${this.#group}`)
      // kafkajs starts again by itself after what a retry can mend, such as a coordinator that is loading.
      if (!restart) reject(error)
      if (consumer !== this.#consumer || this.#stopped !== undefined) return
      if (restart) this.#options.onEvent?.({ type: 'restarting', error })
      else if (this.#generation > 0) this.#restart(error)
    })
    promise.catch(() => {})
    return promise
  }

  #onJoined(assignment: Record<string, readonly number[]>): void {
    this.#generation++
    this.#activity++
    const lanes = this.#topics.flatMap((topic) =>
      (assignment[topic] ?? []).toSorted((a, b) => a - b).map((partition) => this.#lane(topic, partition)),
    )
    for (const lane of this.#lanes.values()) {
      lane.position = undefined
      lane.fetch = undefined
      lane.rejections = 0
      lane.blockedUntil = 0
      lane.isTaken = false
    }
    this.#assigned = new Set(lanes)
    const partitions = lanes.map(({ topic, partition }) => ({ topic, partition }))
    this.#handler.onAssigned(partitions)
    this.#options.onEvent?.({ type: 'joined', partitions })
  }

  /** A batch without a record: transaction markers, aborted records or what compaction left. */
  #onMarkers(batch: { topic: string; partition: number; firstOffset: string; lastOffset: string }): void {
    const lane = this.#lane(batch.topic, batch.partition)
    lane.position ??= Number(batch.firstOffset ?? batch.lastOffset)
    lane.fetch = Number(batch.lastOffset) + 1
    this.#activity++
  }

  async #onBatch(consumer: Consumer, payload: EachBatchPayload): Promise<void> {
    const lane = this.#lane(payload.batch.topic, payload.batch.partition)
    // A run of a consumer that was replaced may still be at it.
    while (lane.busy !== undefined) await lane.busy
    if (!this.#assigned.has(lane)) return
    const handling = this.#handle(consumer, lane, payload)
    lane.busy = handling.catch(() => {})
    try {
      await handling
    } finally {
      lane.busy = undefined
      this.#activity++
    }
  }

  async #handle(consumer: Consumer, lane: Lane, payload: EachBatchPayload): Promise<void> {
    const { batch, heartbeat, isRunning, resolveOffset } = payload
    const generation = this.#generation
    const current = (): boolean => generation === this.#generation && isRunning()
    const fetchedRecords = batch.messages as unknown as readonly FetchedRecord[]
    const unreadable = fetchedRecords.at(-1)?.origin.unreadable
    const messages = unreadable === undefined ? fetchedRecords : fetchedRecords.slice(0, -1)
    const { topic, partition } = lane
    const fetched = Number((batch as { fetchedOffset?: string }).fetchedOffset)
    // They differ when the log no longer had what was asked for, and in the first batch of a generation.
    let from = lane.fetch === fetched ? (lane.position ?? fetched) : fetched
    lane.position = from
    if (unreadable !== undefined && messages.length === 0) {
      this.#block(consumer, lane, from, unreadable)
      return
    }
    // Where the group does not answer, or says that it is changing, this member takes nothing back: it joins again.
    if (lane.isTaken) await heartbeat()
    lane.isTaken = false
    // On a backlog the tail of a fetch waits for what follows it: a short run costs a transaction like a full one.
    const isBacklog = BigInt(batch.highWatermark) > BigInt(batch.lastOffset()) + 1n
    for (let at = 0; at < messages.length && current(); at += this.#maxRunRecords) {
      if (isBacklog && at > 0 && messages.length - at < this.#maxRunRecords) break
      const records = messages.slice(at, at + this.#maxRunRecords).map(opened)
      const last = records[records.length - 1] as LogRecord
      const beats = new Beats(heartbeat)
      let next: number
      try {
        next = await this.#handler.onRun({ topic, partition, from, records }, beats.beat)
      } catch (error) {
        if (current()) this.#pause(consumer, lane, from, error)
        if (beats.failure !== undefined) throw beats.failure
        return
      }
      if (!current()) return
      lane.rejections = 0
      if (next !== last.offset + 1) {
        this.#jump(consumer, lane, next)
        return
      }
      const isLast = at + records.length === batch.messages.length
      resolveOffset(String(last.offset))
      from = next
      lane.position = next
      lane.fetch = isLast ? Number(batch.lastOffset()) + 1 : next
      await heartbeat()
    }
    const restMs = this.#options.restMs[topic] ?? 0
    if (restMs > 0 && current()) this.#rest(consumer, lane, restMs)
  }

  #jump(consumer: Consumer, lane: Lane, offset: number): void {
    lane.position = offset
    lane.fetch = offset
    consumer.seek({ topic: lane.topic, partition: lane.partition, offset: String(offset) })
  }

  /** Delivers from the same place again, later; the other partitions go on. */
  #pause(consumer: Consumer, lane: Lane, from: number, error: unknown): void {
    const at = { topic: lane.topic, partition: lane.partition }
    lane.isTaken = isTakenOver(error)
    const backOffMs = Math.min(firstPauseMs * 2 ** lane.rejections++, longestPauseMs)
    // So long that the next heartbeat is a new one.
    const pauseMs = lane.isTaken ? Math.max(longestBeatMs, backOffMs) : backOffMs
    this.#options.onEvent?.({ type: 'run-rejected', at, pauseMs, error })
    this.#rest(consumer, lane, pauseMs)
    this.#jump(consumer, lane, from)
  }

  /** Nothing may be lost, so nothing is left out: the partition stands before the batch, the others go on. */
  #block(consumer: Consumer, lane: Lane, from: number, error: WeirError): void {
    const at = { topic: lane.topic, partition: lane.partition }
    lane.blockedUntil = performance.now() + blockedPauseMs + blockedGraceMs
    this.#options.onEvent?.({ type: 'blocked', at, pauseMs: blockedPauseMs, error })
    this.#rest(consumer, lane, blockedPauseMs)
    this.#jump(consumer, lane, from)
  }

  #rest(consumer: Consumer, { topic, partition }: Lane, restMs: number): void {
    const here = [{ topic, partitions: [partition] }]
    consumer.pause(here)
    setTimeout(() => {
      if (consumer === this.#consumer && this.#stopped === undefined) consumer.resume(here)
    }, restMs).unref()
  }

  /** A consumer that neither fetches nor heartbeats nor waits for a handler is dead, whatever it says. */
  #watch(): void {
    const now = performance.now()
    // Where the process itself stood still it is not the consumer that was silent: it joins again by itself.
    if (now - this.#watchedAt > 2 * this.#sessionTimeoutMs) this.#lastSeen = now
    this.#watchedAt = now
    const silentMs = now - this.#lastSeen
    const handling = [...this.#lanes.values()].some((lane) => lane.busy !== undefined)
    if (handling || silentMs < 3 * this.#sessionTimeoutMs + this.#rebalanceTimeoutMs) return
    this.#restart(
      new WeirError('WEIR_LOG_UNAVAILABLE', `The consumer was silent for ${Math.round(silentMs)} ms.`),
    )
  }

  /** Replaces the consumer by a new one, for as long as it takes. */
  #restart(reason: unknown): void {
    this.#restarting ??= this.#reopen(reason).finally(() => {
      this.#restarting = undefined
    })
  }

  async #reopen(reason: unknown): Promise<void> {
    let pauseMs = firstReopenPauseMs
    for (let error = reason; this.#stopped === undefined; ) {
      this.#options.onEvent?.({ type: 'restarting', error })
      const old = this.#consumer
      await Promise.race([old?.disconnect().catch(() => {}), sleep(5_000)])
      await sleep(pauseMs, undefined, { signal: this.#stopping.signal }).catch(() => {})
      if (this.#stopping.signal.aborted) return
      pauseMs = Math.min(2 * pauseMs, longestReopenPauseMs)
      try {
        await this.#open()
        if (this.#stopping.signal.aborted) await this.#consumer?.disconnect()
        return
      } catch (failure) {
        error = failure
      }
    }
  }

  #lane(topic: string, partition: number): Lane {
    const key = `${topic}/${partition}`
    let lane = this.#lanes.get(key)
    if (lane === undefined) {
      lane = {
        topic,
        partition,
        position: undefined,
        fetch: undefined,
        busy: undefined,
        rejections: 0,
        blockedUntil: 0,
        isTaken: false,
      }
      this.#lanes.set(key, lane)
    }
    return lane
  }
}

const opened = (message: FetchedRecord): LogRecord => message.open()

/** Heartbeats on behalf of a handler. A failed one must reach kafkajs, which joins the group again on it. */
class Beats {
  failure: unknown
  readonly beat: () => Promise<void>

  constructor(heartbeat: () => Promise<void>) {
    this.beat = async () => {
      try {
        await heartbeat()
      } catch (error) {
        this.failure = error
        throw error
      }
    }
  }
}
