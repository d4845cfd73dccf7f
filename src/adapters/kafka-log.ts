import { setTimeout as sleep } from 'node:timers/promises'
import { WeirError } from '../core/errors.ts'
import type {
  Log,
  LogRecord,
  NewRecord,
  RunHandler,
  Subscription,
  TopicPartition,
  TransactionalWriter,
} from '../core/ports.ts'
import { givenPartition, sendRecords } from './kafka-batches.ts'
import { type Admin, createKafkaClient, type KafkaClientOptions, type Producer } from './kafka-client.ts'
import { asLogError } from './kafka-errors.ts'
import { KafkaReader } from './kafka-reader.ts'
import { KafkaSubscription, type KafkaSubscriptionOptions } from './kafka-subscription.ts'
import { createKafkaWriter } from './kafka-writer.ts'
import { historyGone } from './log-errors.ts'

export interface KafkaLogOptions extends KafkaSubscriptionOptions {
  readonly client: KafkaClientOptions
  /** Milliseconds after which the broker ends the open transaction of a dead writer. Default 30,000. */
  readonly transactionTimeoutMs?: number
}

/** Longer than members leave one open, `kafka.transaction_timeout_ms` of 30,000 by default. */
const longestTransactionMs = 90_000

/** The log on Kafka. Connects when first used. */
export function createKafkaLog(options: KafkaLogOptions): KafkaLog {
  return new KafkaLog(options)
}

export class KafkaLog implements Log {
  readonly #options: KafkaLogOptions
  readonly #subscriptions = new Set<KafkaSubscription>()
  #admin: Promise<Admin> | undefined
  #lastAsked: Promise<unknown> = Promise.resolve()
  /** How many wait for an answer, by the client that they go through. */
  readonly #questions = new Map<Promise<Admin>, number>()
  #producer: Promise<Producer> | undefined
  #reader: Promise<KafkaReader> | undefined

  constructor(options: KafkaLogOptions) {
    this.#options = options
  }

  /** True while every subscription is a member of its group and hears from the brokers. */
  healthy(): boolean {
    return [...this.#subscriptions].every((subscription) => subscription.healthy())
  }

  /** True while every subscription is a member of its group, whatever it reads. */
  isMember(): boolean {
    return [...this.#subscriptions].every((subscription) => subscription.isMember())
  }

  /** Next offset to fetch of a partition that this member reads: after the markers that end transactions, too. */
  fetchPosition(at: TopicPartition): number | null {
    for (const subscription of this.#subscriptions) {
      const position = subscription.fetchPosition(at)
      if (position !== null) return position
    }
    return null
  }

  async partitions(topic: string): Promise<number> {
    const { topics } = await this.#askInTurn(`describing ${topic}`, (admin) =>
      admin.fetchTopicMetadata({ topics: [topic] }),
    )
    return topics[0]?.partitions.length ?? 0
  }

  async bounds({ topic, partition }: TopicPartition): Promise<{ first: number; end: number }> {
    const offsets = await this.#askInTurn(`asking for the bounds of ${topic}`, (admin) =>
      admin.fetchTopicOffsets(topic),
    )
    const { low, high } = ofPartition(offsets, { topic, partition })
    return { first: Number(low), end: Number(high) }
  }

  /**
   * The end of a partition as it is now, once no transaction is open below it: a reader of committed records then misses
   * none of what was written before the call.
   *
   * @throws WeirError WEIR_LOG_UNAVAILABLE (retriable) when one stays open for longer than a broker lets it.
   */
  async settledEnd(at: TopicPartition): Promise<number> {
    this.#reader ??= KafkaReader.open(this.#options.client)
    const reader = await this.#reader
    const end = await reader.end(at).catch((error: unknown) => {
      throw asLogError(error, `asking for the end of ${at.topic}`)
    })
    const giveUpAt = performance.now() + longestTransactionMs
    while ((await this.bounds(at)).end < end) {
      if (performance.now() > giveUpAt) {
        throw new WeirError(
          'WEIR_LOG_UNAVAILABLE',
          `A transaction on ${at.topic}-${at.partition} stays open below offset ${end}.`,
          { cure: 'Look for a writer that hangs; the broker ends its transaction in time.', retriable: true },
        )
      }
      await sleep(50)
    }
    return end
  }

