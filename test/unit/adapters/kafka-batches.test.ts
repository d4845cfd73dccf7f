import { createRequire } from 'node:module'
import { expect, it } from 'vitest'
import { givenPartition, sendRecords } from '../../../src/adapters/kafka-batches.ts'

const require = createRequire(import.meta.url)
const createSendMessages = require('kafkajs/src/producer/sendMessages')
const createRetry = require('kafkajs/src/retry')

interface TopicData {
  readonly topic: string
  readonly partitions: readonly { readonly partition: number }[]
}

type Leaders = readonly number[]

/**
 * kafkajs's own sending, to brokers of which number 2 dies at its first request; then others lead the partitions.
 *
 * @param before, after the broker that leads each partition of the topic.
 */
function throughDeath(before: Leaders, after: Leaders) {
  let leaders = before
  const produced: string[] = []
  const nothing = async () => {}
  const brokers = [1, 2, 3].map((nodeId) => ({
    nodeId,
    async produce({ topicData }: { topicData: readonly TopicData[] }) {
      if (nodeId === 2 && leaders === before) {
        leaders = after
        throw Object.assign(new Error('Closed connection'), { name: 'KafkaJSConnectionClosedError' })
      }
      const topics = topicData.map(({ topic, partitions }) => {
        produced.push(...partitions.map(({ partition }) => `${partition} at ${nodeId}`))
        return {
          topicName: topic,
          partitions: partitions.map(({ partition }) => ({ partition, errorCode: 0 })),
        }
      })
      return { topics }
    },
  }))
  const sendBatch = createSendMessages({
    logger: { debug() {}, error() {} },
    cluster: {
      addMultipleTargetTopics: nothing,
      refreshMetadata: nothing,
      refreshMetadataIfNecessary: nothing,
      removeBroker() {},
      isConnected: () => true,
      findTopicPartitionMetadata: () => leaders.map((leader, partitionId) => ({ partitionId, leader })),
      findLeaderForPartitions: (_: string, partitions: readonly string[]) =>
        Object.groupBy(partitions.map(Number), (partition) => String(leaders[partition])),
      findBroker: async ({ nodeId }: { nodeId: string }) => brokers[Number(nodeId) - 1],
    },
    eosManager: {
      acquireBrokerLock: nothing,
      releaseBrokerLock: nothing,
      addPartitionsToTransaction: nothing,
      isTransactional: () => true,
      getSequence: () => 0,
      updateSequence() {},
      getTransactionalId: () => 'one',
      getProducerId: () => 1,
      getProducerEpoch: () => 0,
    },
    partitioner: givenPartition(),
    retrier: createRetry({ retries: 3, initialRetryTime: 1 }),
  })
  return { producer: { sendBatch }, produced }
}

const records = [0, 1, 2].map((partition) => ({
  topic: 'out',
  partition,
  key: null,
  value: Buffer.from('x'),
}))

it('what kafkajs sends again to the same leader counts', async () => {
  const { producer, produced } = throughDeath([1, 1, 2], [1, 1, 2])
  await sendRecords(producer, records)
  expect(produced).toEqual(['0 at 1', '1 at 1', '2 at 2'])
})

it('what kafkajs sends to the old leader and to the new one does not count', async () => {
  const { producer, produced } = throughDeath([1, 1, 2], [1, 3, 3])
  await expect(sendRecords(producer, records)).rejects.toMatchObject({
    code: 'WEIR_LOG_UNAVAILABLE',
    message: expect.stringContaining('out-1 was written to more than once'),
    retriable: true,
  })
  expect(produced).toEqual(['0 at 1', '1 at 1', '1 at 3', '2 at 3'])
})

it('what kafkajs leaves out, since its new leader has answered before, does not count', async () => {
  const { producer, produced } = throughDeath([1, 1, 2], [1, 1, 1])
  await expect(sendRecords(producer, records)).rejects.toMatchObject({
    code: 'WEIR_LOG_TOPIC',
    message: expect.stringContaining('no partition 2, or its leader has just changed'),
    retriable: true,
  })
  expect(produced).toEqual(['0 at 1', '1 at 1'])
})
