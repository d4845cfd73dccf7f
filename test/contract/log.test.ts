import { afterAll, inject } from 'vitest'
import { createKafkaAdmin, type KafkaAdmin } from '../../src/adapters/kafka-admin.ts'
import { createKafkaLog } from '../../src/adapters/kafka-log.ts'
import { createMemoryLog } from '../../src/adapters/memory-log.ts'
import { logMembersSuite } from './log-members-suite.ts'
import { type LogUnderTest, logSuite } from './log-suite.ts'

const embedded = async (): Promise<LogUnderTest> => {
  const log = createMemoryLog({ topics: {} })
  return { log, createTopic: async (topic, partitions) => log.createTopic(topic, partitions) }
}

const admins: KafkaAdmin[] = []
afterAll(() => Promise.all(admins.map((admin) => admin.close())))

const kafka = async (): Promise<LogUnderTest> => {
  const client = { brokers: inject('kafkaBrokers').split(',') }
  const admin = await createKafkaAdmin(client)
  admins.push(admin)
  const { createTopics } = admin
  return {
    log: createKafkaLog({ client }),
    async createTopic(topic, partitions) {
      await createTopics([{ topic, partitions, replication: 1, settings: {} }])
    },
  }
}

for (const suite of [logSuite, logMembersSuite]) {
  suite('the embedded log', embedded)
  suite('Kafka', kafka)
}
