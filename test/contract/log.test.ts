import { createMemoryLog } from '../../src/adapters/memory-log.ts'
import { logSuite } from './log-suite.ts'

logSuite('the embedded log', async () => {
  const log = createMemoryLog({ topics: {} })
  return { log, createTopic: async (topic, partitions) => log.createTopic(topic, partitions) }
})
