import { afterAll, inject } from 'vitest'
import { createKafkaAdmin, type KafkaAdmin } from '../../src/adapters/kafka-admin.ts'
import { createKafkaLog } from '../../src/adapters/kafka-log.ts'
import { createMemoryLog } from '../../src/adapters/memory-log.ts'
import { logSuite } from './log-suite.ts'

logSuite('the embedded log', async () => {
  const log = createMemoryLog({ topics: {} })
  return { log, createTopic: async (topic, partitions) => log.createTopic(topic, partitions) }
})

let admin: KafkaAdmin | undefined
afterAll(() => admin?.close())

logSuite('Kafka', async () => {
  const client = { brokers: inject('kafkaBrokers').split(',') }
  admin = await createKafkaAdmin(client)
  const { createTopics } = admin
  return {
    log: createKafkaLog({ client }),
    async createTopic(topic, partitions) {
      await createTopics([{ topic, partitions, replication: 1, settings: {} }])
    },
  }
})
