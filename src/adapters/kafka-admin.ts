import { setTimeout as sleep } from 'node:timers/promises'
import { WeirError } from '../core/errors.ts'
import type { TopicPartition } from '../core/ports.ts'
import { type Admin, createKafkaClient, type KafkaClientOptions } from './kafka-client.ts'
import { asLogError, isErrorType } from './kafka-errors.ts'

/** A topic as it is, or as it is wanted. */
export interface TopicDescription {
  readonly topic: string
  readonly partitions: number
  readonly replication: number
  /** Topic settings by Kafka's names: `cleanup.policy`, `retention.ms`, `min.insync.replicas`. */
  readonly settings: Readonly<Record<string, string>>
}

export interface KafkaAdmin {
  /** Creates the topics that do not exist; resolves with their names once they can be used. */
  createTopics(wanted: readonly TopicDescription[]): Promise<string[]>
  /** Topics that exist, with all their settings, defaults included; null for one that does not. */
  describeTopics(topics: readonly string[]): Promise<(TopicDescription | null)[]>
  /** Members of a consumer group; 0 for one that does not exist. */
  members(group: string): Promise<number>
  /** Deletes the records of a partition before an offset: it begins there from then on. */
  deleteBefore(at: TopicPartition, offset: number): Promise<void>
  close(): Promise<void>
}

/** For `weir topics` and `weir rekey`: connects at once, rejects with WEIR_LOG_UNAVAILABLE when no broker answers. */
export async function createKafkaAdmin(client: KafkaClientOptions): Promise<KafkaAdmin> {
  const admin = createKafkaClient(client, { retries: 3 }).admin()
  await admin.connect().catch((error: unknown) => {
    throw asLogError(error, `connecting to ${client.brokers.join(', ')}`)
  })
  return {
    async createTopics(wanted) {
      const existing = await describeAll(
        admin,
        wanted.map(({ topic }) => topic),
      )
      const missing = wanted.filter((_, i) => existing[i] === null)
      await create(admin, missing)
      for (const { topic } of missing) await untilLed(admin, topic)
      return missing.map(({ topic }) => topic)
    },
    describeTopics: (topics) => describeAll(admin, topics),
    async members(group) {
      const { groups } = await admin.describeGroups([group]).catch((error: unknown) => {
        throw asLogError(error, `describing the group ${group}`)
      })
      return groups[0]?.members.length ?? 0
    },
    async deleteBefore({ topic, partition }, offset) {
      const partitions = [{ partition, offset: String(offset) }]
      try {
        // Without a question before it, kafkajs does not know who leads the partition.
        await admin.fetchTopicOffsets(topic)
        await admin.deleteTopicRecords({ topic, partitions })
      } catch (error) {
        throw asLogError(error, `deleting records of ${topic}-${partition}`)
      }
    },
    close: () => admin.disconnect(),
  }
}

async function create(admin: Admin, missing: readonly TopicDescription[]): Promise<void> {
  if (missing.length === 0) return
  const topics = missing.map(({ topic, partitions, replication, settings }) => ({
    topic,
    numPartitions: partitions,
    replicationFactor: replication,
    configEntries: Object.entries(settings).map(([name, value]) => ({ name, value })),
  }))
  try {
    // Its own waiting gives up at once where the broker it asks has not heard of the topic yet.
    await admin.createTopics({ topics, waitForLeaders: false })
  } catch (error) {
    // The first of several refusals says more than "Topic creation errors".
    const [first] = (error as { errors?: Error[] }).errors ?? []
    throw asLogError(first ?? error, `creating ${missing.map(({ topic }) => topic).join(', ')}`)
  }
}

/** Some 20 s: of several brokers not all hear of a new topic at once, not even those that lead its partitions. */
const mostAsked = 100

async function untilLed(admin: Admin, topic: string): Promise<void> {
  for (let left = mostAsked; ; left--) {
    try {
      await admin.fetchTopicOffsets(topic)
      return
    } catch (error) {
      const reason = asLogError(error, `waiting for the leaders of ${topic}`)
      const mayPass = reason.retriable || reason.code === 'WEIR_LOG_TOPIC'
      if (left === 0 || !mayPass) throw reason
      await sleep(200)
    }
  }
}

async function describeAll(admin: Admin, topics: readonly string[]): Promise<(TopicDescription | null)[]> {
  return Promise.all(topics.map((topic) => describe(admin, topic)))
}

const topicResource = 2

async function describe(admin: Admin, topic: string): Promise<TopicDescription | null> {
  try {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: [{ type: topicResource, name: topic }],
    })
    const partitions = topics[0]?.partitions ?? []
    const entries = resources[0]?.configEntries ?? []
    return {
      topic,
      partitions: partitions.length,
      replication: Math.min(...partitions.map(({ replicas }) => replicas.length)),
      settings: Object.fromEntries(entries.map(({ configName, configValue }) => [configName, configValue])),
    }
  } catch (error) {
    if (isErrorType(error, 'UNKNOWN_TOPIC_OR_PARTITION')) return null
    if (error instanceof WeirError) throw error
    throw asLogError(error, `describing ${topic}`)
  }
}
