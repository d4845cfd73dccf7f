/**
 * What weir needs from the world, in its own words. Each port has an embedded implementation (memory) and a
 * networked one (Kafka, Redis), and one contract suite that both pass (test/contract).
 */

import type { Rejection } from './errors.ts'

/** Header values are UTF-8 text. */
export type Headers = Readonly<Record<string, string>>

export interface TopicPartition {
  readonly topic: string
  readonly partition: number
}

/** A record as it lies on the log. */
export interface LogRecord {
  readonly offset: number
  /** Record timestamp, epoch milliseconds: set by the producer or the broker, part of the log. */
  readonly timestamp: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: Headers
  /** Set where the log holds what nobody should unpack; key and value are null then. */
  readonly rejection?: Rejection
}

/** A record to be written. `partition` is always given: output partition = input partition. */
export interface NewRecord {
  readonly topic: string
  readonly partition: number
  readonly key: string | Buffer | null
  readonly value: Buffer | null
  readonly headers?: Headers
  /** Epoch milliseconds; the log's own clock when absent. */
  readonly timestamp?: number
}

/**
 * A run of records of one partition in offset order, committed ones only. There is no readable record in
 * [`from`, first offset) nor between its records: gaps are transaction markers or compaction.
 */
export interface Run extends TopicPartition {
  /** The offset that was asked for. */
  readonly from: number
  /** At least one record. */
  readonly records: readonly LogRecord[]
}

/** Called by a subscription; calls for one partition never overlap, partitions may run side by side. */
export interface RunHandler {
  /**
   * Membership changed: these partitions are now this member's, all others are not. Called before any run of
   * the new assignment. Must not block: it starts work, `onRun` waits for it.
   */
  onAssigned(partitions: readonly TopicPartition[]): void
  /**
   * Handles a run and returns the offset to read next: `last offset + 1` to go on, any other to jump there.
   * `heartbeat` may be called at will between steps of long work. A rejection makes the subscription deliver
   * from the same place again after a pause; nothing is skipped.
   */
  onRun(run: Run, heartbeat: () => Promise<void>): Promise<number>
}

export interface Subscription {
  /** Resolves once every partition has been read to its end and handled, for bounded inputs and tests. */
  idle(): Promise<void>
  /** The next run of one of this member's partitions begins here; a run in hand is not touched, and its answer counts. */
  seek(at: TopicPartition, offset: number): void
  /** Lets running handlers finish, leaves the group, releases everything. Idempotent. */
  stop(): Promise<void>
}

/**
 * Writes of one lane, atomically with its position. After any rejection the writer is dead: close it and
 * `fence` again; whether the lost commit happened is answered by `committed` after the new fence.
 */
export interface TransactionalWriter {
  /** All records and the group's new position become visible together, or not at all. */
  commit(records: readonly NewRecord[], nextOffset: number): Promise<void>
  close(): Promise<void>
}

export interface Log {
  /** Number of partitions of a topic. Rejects with WEIR_LOG_TOPIC when it does not exist. */
  partitions(topic: string): Promise<number>
  /** First readable offset and the one after the last record; records of open transactions and later ones lie behind it. */
  bounds(at: TopicPartition): Promise<{ first: number; end: number }>
  /** First offset whose record's timestamp is `time` (epoch milliseconds) or later; the end when there is none. */
  offsetAt(at: TopicPartition, time: number): Promise<number>
  /**
   * Committed records with offsets in [`from`, `to`) and before the end as it is when reading begins, in order, some at
   * a time, outside any group. Rejects with WEIR_LOG_HISTORY_GONE where the range begins before the first readable
   * offset.
   */
  read(at: TopicPartition, from: number, to: number): AsyncIterable<readonly LogRecord[]>
  /** Appends without a transaction: for producers of payments and labels, not for lanes. */
  append(records: readonly NewRecord[]): Promise<void>
  /**
   * Takes over the right to write for an input partition: on return no earlier writer of the same group and
   * partition can commit any more, and its open transaction, if any, is aborted.
   */
  fence(group: string, at: TopicPartition): Promise<TransactionalWriter>
  /** The group's position, or null when it has none. Only after `fence` is it final. */
  committed(group: string, at: TopicPartition): Promise<number | null>
  /** How many members the group has; those that died count until their session ends. */
  members(group: string): Promise<number>
  /**
   * Joins the group. Starts each partition at its committed offset, else at the first.
   *
   * @param restMs by topic: how long a partition rests after a run, so that the next one is larger. A wish that the
   * embedded log, which has no time, does not heed.
   */
  subscribe(
    group: string,
    topics: readonly string[],
    handler: RunHandler,
    restMs?: Readonly<Record<string, number>>,
  ): Promise<Subscription>
  close(): Promise<void>
}

