import { createRequire } from 'node:module'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { givenPartition, sendRecords } from '../../../src/adapters/kafka-batches.ts'
import { produceRequest } from '../../../src/adapters/kafka-produce.ts'

const require = createRequire(import.meta.url)
const createSendMessages = require('kafkajs/src/producer/sendMessages')
const createRetry = require('kafkajs/src/retry')
const Lock = require('kafkajs/src/utils/lock')

type Asked = Parameters<typeof produceRequest>[0]
type Leaders = readonly number[]
type Broker = { readonly nodeId: number }

/**
 * kafkajs's own sending, to three brokers. Number 2 dies at its first request; from then on others lead the partitions.
 *
 * @param before, after the broker that leads each partition of the topic.
 * @param slow a broker that is still writing when number 2 dies.
 */
function throughDeath(before: Leaders, after: Leaders, slow?: number) {
  let leaders = before
  const produced: string[] = []
  const sequences = [0, 0, 0]
  const nothing = async () => {}
  const brokers = [1, 2, 3].map((nodeId) => ({
    nodeId,
    async produce(asked: Asked) {
      await produceRequest({ ...asked, producerId: 1, producerEpoch: 0 }).encode()
      if (nodeId === 2 && leaders === before) {
        leaders = after
        throw Object.assign(new Error('Closed connection'), { name: 'KafkaJSConnectionClosedError' })
      }
      if (nodeId === slow) await sleep(50)
      const topics = asked.topicData.map(({ topic, partitions }) => {
        for (const { partition, firstSequence } of partitions)
          produced.push(`${partition} at ${nodeId} as ${firstSequence}`)
        return {
          topicName: topic,
          partitions: partitions.map(({ partition }) => ({ partition, errorCode: 0 })),
        }
      })
      return { topics }
    },
  }))
  const locks = Object.fromEntries(brokers.map(({ nodeId }) => [nodeId, new Lock({ timeout: 5_000 })]))
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
      acquireBrokerLock: ({ nodeId }: Broker) => locks[nodeId]?.acquire(),
      releaseBrokerLock: ({ nodeId }: Broker) => locks[nodeId]?.release(),
      addPartitionsToTransaction: nothing,
      isTransactional: () => true,
      getSequence: (_: string, partition: number) => sequences[partition],
      updateSequence(_: string, partition: number, by: number) {
        sequences[partition] = (sequences[partition] as number) + by
      },
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

const send = (to: ReturnType<typeof throughDeath>) =>
  sendRecords(
    to.producer,
    records.map((one) => ({ ...one })),
  )

it('what kafkajs sends again to the same leader counts', async () => {
  const to = throughDeath([1, 1, 2], [1, 1, 2])
  await send(to)
  expect(to.produced).toEqual(['0 at 1 as 0', '1 at 1 as 0', '2 at 2 as 0'])
})

it.each([
  ['to the old leader and to the new one', [1, 3, 3], undefined],
  ['to a leader that is still writing it', [1, 1, 2], 1],
] as const)('what kafkajs sends %s does not count, and is there once', async (_, after, slow) => {
  const to = throughDeath([1, 1, 2], after, slow)
  await expect(send(to)).rejects.toThrow(/records for out-\d were sent as 0, and would be there twice as 1/)
  await sleep(100)
  expect(to.produced.filter((one) => one.startsWith('1'))).toEqual(['1 at 1 as 0'])
})

it('what kafkajs leaves out, since its new leader has answered before, does not count', async () => {
  const to = throughDeath([1, 1, 2], [1, 1, 1])
  await expect(send(to)).rejects.toMatchObject({
    code: 'WEIR_LOG_TOPIC',
    message: expect.stringContaining('no partition 2, or its leader has just changed'),
    retriable: true,
  })
  expect(to.produced).toEqual(['0 at 1 as 0', '1 at 1 as 0'])
})
