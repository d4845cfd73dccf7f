import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, beforeEach, expect, inject, it } from 'vitest'
import { Authority, type Certificate } from '../helpers/certificates.ts'
import { aTransaction } from '../helpers/contracts.ts'
import { Installation } from '../helpers/installation.ts'
import { type SecureKafka, secureKafka } from '../helpers/secure-kafka.ts'
import { freePort } from '../helpers/services-ready.ts'
import { TlsFront } from '../helpers/tls-front.ts'
import { weir } from '../helpers/weir.ts'

const folder = mkdtempSync(join(tmpdir(), 'weir-security-'))
const authority = new Authority(folder, 'authority')
const stranger = new Authority(folder, 'stranger')
const server = authority.issue('server')
const client = authority.issue('client')
const expired = authority.issue('expired', { days: -1 })
const elsewhere = authority.issue('elsewhere', { address: 'DNS:elsewhere.example' })
const passwords = { kafka: 'kafka-secret-71', redis: 'redis-secret-72', wrong: 'wrong-secret-73' }

const redisUser = `weir-test-${process.pid}`
/** What docs/operations.md tells people to grant, for keys of the installations of this test. */
const documented = /^ACL SETUSER weir (.*)$/m.exec(readFileSync('docs/operations.md', 'utf8'))?.[1] ?? ''

let kafka: SecureKafka
let redis: Redis
let redisFront: TlsFront
let redisMutual: TlsFront

beforeAll(async () => {
  kafka = await secureKafka(authority, server, passwords.kafka)
  redis = new Redis(inject('redisUrl'))
  const rules = documented.replace('<password>', passwords.redis).replace('{weir.', '{test-')
  await redis.call('ACL', 'SETUSER', redisUser, ...rules.split(' '))
  const { host } = new URL(inject('redisUrl'))
  redisFront = await TlsFront.open(await freePort(), host, server)
  redisMutual = await TlsFront.open(await freePort(), host, server, authority.ca.cert)
})
beforeEach(() => {
  for (const front of [kafka.front, redisFront]) front.present(server)
})
afterAll(async () => {
  await redisFront.close()
  await redisMutual.close()
  await redis.call('ACL', 'DELUSER', redisUser)
  redis.disconnect()
  await kafka.stop()
  rmSync(folder, { recursive: true })
})

const trustKafka = [`kafka.tls.enabled=true`, `kafka.tls.ca_file=${authority.ca.certFile}`]
const kafkaLogin = (mechanism = 'scram-sha-512', password = passwords.kafka, address = kafka.secure) => [
  `kafka.brokers=${address}`,
  'kafka.sasl.username=weir',
  `kafka.sasl.mechanism=${mechanism}`,
  `kafka.sasl.password=${password}`,
  ...trustKafka,
]
/** The same by a front, which shows what certificate we want and counts. */
const frontedLogin = (mechanism?: string, password?: string) => kafkaLogin(mechanism, password, kafka.fronted)
const redisLogin = (password = passwords.redis, { port } = redisFront) => [
  `redis.url=rediss://127.0.0.1:${port}`,
  'redis.tls.enabled=true',
  `redis.tls.ca_file=${authority.ca.certFile}`,
  `redis.username=${redisUser}`,
  `redis.password=${password}`,
]
const keyPair = (section: string, { certFile, keyFile }: Certificate) => [
  `${section}.tls.cert_file=${certFile}`,
  `${section}.tls.key_file=${keyFile}`,
]
const mutual = () => [`kafka.brokers=${kafka.mutual}`, ...trustKafka]

it.each([
  ['SCRAM-SHA-256', () => [...kafkaLogin('scram-sha-256'), ...redisLogin()]],
  ['SCRAM-SHA-512', () => [...kafkaLogin('scram-sha-512'), ...redisLogin()]],
  ['PLAIN', () => [...kafkaLogin('plain'), ...redisLogin()]],
  [
    'client certificates',
    () => [
      ...mutual(),
      ...keyPair('kafka', client),
      ...redisLogin(passwords.redis, redisMutual),
      ...keyPair('redis', client),
    ],
  ],
])('scores through TLS, with %s and a Redis user who may do no more than it must', async (_, login) => {
  await using own = await Installation.create(login())
  const member = await (await own.start()).ready()
  await own.send(aTransaction({ transaction_id: 'first' }))
  await own.decisionOn('first')
  await own.send(aTransaction({ transaction_id: 'second' }))
  // It remembers the first: states are written and read by this user.
  const { content } = await own.decisionOn('second')
  expect(content.status).toBe('scored')
  expect(await member.metric('weir_degraded_total')).toBe(0)
  for (const path of ['metrics', 'readyz']) {
    expectNoSecret(await (await fetch(`${member.url}/${path}`)).text())
  }
  member.signal('SIGTERM')
  expect(await member.exit()).toMatchObject({ code: 0 })
  expectNoSecret(member.output)
})

it('that user can neither touch other keys nor look around', async () => {
  const user = new Redis(inject('redisUrl'), { username: redisUser, password: passwords.redis })
  await expect(user.hset('elsewhere', 'own', '1')).rejects.toThrow(/NOPERM/)
  await expect(user.hget('{elsewhere.t0}', 'wm')).rejects.toThrow(/NOPERM/)
  await expect(user.eval("return redis.call('HSET', 'elsewhere', 'own', '1')", 0)).rejects.toThrow(
    /NOPERM|can't access|ACL failure/,
  )
  for (const command of ['KEYS *', 'FLUSHALL', 'CONFIG GET *', 'ACL LIST', 'DEL {test-x.t0}']) {
    const [name = '', ...args] = command.split(' ')
    await expect(user.call(name, ...args), command).rejects.toThrow(/NOPERM/)
  }
  user.disconnect()
})

