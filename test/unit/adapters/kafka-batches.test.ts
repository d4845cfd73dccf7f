import { expect, it } from 'vitest'
import { sendRecords } from '../../../src/adapters/kafka-batches.ts'
import type { Producer } from '../../../src/adapters/kafka-client.ts'

it('what kafkajs leaves out or sends twice is told, and may be sent again', async () => {
  const at = (partition: number) => ({ topic: 'out', partition, key: null, value: Buffer.from('x') })
  const answers = [{ topicName: 'out', partition: 0, errorCode: 0 }]
  const producer: Pick<Producer, 'sendBatch'> = { sendBatch: async () => answers }
  await sendRecords(producer, [at(0)])
  await expect(sendRecords(producer, [at(0), at(1)])).rejects.toMatchObject({
    code: 'WEIR_LOG_TOPIC',
    message: expect.stringContaining('partition 1'),
    retriable: true,
  })
  // As where an answer is kept of the old leader, and another one comes from the new.
  answers.push({ topicName: 'out', partition: 0, errorCode: 0 })
  await expect(sendRecords(producer, [at(0)])).rejects.toMatchObject({
    code: 'WEIR_LOG_UNAVAILABLE',
    message: expect.stringContaining('out-0 was written to more than once'),
    retriable: true,
  })
})
