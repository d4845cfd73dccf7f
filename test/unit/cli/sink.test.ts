import { describe, expect, it } from 'vitest'
import { createMemoryLog, type MemoryLog } from '../../../src/adapters/memory-log.ts'
import { openContracts } from '../../../src/apps/connect.ts'
import { createTopicSink, holdLabels, type Sink } from '../../../src/cli/sink.ts'
import { loadConfig } from '../../../src/config/load.ts'
import { partitionOf } from '../../../src/core/partition.ts'
import type { Run } from '../../../src/core/ports.ts'
import { aLabel, aTransaction, eventTime } from '../../helpers/contracts.ts'

const { config } = loadConfig({ file: '/dev/null', env: {} })
const contracts = await openContracts(config)
const { transactions, labels } = config.topics
const noProgress = { add() {}, reach() {}, stop: () => ({ count: 0, seconds: 0 }) }

async function readAll(log: MemoryLog, topic: string): Promise<Run[]> {
  const runs: Run[] = []
  const subscription = await log.subscribe('test', [topic], {
    onAssigned() {},
    async onRun(run) {
      runs.push(run)
      return (run.records.at(-1)?.offset ?? 0) + 1
    },
  })
  await subscription.idle()
  await subscription.stop()
  return runs
}

describe('the topic sink', () => {
  it('puts each customer into the partition of its key, in order, with the given time', async () => {
    const log = createMemoryLog({ topics: { [transactions]: 4, [labels]: 4 } })
    const sink = await createTopicSink({ log, contracts }, config.topics, { rate: 0, progress: noProgress })
    const sent = Array.from({ length: 2_500 }, (_, i) =>
      aTransaction({ transaction_id: `t${i}`, customer_id: `c${i % 37}` }),
    )
    for (const [i, transaction] of sent.entries()) await sink.transaction(transaction, eventTime + i)
    await sink.close()

    const found = new Map<string, { partition: number; time: number; customer: string | undefined }>()
    for (const { partition, records } of await readAll(log, transactions)) {
      for (const [i, checked] of (await contracts.transactions.decode(records)).entries()) {
        if (!checked.ok) throw new Error(checked.rejection.message)
        const { timestamp, key } = records[i] as Run['records'][number]
        found.set(checked.value.transaction_id, { partition, time: timestamp, customer: key?.toString() })
      }
    }
    expect(found.size).toBe(sent.length)
    for (const [i, { transaction_id, customer_id }] of sent.entries()) {
      expect(found.get(transaction_id)).toEqual({
        partition: partitionOf(customer_id, 4),
        time: eventTime + i,
        customer: customer_id,
      })
    }
  })

  it('keeps to its rate', async () => {
    const log = createMemoryLog({ topics: { [transactions]: 1, [labels]: 1 } })
    const sink = await createTopicSink({ log, contracts }, config.topics, { rate: 200, progress: noProgress })
    const begun = performance.now()
    for (let i = 0; i < 100; i++) await sink.transaction(aTransaction(), eventTime)
    await sink.close()
    expect(performance.now() - begun).toBeGreaterThan(450)
  })
})

describe('labels that are held', () => {
  it('follow when the payments have reached their time, the rest at the end', async () => {
    const told: string[] = []
    const teller: Sink = {
      transaction: async (_, time) => void told.push(`payment ${time}`),
      label: async (_, time) => void told.push(`label ${time}`),
      close: async () => void told.push('closed'),
    }
    const sink = holdLabels(teller)
    await sink.transaction(aTransaction(), 1)
    await sink.label(aLabel(), 3)
    await sink.transaction(aTransaction(), 2)
    await sink.label(aLabel(), 4)
    await sink.label(aLabel(), 9)
    await sink.transaction(aTransaction(), 4)
    await sink.close()
    expect(told).toEqual(['payment 1', 'payment 2', 'label 3', 'label 4', 'payment 4', 'label 9', 'closed'])
  })
})
