import { Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { CommittedLog } from '../../faults/verifier/committed-log.ts'
import { type Service, startKafka } from '../helpers/services.ts'

let kafka: Service
beforeAll(async () => {
  kafka = await startKafka()
})
afterAll(() => kafka.stop())

test('what is read is what was committed, however transactions of several writers lie between each other', async () => {
  const client = new Kafka({ brokers: [kafka.address], logLevel: logLevel.NOTHING })
  const admin = client.admin()
  await admin.connect()
  await admin.createTopics({ topics: [{ topic: 'mixed', numPartitions: 2 }], waitForLeaders: true })
  await admin.disconnect()
  const producers = ['one', 'two'].map((transactionalId) =>
    client.producer({ transactionalId, idempotent: true, maxInFlightRequests: 1 }),
  )
  await Promise.all(producers.map((producer) => producer.connect()))
  const committed: string[] = []
  const aborted: string[] = []
  for (let round = 0; round < 12; round++) {
    // Both are open at once; the fates differ, and each writer aborts more than once.
    const open = await Promise.all(producers.map((producer) => producer.transaction()))
    for (const [i, transaction] of open.entries()) {
      for (let part = 0; part < 2; part++) {
        const values = [0, 1, 2].map((n) => `${round}-${i}-${part}-${n}`)
        await transaction.send({
          topic: 'mixed',
          messages: values.map((value) => ({ value, partition: part })),
        })
        const commits = (round + i) % 3 !== 0
        if (commits) committed.push(...values)
        else aborted.push(...values)
      }
    }
    for (const [i, transaction] of open.entries()) {
      if ((round + i) % 3 !== 0) await transaction.commit()
      else await transaction.abort()
    }
  }
  const [first] = producers
  const left = await first?.transaction()
  await left?.send({ topic: 'mixed', messages: [{ value: 'left open', partition: 0 }] })

  const log = new CommittedLog([kafka.address])
  const found = await log.read('mixed')
  await log.close()
  const values = found.partitions.flatMap((records) => records.map(({ value }) => String(value)))
  expect(values.sort()).toEqual(committed.sort())
  expect(found.aborted).toBe(aborted.length)
  expect(found.open).toBe(1)
  for (const records of found.partitions) {
    const offsets = records.map(({ offset }) => offset)
    expect(offsets).toEqual(offsets.toSorted((a, b) => a - b))
  }
  await left?.abort()
  await Promise.all(producers.map((producer) => producer.disconnect()))
})
