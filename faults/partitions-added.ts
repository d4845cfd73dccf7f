import { Kafka, logLevel } from 'kafkajs'

/** What `kafka-topics --alter --partitions` does. Resolves when the broker tells of them. */
export async function addPartitions(
  brokers: readonly string[],
  topics: readonly string[],
  count: number,
): Promise<void> {
  const admin = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  try {
    await admin.createPartitions({ topicPartitions: topics.map((topic) => ({ topic, count })) })
    for (const topic of topics) {
      for (let known = 0; known < count; ) {
        const { topics: found } = await admin.fetchTopicMetadata({ topics: [topic] })
        known = found[0]?.partitions.length ?? 0
      }
    }
  } finally {
    await admin.disconnect()
  }
}