/** Ends by itself in bounded time, says in one line what is wrong, names a cure, and gives nothing away. */
async function refused(set: readonly string[]): Promise<string> {
  const began = performance.now()
  const flags = ['app=test-refused', 'http.port=0', 'topics.partitions=2', ...set].flatMap((one) => [
    '--set',
    one,
  ])
  const { code, stdout, stderr } = await weir(['stream', ...flags])
  expect(performance.now() - began).toBeLessThan(30_000)
  expect(code).toBe(1)
  expect(stdout).toBe('')
  expect(stderr).toMatch(/^error: .*\(WEIR_(LOG|STORE)_[A-Z]+\)\ncure: .*\n$/m)
  expect(stderr).not.toMatch(/^ +at /m)
  expectNoSecret(stderr)
  return stderr
}

it.each(['scram-sha-256', 'scram-sha-512', 'plain'])(
  'a wrong Kafka password is named (%s)',
  async (mechanism) => {
    kafka.front.count()
    const stderr = await refused([...frontedLogin(mechanism, passwords.wrong), ...redisLogin()])
    expect(stderr).toMatch(/authentication.*WEIR_LOG_DENIED/i)
    expect(stderr).toContain('kafka.sasl')
    // Brokers lock users out who try too often.
    expect(kafka.front.count()).toBe(1)
  },
)

const trustStranger = (section: string) => [`${section}.tls.ca_file=${stranger.ca.certFile}`]
const unknownAuthority = 'certificate of the server is of an authority that is not trusted'
const wrongName = 'certificate of the server is for other names'
const demanded = 'the server demands a client certificate'

it.each<[string, Certificate, () => string[], string, string]>([
  ['of another authority', server, () => trustStranger('kafka'), unknownAuthority, 'kafka.tls.ca_file'],
  ['that has expired', expired, () => [], 'certificate of the server has expired', 'Renew it'],
  ['for another host', elsewhere, () => [], wrongName, 'kafka.brokers'],
])('a broker with a certificate %s is not trusted', async (_, certificate, more, reason, cure) => {
  kafka.front.present(certificate)
  kafka.front.count()
  const stderr = await refused([...frontedLogin(), ...redisLogin(), ...more()])
  expect(stderr).toMatch(new RegExp(`${reason}.*WEIR_LOG_UNAVAILABLE`))
  expect(stderr).toContain(cure)
  expect(kafka.front.count()).toBeLessThanOrEqual(5)
})

it.each<[string, Certificate, () => string[], string, string]>([
  ['of another authority', server, () => trustStranger('redis'), unknownAuthority, 'redis.tls.ca_file'],
  ['that has expired', expired, () => [], 'certificate of the server has expired', 'Renew it'],
  ['for another host', elsewhere, () => [], wrongName, 'redis.url'],
])('a Redis with a certificate %s is not trusted', async (_, certificate, more, reason, cure) => {
  redisFront.present(certificate)
  redisFront.count()
  const stderr = await refused([...kafkaLogin(), ...redisLogin(), ...more()])
  expect(stderr).toMatch(new RegExp(`${reason}.*WEIR_STORE_UNAVAILABLE`))
  expect(stderr).toContain(cure)
  expect(redisFront.count()).toBe(1)
})

it.each<[string, () => string[]]>([
  ['none', () => []],
  ['one of another authority', () => keyPair('kafka', stranger.issue('client'))],
  ['one that has expired', () => keyPair('kafka', expired)],
])('a broker that demands a client certificate refuses %s', async (_, more) => {
  const stderr = await refused([...mutual(), ...more(), ...redisLogin()])
  expect(stderr).toMatch(new RegExp(`${demanded}.*WEIR_LOG_UNAVAILABLE`))
  expect(stderr).toContain('kafka.tls.cert_file')
})

it('a Redis that demands a client certificate refuses none', async () => {
  const stderr = await refused([...kafkaLogin(), ...redisLogin(passwords.redis, redisMutual)])
  expect(stderr).toMatch(new RegExp(`${demanded}.*WEIR_STORE_UNAVAILABLE`))
  expect(stderr).toContain('redis.tls.cert_file')
})

it('a wrong Redis password is named', async () => {
  redisFront.count()
  const stderr = await refused([...kafkaLogin(), ...redisLogin(passwords.wrong)])
  expect(stderr).toMatch(/WRONGPASS.*WEIR_STORE_UNAVAILABLE/)
  expect(stderr).toContain('redis.password')
  expect(redisFront.count()).toBe(1)
})

it.each(['info', 'hmget'])('a Redis user who lacks %s is told so', async (command) => {
  await redis.call('ACL', 'SETUSER', redisUser, `-${command}`)
  try {
    const stderr = await refused([...kafkaLogin(), ...redisLogin()])
    expect(stderr).toMatch(new RegExp(`'${command}'.*WEIR_STORE_UNAVAILABLE`, 'i'))
    expect(stderr).toContain('docs/security.md')
  } finally {
    await redis.call('ACL', 'SETUSER', redisUser, `+${command}`)
  }
})

function expectNoSecret(output: string): void {
  for (const password of Object.values(passwords)) expect(output).not.toContain(password)
  expect(output).not.toContain('PRIVATE KEY')
}
