import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer, type Server } from 'node:tls'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, inject, it } from 'vitest'
import { Authority, type Certificate } from '../helpers/certificates.ts'
import { aTransaction } from '../helpers/contracts.ts'
import { Installation } from '../helpers/installation.ts'
import type { Service } from '../helpers/services.ts'
import { localKafka } from '../helpers/services-local.ts'
import { freePort } from '../helpers/services-ready.ts'
import { weir } from '../helpers/weir.ts'

const folder = mkdtempSync(join(tmpdir(), 'weir-security-'))
const authority = new Authority(folder, 'authority')
const stranger = new Authority(folder, 'stranger')
const server = authority.issue('server')
const client = authority.issue('client')
const passwords = { kafka: 'kafka-secret-71', redis: 'redis-secret-72', wrong: 'wrong-secret-73' }

const redisUser = `weir-test-${process.pid}`
/** What docs/operations.md tells people to grant, for keys of the installations of this test. */
const documented = /^ACL SETUSER weir (.*)$/m.exec(readFileSync('docs/operations.md', 'utf8'))?.[1] ?? ''

let kafka: Service
let redis: Redis
let redisTls: Server
let ports: { readonly SECURE: number; readonly MUTUAL: number; readonly redis: number }

beforeAll(async () => {
  ports = { SECURE: await freePort(), MUTUAL: await freePort(), redis: await freePort() }
  kafka = await localKafka(secureKafka(server), {
    listeners: { SECURE: ports.SECURE, MUTUAL: ports.MUTUAL },
    scram: [`SCRAM-SHA-512=[name=weir,password=${passwords.kafka}]`],
  })
  redis = new Redis(inject('redisUrl'))
  const rules = documented.replace('<password>', passwords.redis).replace('{weir.', '{test-')
  await redis.call('ACL', 'SETUSER', redisUser, ...rules.split(' '))
  redisTls = await encrypted(inject('redisUrl'), server)
})
afterAll(async () => {
  redisTls.close()
  await redis.call('ACL', 'DELUSER', redisUser)
  redis.disconnect()
  await kafka.stop()
  rmSync(folder, { recursive: true })
})

const trustKafka = [`kafka.tls.enabled=true`, `kafka.tls.ca_file=${authority.ca.certFile}`]
const kafkaLogin = (mechanism: string, password = passwords.kafka) => [
  `kafka.brokers=127.0.0.1:${ports.SECURE}`,
  'kafka.sasl.username=weir',
  `kafka.sasl.mechanism=${mechanism}`,
  `kafka.sasl.password=${password}`,
  ...trustKafka,
]
const redisLogin = (password = passwords.redis) => [
  `redis.url=rediss://127.0.0.1:${ports.redis}`,
  'redis.tls.enabled=true',
  `redis.tls.ca_file=${authority.ca.certFile}`,
  `redis.username=${redisUser}`,
  `redis.password=${password}`,
]
const mutual = (certificate: Certificate) => [
  `kafka.brokers=127.0.0.1:${ports.MUTUAL}`,
  ...trustKafka,
  `kafka.tls.cert_file=${certificate.certFile}`,
  `kafka.tls.key_file=${certificate.keyFile}`,
]