/** Names the states of one lane: all its keys share one Redis hash tag. */
export interface LaneId {
  /** t: transactions (customer states), l: labels, e: entity updates (entity states). */
  readonly kind: 't' | 'l' | 'e'
  readonly partition: number
}

/**
 * Packed states by key, a cache of the log that never runs ahead of it: see docs/architecture.md.
 * Rejects with WEIR_STORE_UNAVAILABLE (retriable) past its deadline, WEIR_STORE_NOT_OWNER when the lane was taken,
 * WEIR_STORE_GONE (retriable) when the store has lost all of it.
 */
export interface StateStore {
  /** Takes the lane under a fresh token and returns its watermark, null when it holds nothing. */
  acquire(lane: LaneId, token: string): Promise<number | null>
  /** States by key in the order asked, null where there is none. Rejects unless token and watermark are as given. */
  read(
    lane: LaneId,
    token: string,
    watermark: number | null,
    keys: readonly string[],
  ): Promise<(Buffer | null)[]>
  /**
   * Writes states and moves the watermark, atomically, if token and `from` are still as given; else rejects
   * with WEIR_STORE_NOT_OWNER and changes nothing. `from` is null for the first write into an empty lane.
   */
  write(
    lane: LaneId,
    token: string,
    move: { readonly from: number | null; readonly to: number },
    states: readonly (readonly [key: string, state: Buffer])[],
  ): Promise<void>
  /** States of another lane, whoever owns it: no order with its owner's writes is promised. */
  peek(lane: LaneId, keys: readonly string[]): Promise<(Buffer | null)[]>
  /** Watermark of another lane, whoever owns it; null when it holds nothing. */
  watermark(lane: LaneId): Promise<number | null>
  /** Keys of another lane, many at a time, perhaps some twice. Only at rest are they all. */
  keys(lane: LaneId): AsyncIterable<readonly string[]>
  /** Deletes a lane that nobody works with: states, watermark and owner, all at once. */
  clear(lane: LaneId): Promise<void>
  close(): Promise<void>
}

/** The watermark of a lane whose states are being deleted. */
export const clearing = -1

/** What a model says of a batch, one finite value a row. */
export interface Scores {
  /** Calibrated probabilities of fraud. */
  readonly probabilities: Float64Array
  /** By part, in the order of Model.parts: the calibrated probability that the part alone would give. */
  readonly parts: readonly Float64Array[]
}

/** Why rows have the log-odds that they have: what each column adds to those that the model has to begin with. */
export interface Explanations {
  /** Log-odds without any column: a mean over training rows (exact), or those of a typical row (estimated). */
  readonly base: number
  /** Row-major, a row for each that was asked about x columns of the model. */
  readonly contributions: Float64Array
  /** Shapley values, or estimates of them. In either case they add up: docs/explanations.md. */
  readonly exact: boolean
}

/** Scores feature rows. Pure: the same row gives the same bits, alone or in any batch. */
export interface Model {
  /** name@version. */
  readonly id: string
  /** First 16 hexadecimal digits of the package's SHA-256. */
  readonly sha256: string
  /** Hash of the feature definitions that it was trained on. */
  readonly featureHash: string
  /** Names of the models whose scores are fused; one where nothing is. */
  readonly parts: readonly string[]
  /** @param features row-major, `rows` x columns; NaN is missing. */
  score(features: Float32Array, rows: number): Promise<Scores>
  /**
   * Explains some of the rows. Pure, as `score` is. A model without it gives no contributions.
   *
   * @param which places of the rows to explain.
   */
  explain?(features: Float32Array, rows: number, which: readonly number[]): Promise<Explanations>
  /** The stable 0-999 risk score of a calibrated probability. */
  riskScore(probability: number): number
}

/** Wall clock, epoch milliseconds. Not for src/core: timings and pauses only. */
export type Clock = () => number
