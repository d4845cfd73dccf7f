import { setTimeout as sleep } from 'node:timers/promises'
import { expect, inject, test } from 'vitest'
import { createKafkaAdmin } from '../../src/adapters/kafka-admin.ts'
import { createKafkaLog } from '../../src/adapters/kafka-log.ts'
import { createMemoryLog } from '../../src/adapters/memory-log.ts'
import type { Log, LogRecord, Run } from '../../src/core/ports.ts'

const topic = `seek-${process.pid}-${Date.now()}`
const at = { topic, partition: 0 }

async function openKafka(): Promise<Log> {
  const client = { brokers: inject('kafkaBrokers').split(',') }
  const admin = await createKafkaAdmin(client)
  await admin.createTopics([{ topic, partitions: 1, replication: 1, settings: {} }])
  await admin.close()
  return createKafkaLog({ client })
}

test.each([
  ['the embedded log', async () => createMemoryLog({ topics: { [topic]: 1 } })],
  ['Kafka', openKafka],
])('%s delivers again from where it is sought, and then what comes', async (_, open) => {
  const log = await open()
  const runs: Run[] = []
  const values = () => runs.flatMap(({ records }) => records.map(({ value }) => String(value)))
  const append = (...all: string[]) =>
    log.append(all.map((value) => ({ ...at, key: null, value: Buffer.from(value) })))
  await append('a', 'b', 'c')
  const subscription = await log.subscribe(topic, [topic], {
    onAssigned() {},
    async onRun(run) {
      runs.push(run)
      return (run.records.at(-1) as LogRecord).offset + 1
    },
  })
  await subscription.idle()
  subscription.seek(at, 1)
  while (values().length < 5) await sleep(20)
  await append('d')
  while (values().length < 6) await sleep(20)
  await subscription.stop()
  await log.close()
  expect(values()).toEqual(['a', 'b', 'c', 'b', 'c', 'd'])
  expect(runs.map(({ from }) => from)).toContain(1)
})
