import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { Authority } from '../helpers/certificates.ts'
import { aTransaction } from '../helpers/contracts.ts'
import { Installation, type MemberProcess, until } from '../helpers/installation.ts'
import { kafkaTool } from '../helpers/kafka-tool.ts'
import { type SecureKafka, secureKafka } from '../helpers/secure-kafka.ts'
import { freePort } from '../helpers/services-ready.ts'
import { TlsFront } from '../helpers/tls-front.ts'

const folder = mkdtempSync(join(tmpdir(), 'weir-security-'))
const authority = new Authority(folder, 'authority')
const server = authority.issue('server')
const expired = authority.issue('expired', { days: -1 })
const password = 'right-secret-74'
const redisUser = `weir-running-${process.pid}`

let kafka: SecureKafka
let redis: Redis
let redisFront: TlsFront
let own: Installation
/** Comes by the fronts, whose certificates change. */
let member: MemberProcess

beforeAll(async () => {
  kafka = await secureKafka(authority, server, password)
  redis = new Redis(inject('redisUrl'))
  await redis.call('ACL', 'SETUSER', redisUser, 'on', `>${password}`, '~{test-*', '+@all')
  redisFront = await TlsFront.open(await freePort(), new URL(inject('redisUrl')).host, server)
  own = await Installation.create([
    `kafka.brokers=${kafka.secure}`,
    'kafka.tls.enabled=true',
    `kafka.tls.ca_file=${authority.ca.certFile}`,
    'kafka.sasl.mechanism=plain',
    'kafka.sasl.username=weir',
    `kafka.sasl.password=${password}`,
    'kafka.session_timeout_ms=6000',
    `redis.url=${inject('redisUrl')}`,
  ])
  const fronts = [
    `kafka.brokers=${kafka.fronted}`,
    'kafka.sasl.mechanism=scram-sha-512',
    `redis.url=rediss://127.0.0.1:${redisFront.port}`,
    `redis.tls.ca_file=${authority.ca.certFile}`,
    `redis.username=${redisUser}`,
    `redis.password=${password}`,
  ]
  member = await (await own.start(...fronts)).ready()
})
afterAll(async () => {
  await own[Symbol.asyncDispose]()
  await redisFront.close()
  await redis.call('ACL', 'DELUSER', redisUser)
  redis.disconnect()
  await kafka.stop()
  rmSync(folder, { recursive: true })
})

const setKafkaPassword = (to: string) =>
  kafkaTool('kafka-configs.sh', [
    ...['--bootstrap-server', kafka.service.address, '--alter', '--entity-type', 'users'],
    ...['--entity-name', 'weir', '--add-config', `SCRAM-SHA-512=[password=${to}]`],
  ])

const setRedisPassword = (to: string) => redis.call('ACL', 'SETUSER', redisUser, 'resetpass', `>${to}`)

let sent = 0
/** Sends a payment of another customer, and returns the status of its decision. */
async function decide(): Promise<string> {
  const transaction_id = `t-${++sent}`
  await own.send(aTransaction({ transaction_id, customer_id: `c-${sent}` }))
  return (await own.decisionOn(transaction_id)).content.status
}

const isReady = async () => (await member.health('/readyz'))?.status === 200
const outageSeconds = 12
/** On average: each try is a connection, and each second that one waits for the member to go on. */
const mostTriesASecond = 8

/** Breaks connections to one side, and looks at what the member does while they cannot be made again. */
async function outage(front: TlsFront, reason: RegExp, meanwhile: () => Promise<void>): Promise<void> {
  const told = member.output.length
  front.cut()
  front.count()
  const began = performance.now()
  await until('no readiness', async () => !(await isReady()))
  await meanwhile()
  await until('a word of why', () => reason.test(member.output.slice(told)), 60)
  await sleep(Math.max(0, outageSeconds * 1_000 - (performance.now() - began)))
  const seconds = (performance.now() - began) / 1_000
  const tries = front.count()
  expect(tries).toBeGreaterThan(1)
  expect(tries / seconds).toBeLessThan(mostTriesASecond)
  expect(member.output).not.toContain('secret')
  expect((await member.health('/livez'))?.status).toBe(200)
  expect(await isReady()).toBe(false)
}

const rightAgain = () => until('readiness', isReady, 30)

test.each<[string, () => unknown, RegExp, () => unknown]>([
  [
    'the password is another',
    () => setRedisPassword('changed-secret'),
    /"level":"error".*WRONGPASS.*redis\.password/,
    () => setRedisPassword(password),
  ],
  [
    'the certificate has expired',
    () => redisFront.present(expired),
    /"level":"error".*certificate of the server has expired/,
    () => redisFront.present(server),
  ],
])(
  'Redis lets the member in no more, since %s: it decides degraded, says so, and goes on',
  async (...row) => {
    const [, spoil, reason, mend] = row
    expect(await decide()).toBe('scored')
    await spoil()
    await outage(redisFront, reason, async () => {
      expect(await decide()).toBe('degraded')
    })
    await mend()
    await rightAgain()
    await until('scores again', async () => (await decide()) === 'scored', 20)
  },
)

describe('beside a member that comes another way, where nothing changes', () => {
  beforeAll(async () => {
    await (await own.start()).ready()
  })

  test.each<[string, () => unknown, RegExp, () => unknown]>([
    [
      'the password is another',
      () => setKafkaPassword('changed-secret'),
      /"level":"error".*WEIR_LOG_DENIED.*kafka\.sasl/,
      () => setKafkaPassword(password),
    ],
    [
      'the certificate has expired',
      () => kafka.front.present(expired),
      /"level":"error".*certificate of the server has expired/,
      () => kafka.front.present(server),
    ],
  ])(
    'Kafka lets the member in no more, since %s: another decides, it says so, and goes on',
    async (...row) => {
      const [, spoil, reason, mend] = row
      await spoil()
      await outage(kafka.front, reason, async () => {
        // All partitions are the other's as soon as the session has ended: each of these customers is answered.
        const customers = Array.from({ length: 8 }, () => decide())
        expect(new Set(await Promise.all(customers))).toEqual(new Set(['scored']))
      })
      await mend()
      await rightAgain()
      await until(
        'partitions of its own',
        async () => (await member.metric('weir_lane_state', 'running')) > 0,
        30,
      )
      expect(await decide()).toBe('scored')
    },
    300_000,
  )

  test('a member that Kafka does not let in stops when told to', async () => {
    kafka.front.present(expired)
    kafka.front.cut()
    await until('no readiness', async () => !(await isReady()))
    member.signal('SIGTERM')
    const { code, ms } = await member.exit()
    expect(code).toBe(0)
    expect(ms).toBeLessThan(5_000)
  })
})