  async offsetAt({ topic, partition }: TopicPartition, time: number): Promise<number> {
    const offsets = await this.#askInTurn(`asking for offsets of ${topic} by time`, (admin) =>
      admin.fetchTopicOffsetsByTimestamp(topic, time),
    )
    return Number(ofPartition(offsets, { topic, partition }).offset)
  }

  async *read(at: TopicPartition, from: number, to: number): AsyncGenerator<LogRecord[]> {
    const { first, end } = await this.bounds(at)
    const last = Math.min(to, end)
    if (from >= last) return
    if (from < first) throw historyGone(at, from, first)
    try {
      yield* (await this.#openReader()).read(at, from, last)
    } catch (error) {
      throw asLogError(error, `reading ${at.topic}`)
    }
  }

  async append(records: readonly NewRecord[]): Promise<void> {
    try {
      this.#producer ??= this.#connectProducer()
      await sendRecords(await this.#producer, records)
    } catch (error) {
      // Its sequence numbers may no longer be the broker's: a new producer starts afresh.
      const failed = this.#producer
      this.#producer = undefined
      failed?.then((producer) => producer.disconnect()).catch(() => {})
      const topics = new Set(records.map(({ topic }) => topic))
      throw asLogError(error, `appending to ${[...topics].join(', ')}`)
    }
  }

  fence(group: string, at: TopicPartition): Promise<TransactionalWriter> {
    const { client, transactionTimeoutMs = 30_000 } = this.#options
    return createKafkaWriter({ client, group, at, transactionTimeoutMs })
  }

  async committed(group: string, { topic, partition }: TopicPartition): Promise<number | null> {
    const offsets = await this.#ask(`asking for the position of ${group}`, (admin) =>
      admin.fetchOffsets({ groupId: group, topics: [topic] }),
    )
    const found = offsets[0]?.partitions.find((at) => at.partition === partition)
    return found === undefined || Number(found.offset) < 0 ? null : Number(found.offset)
  }

  async members(group: string): Promise<number> {
    const { groups } = await this.#ask(`asking for the members of ${group}`, (admin) =>
      admin.describeGroups([group]),
    )
    return groups[0]?.members.length ?? 0
  }

  async subscribe(
    group: string,
    topics: readonly string[],
    handler: RunHandler,
    restMs: Readonly<Record<string, number>> = {},
  ): Promise<Subscription> {
    const subscription = new KafkaSubscription(group, topics, handler, {
      ...this.#options,
      restMs,
      endsOf: (topic) => this.#ends(topic),
    })
    this.#subscriptions.add(subscription)
    await subscription.start()
    return subscription
  }

  async close(): Promise<void> {
    await Promise.all([...this.#subscriptions].map((subscription) => subscription.stop()))
    this.#subscriptions.clear()
    const open = [this.#admin, this.#producer, this.#reader]
    this.#reader = undefined
    this.#admin = undefined
    this.#producer = undefined
    await Promise.allSettled(open.map(async (client) => (await client)?.disconnect()))
  }

  async #ends(topic: string): Promise<Map<number, number>> {
    const offsets = await this.#askInTurn(`asking for the end of ${topic}`, (admin) =>
      admin.fetchTopicOffsets(topic),
    )
    return new Map(offsets.map(({ partition, high }) => [partition, Number(high)]))
  }

  /**
   * One after the other: kafkajs notes a topic for its metadata when it is first asked about, forgets the others when it
   * describes one, and of two that are asked about side by side it may find the second without any ("Cannot destructure
   * property 'partitions'"). They connect together: brokers lock users out who try too often.
   */
  #askInTurn<T>(doing: string, question: (admin: Admin) => Promise<T>): Promise<T> {
    const before = this.#lastAsked
    const asked = this.#ask(doing, async (admin) => {
      await before
      return question(admin)
    })
    this.#lastAsked = asked.catch(() => {})
    return asked
  }

  async #ask<T>(doing: string, question: (admin: Admin) => Promise<T>): Promise<T> {
    this.#admin ??= this.#connectAdmin()
    const asked = this.#admin
    this.#questions.set(asked, (this.#questions.get(asked) ?? 0) + 1)
    try {
      return await question(await asked)
    } catch (error) {
      const reason = asLogError(error, doing)
      // A client that could not connect or log in would refuse for ever.
      if (reason.code !== 'WEIR_LOG_TOPIC' && this.#admin === asked) this.#admin = undefined
      throw reason
    } finally {
      this.#answered(asked)
    }
  }

  /** Closes a client that is not used any more after its last question: an earlier end would make kafkajs connect again. */
  #answered(asked: Promise<Admin>): void {
    const left = (this.#questions.get(asked) ?? 0) - 1
    this.#questions.set(asked, left)
    if (left > 0) return
    this.#questions.delete(asked)
    if (this.#admin !== asked) asked.then((admin) => admin.disconnect()).catch(() => {})
  }

  async #connectAdmin(): Promise<Admin> {
    const admin = createKafkaClient(this.#options.client, { retries: 4 }).admin()
    await admin.connect()
    return admin
  }

  /** One for all reads; a failure to connect is not kept. */
  #openReader(): Promise<KafkaReader> {
    this.#reader ??= KafkaReader.open(this.#options.client)
    const reader = this.#reader
    reader.catch(() => {
      if (this.#reader === reader) this.#reader = undefined
    })
    return reader
  }

  async #connectProducer(): Promise<Producer> {
    const producer = createKafkaClient(this.#options.client, { initialRetryTime: 50, retries: 8 }).producer({
      idempotent: true,
      allowAutoTopicCreation: false,
      createPartitioner: givenPartition,
    })
    await producer.connect()
    return producer
  }
}

function ofPartition<T extends { readonly partition: number }>(
  all: readonly T[],
  { topic, partition }: TopicPartition,
): T {
  const found = all.find((one) => one.partition === partition)
  if (found !== undefined) return found
  throw new WeirError('WEIR_LOG_TOPIC', `Topic ${topic} has no partition ${partition}.`)
}