it.each([
  ['SCRAM-SHA-512', () => kafkaLogin('scram-sha-512')],
  ['PLAIN', () => kafkaLogin('plain')],
  ['a client certificate', () => mutual(client)],
])('scores through TLS, with %s and a Redis user who may do no more than it must', async (_, login) => {
  await using own = await Installation.create([...login(), ...redisLogin()])
  const member = await (await own.start()).ready()
  await own.send(aTransaction({ transaction_id: 'first' }))
  await own.decisionOn('first')
  await own.send(aTransaction({ transaction_id: 'second' }))
  // It remembers the first: states are written and read by this user.
  const { content } = await own.decisionOn('second')
  expect(content.status).toBe('scored')
  expect(await member.metric('weir_degraded_total')).toBe(0)
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

/** Ends by itself, names the settings that can mend it, and gives nothing away. */
async function refused(...set: string[]): Promise<string> {
  const flags = ['http.port=0', 'topics.partitions=2', ...set].flatMap((one) => ['--set', one])
  const { code, stdout, stderr } = await weir(['stream', ...flags])
  expect(code).toBe(1)
  expect(stdout).toBe('')
  expect(stderr).toMatch(/^cure: /m)
  expect(stderr).not.toMatch(/^ +at /m)
  expectNoSecret(stderr)
  return stderr
}

it.each(['scram-sha-512', 'plain'])('a wrong Kafka password is named (%s)', async (mechanism) => {
  const stderr = await refused(...kafkaLogin(mechanism, passwords.wrong), ...redisLogin())
  expect(stderr).toMatch(/authentication.*WEIR_LOG_DENIED/i)
  expect(stderr).toContain('kafka.sasl')
})

it('a broker of another authority is not trusted', async () => {
  const set = [...kafkaLogin('plain'), `kafka.tls.ca_file=${stranger.ca.certFile}`, ...redisLogin()]
  const stderr = await refused(...set)
  expect(stderr).toMatch(/certificate.*WEIR_LOG_UNAVAILABLE/i)
  expect(stderr).toContain('kafka.tls')
})

it('a client certificate of another authority is refused by the broker', async () => {
  const stderr = await refused(...mutual(stranger.issue('client')), ...redisLogin())
  expect(stderr).toContain('WEIR_LOG_UNAVAILABLE')
  expect(stderr).toContain('kafka.tls')
})

it('a wrong Redis password is named', async () => {
  const stderr = await refused(...kafkaLogin('plain'), ...redisLogin(passwords.wrong))
  expect(stderr).toMatch(/WRONGPASS.*WEIR_STORE_UNAVAILABLE/)
  expect(stderr).toContain('redis.password')
})

it('a Redis of another authority is not trusted', async () => {
  const set = [...kafkaLogin('plain'), ...redisLogin(), `redis.tls.ca_file=${stranger.ca.certFile}`]
  const stderr = await refused(...set)
  expect(stderr).toMatch(/certificate.*WEIR_STORE_UNAVAILABLE/)
  expect(stderr).toContain('redis.tls')
})

it('a Redis user who lacks a right is told which', async () => {
  await redis.call('ACL', 'SETUSER', redisUser, '-info')
  try {
    const stderr = await refused(...kafkaLogin('plain'), ...redisLogin())
    expect(stderr).toMatch(/info.*WEIR_STORE_UNAVAILABLE/i)
  } finally {
    await redis.call('ACL', 'SETUSER', redisUser, '+info')
  }
})

function expectNoSecret(output: string): void {
  for (const password of Object.values(passwords)) expect(output).not.toContain(password)
  expect(output).not.toContain('PRIVATE KEY')
}

function secureKafka({ cert, key }: Certificate) {
  const line = (pem: string) => pem.trim().replaceAll('\n', '\\n')
  const login = 'org.apache.kafka.common.security'
  return {
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURE:SASL_SSL,MUTUAL:SSL',
    'ssl.keystore.type': 'PEM',
    'ssl.keystore.certificate.chain': line(cert),
    'ssl.keystore.key': line(key),
    'ssl.truststore.type': 'PEM',
    'ssl.truststore.certificates': line(authority.ca.cert),
    'listener.name.mutual.ssl.client.auth': 'required',
    'listener.name.secure.sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-512',
    'listener.name.secure.plain.sasl.jaas.config': `${login}.plain.PlainLoginModule required user_weir="${passwords.kafka}";`,
    'listener.name.secure.scram-sha-512.sasl.jaas.config': `${login}.scram.ScramLoginModule required;`,
  }
}

/** TLS in front of a Redis, as a load balancer or stunnel would: servers without TLS of their own do too. */
async function encrypted(url: string, { cert, key }: Certificate): Promise<Server> {
  const { hostname, port } = new URL(url)
  const front = createServer({ cert, key }, (secure) => {
    const plain = connect(Number(port), hostname)
    secure.pipe(plain).pipe(secure)
    for (const socket of [secure, plain])
      socket.on('error', () => [secure, plain].map((one) => one.destroy()))
  })
  await new Promise<void>((resolve) => front.listen(ports.redis, '127.0.0.1', resolve))
  return front
}
