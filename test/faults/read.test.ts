import { afterAll, beforeAll, expect, test } from 'vitest'
import { createKafkaAdmin } from '../../src/adapters/kafka-admin.ts'
import { createKafkaLog } from '../../src/adapters/kafka-log.ts'
import { type Service, startKafka } from '../helpers/services.ts'

let kafka: Service
beforeAll(async () => {
  kafka = await startKafka()
})
afterAll(() => kafka.stop())

test('a range goes on where it was when its broker dies and comes back', async () => {
  const client = { brokers: [kafka.address] }
  const admin = await createKafkaAdmin(client)
  await admin.createTopics([{ topic: 'long', partitions: 1, replication: 1, settings: {} }])
  await admin.close()
  const log = createKafkaLog({ client })
  const at = { topic: 'long', partition: 0 }
  const filler = 'x'.repeat(500)
  const values = Array.from({ length: 20_000 }, (_, i) => `${i} ${filler}`)
  await log.append(values.map((value) => ({ ...at, key: null, value: Buffer.from(value) })))

  const read: string[] = []
  let deaths = 0
  for await (const records of log.read(at, 0, Number.POSITIVE_INFINITY)) {
    read.push(...records.map(({ value }) => String(value)))
    if (deaths > 0) continue
    expect(read.length).toBeLessThan(values.length / 2)
    deaths++
    await kafka.kill()
    // The next fetch finds no broker; it is back while retries go on.
    setTimeout(() => void kafka.restart(), 2_000)
  }
  expect(read).toEqual(values)
  await log.close()
})
