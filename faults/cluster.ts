import { setTimeout as sleep } from 'node:timers/promises'
import { Kafka, logLevel } from 'kafkajs'
import type { Random } from '../src/core/random.ts'
import type { Service } from '../test/helpers/services.ts'
import { localKafka } from '../test/helpers/services-local.ts'
import { freePort } from '../test/helpers/services-ready.ts'

/** Of three brokers one may be away: every record and every offset lies on two at least before it counts. */
const threeFold = {
  'offsets.topic.replication.factor': '3',
  'transaction.state.log.replication.factor': '3',
  'transaction.state.log.min.isr': '2',
  'min.insync.replicas': '2',
  'group.min.session.timeout.ms': '1000',
  // Leadership goes back to the first replica at once: each return of a broker moves partitions again.
  'leader.imbalance.check.interval.seconds': '2',
  'leader.imbalance.per.broker.percentage': '0',
}

/** Three brokers as processes of this machine. */
export async function startCluster(): Promise<Service[]> {
  const ids = [1, 2, 3]
  const controllers = new Map<number, number>()
  for (const id of ids) controllers.set(id, await freePort())
  return Promise.all(ids.map((id) => localKafka(threeFold, { node: { id, controllers } })))
}

/** An orderly end, as in a rolling restart: leadership is handed over first. */
export async function shutDown(broker: Service): Promise<void> {
  const pid = await broker.pid()
  process.kill(pid, 'SIGTERM')
  for (let left = 600; left > 0 && isAlive(pid); left--) await sleep(100)
  await broker.kill()
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** Gives every partition of the topics another first replica, which then becomes its leader. Resolves with their number. */
export async function moveLeaders(
  brokers: readonly string[],
  topics: readonly string[],
  random: Random,
): Promise<number> {
  const admin = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  try {
    const { topics: found } = await admin.fetchTopicMetadata({ topics: [...topics] })
    const moved = found.map(({ name, partitions }) => ({
      topic: name,
      partitionAssignment: partitions.map(({ partitionId, replicas }) => {
        const by = random.between(1, replicas.length - 1)
        return { partition: partitionId, replicas: [...replicas.slice(by), ...replicas.slice(0, by)] }
      }),
    }))
    await admin.alterPartitionReassignments({ topics: moved })
    return moved.reduce((sum, { partitionAssignment }) => sum + partitionAssignment.length, 0)
  } finally {
    await admin.disconnect()
  }
}
