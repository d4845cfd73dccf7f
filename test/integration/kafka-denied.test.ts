import { Kafka } from 'kafkajs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createKafkaAdmin } from '../../src/adapters/kafka-admin.ts'
import type { KafkaClientOptions } from '../../src/adapters/kafka-client.ts'
import { createKafkaLog, type KafkaLog } from '../../src/adapters/kafka-log.ts'
import type { RunHandler } from '../../src/core/ports.ts'
import type { Service } from '../helpers/services.ts'
import { localKafka } from '../helpers/services-local.ts'
import { freePort } from '../helpers/services-ready.ts'

const at = { topic: 'payments', partition: 0 }
const record = { ...at, key: null, value: Buffer.from('x') }
const handler: RunHandler = {
  onAssigned() {},
  onRun: async ({ records }) => (records.at(-1)?.offset ?? 0) + 1,
}

let kafka: Service
let client: KafkaClientOptions
let log: KafkaLog

/** A broker where the user `weir` may describe the topic and nothing else. */
beforeAll(async () => {
  const port = await freePort()
  kafka = await localKafka(
    {
      'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
      'super.users': 'User:ANONYMOUS',
      'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,LOGIN:SASL_PLAINTEXT',
      'inter.broker.listener.name': 'PLAINTEXT',
      'sasl.enabled.mechanisms': 'PLAIN',
      'listener.name.login.plain.sasl.jaas.config':
        'org.apache.kafka.common.security.plain.PlainLoginModule required user_weir="secret";',
    },
    { listeners: { LOGIN: port } },
  )
  const admin = await createKafkaAdmin({ brokers: [kafka.address] })
  await admin.createTopics([{ topic: at.topic, partitions: 1, replication: 1, settings: {} }])
  await admin.close()
  await allowDescribe()
  client = {
    brokers: [`127.0.0.1:${port}`],
    sasl: { mechanism: 'plain', username: 'weir', password: 'secret' },
  }
  log = createKafkaLog({ client })
})

afterAll(async () => {
  await log.close()
  await kafka.stop()
})

async function allowDescribe(): Promise<void> {
  const admin = new Kafka({ brokers: [kafka.address] }).admin()
  await admin.connect()
  const acl = { resourceType: 2, resourceName: at.topic, resourcePatternType: 3, principal: 'User:weir' }
  await admin.createAcls({ acl: [{ ...acl, host: '*', operation: 8, permissionType: 3 }] })
  await admin.disconnect()
}

test.each([
  ['append', 'CLUSTER_AUTHORIZATION_FAILED', () => log.append([record])],
  ['fence', 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED', () => log.fence('group', at)],
  ['subscribe', 'GROUP_AUTHORIZATION_FAILED', () => log.subscribe('group', [at.topic], handler)],
  ['committed', 'GROUP_AUTHORIZATION_FAILED', () => log.committed('group', at)],
  ['partitions of another topic', 'TOPIC_AUTHORIZATION_FAILED', () => log.partitions('other')],
])('%s without its ACL says so, and that waiting does not help', async (_, type, call) => {
  const error = await call().then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toMatchObject({
    code: 'WEIR_LOG_DENIED',
    retriable: false,
    message: expect.stringContaining(type),
    cure: expect.stringContaining('docs/'),
  })
})

test('one question that is denied among others leaves no connection behind, which would keep the process alive', async () => {
  const sockets = () => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length
  const before = sockets()
  const other = createKafkaLog({ client })
  const asked = [at.topic, 'other', at.topic, at.topic].map((topic) => other.partitions(topic))
  expect((await Promise.allSettled(asked)).map(({ status }) => status)).toEqual([
    'fulfilled',
    'rejected',
    'fulfilled',
    'fulfilled',
  ])
  await other.close()
  await expect.poll(sockets, { timeout: 5_000 }).toBe(before)
})

test('a wrong password is a matter of the login', async () => {
  const sasl = { mechanism: 'plain', username: 'weir', password: 'wrong' } as const
  await expect(createKafkaAdmin({ ...client, sasl })).rejects.toMatchObject({
    code: 'WEIR_LOG_DENIED',
    retriable: false,
    cure: expect.stringContaining('kafka.sasl'),
  })
})
