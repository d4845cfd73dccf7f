import { createKafkaClient, type KafkaClientOptions, type RetryOptions } from './kafka-client.ts'
import type { FetchedRecord } from './kafka-fetch.ts'
import type { BatchedRecord } from './kafka-records.ts'

/** What of kafkajs's cluster is needed for what its consumer and its producer cannot do. */
export interface Cluster {
  isConnected(): boolean
  connect(): Promise<void>
  disconnect(): Promise<void>
  addMultipleTargetTopics(topics: readonly string[]): Promise<void>
  refreshMetadata(): Promise<void>
  refreshMetadataIfNecessary(): Promise<void>
  /** By broker: those of the partitions that it leads. Those that there are not are left out. */
  findLeaderForPartitions(topic: string, partitions: readonly number[]): Record<string, number[]>
  findBroker(by: { nodeId: string }): Promise<Broker>
  findGroupCoordinator(of: { groupId: string; coordinatorType: number }): Promise<Broker>
}

export const coordinatorTypes = { group: 0, transaction: 1 } as const

/** Requests by their names in the protocol. Each rejects with the first error code of the answer. */
export interface Broker {
  fetch(request: object): Promise<FetchResponse>
  listOffsets(request: object): Promise<OffsetsResponse>
  initProducerId(request: { transactionalId: string; transactionTimeout: number }): Promise<ProducerId>
  addOffsetsToTxn(request: Transactional & { groupId: string }): Promise<void>
  addPartitionsToTxn(
    request: Transactional & {
      topics: readonly { readonly topic: string; readonly partitions: readonly number[] }[]
    },
  ): Promise<void>
  txnOffsetCommit(request: Transactional & { groupId: string; topics: readonly object[] }): Promise<void>
  produce(
    request: Transactional & { acks: number; timeout: number; topicData: readonly TopicData[] },
  ): Promise<void>
  endTxn(request: Transactional & { transactionResult: boolean }): Promise<void>
}

interface FetchResponse {
  readonly responses: readonly {
    readonly partitions: readonly { readonly messages: readonly FetchedRecord[] }[]
  }[]
}

interface OffsetsResponse {
  readonly responses: readonly { readonly partitions: readonly { readonly offset: string }[] }[]
}

export interface ProducerId {
  readonly producerId: string
  readonly producerEpoch: number
}
type Transactional = ProducerId & { readonly transactionalId: string }

/** Batches of one topic, and the numbers under which their first records are sent. */
export interface TopicData {
  readonly topic: string
  readonly partitions: readonly {
    readonly partition: number
    readonly firstSequence: number
    readonly messages: readonly BatchedRecord[]
  }[]
}

/** Connects to the brokers; leaves nothing open where it rejects. */
export async function openCluster(client: KafkaClientOptions, retry: RetryOptions): Promise<Cluster> {
  const kafka = createKafkaClient(client, retry) as unknown as Record<symbol, (options: object) => Cluster>
  const create = Object.getOwnPropertySymbols(kafka).find(
    ({ description }) => description === 'private:Kafka:createCluster',
  ) as symbol
  const cluster = kafka[create]?.({ metadataMaxAge: 300_000, allowAutoTopicCreation: false }) as Cluster
  try {
    await cluster.connect()
  } catch (error) {
    cluster.disconnect().catch(() => {})
    throw error
  }
  return cluster
}
