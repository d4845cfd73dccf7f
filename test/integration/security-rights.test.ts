import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { MemberProcess, until } from '../helpers/installation.ts'
import { kafkaTool } from '../helpers/kafka-tool.ts'
import type { Service } from '../helpers/services.ts'
import { localKafka, localRedis } from '../helpers/services-local.ts'
import { freePort } from '../helpers/services-ready.ts'
import { type Ended, weir } from '../helpers/weir.ts'

const folder = mkdtempSync(join(tmpdir(), 'weir-rights-'))
const document = readFileSync('docs/security.md', 'utf8')
const users = ['weir', 'weir-admin', 'payments', 'analyst', 'publisher', 'auditor'] as const
type User = (typeof users)[number]

let kafka: Service
let redis: Service
let kafkaLogin: number
let member: MemberProcess | undefined

/** A broker and a Redis on which nobody may do anything but what docs/security.md grants. */
beforeAll(async () => {
  kafkaLogin = await freePort()
  kafka = await localKafka(
    {
      'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
      'super.users': 'User:ANONYMOUS',
      'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,LOGIN:SASL_PLAINTEXT',
      'listener.name.login.sasl.enabled.mechanisms': 'SCRAM-SHA-512',
      'listener.name.login.scram-sha-512.sasl.jaas.config':
        'org.apache.kafka.common.security.scram.ScramLoginModule required;',
    },
    {
      listeners: { LOGIN: kafkaLogin },
      scram: users.slice(1).map((user) => `SCRAM-SHA-512=[name=${user},password=PASSWORD]`),
    },
  )
  redis = await localRedis({})
  const admin = new Redis(`redis://${redis.address}`)
  for (const [, rules = ''] of document.matchAll(/^ACL SETUSER (.*)$/gm)) {
    await admin.call('ACL', 'SETUSER', ...rules.split(' '))
  }
  await admin.call('ACL', 'SETUSER', 'default', 'off')
  admin.disconnect()
  for (const [line] of document.matchAll(/^kafka-(acls|configs)\.sh .*$/gm)) await runDocumented(line)
}, 600_000)
afterAll(async () => {
  await member?.kill()
  await kafka.stop()
  await redis.stop()
  rmSync(folder, { recursive: true })
})

/** A line of the document, on our broker, where its administrator needs no login. */
async function runDocumented(line: string): Promise<void> {
  const ours = line.replace('localhost:9092', kafka.address).replace('--command-config admin.properties ', '')
  const [script, ...args] = (ours.match(/'[^']*'|\S+/g) ?? []).map((word) => word.replaceAll("'", ''))
  await kafkaTool(script as 'kafka-acls.sh', args)
}

/** Takes a right of the user weir away, or gives it back. */
const change = (what: '--add' | '--remove', ...right: string[]) =>
  kafkaTool('kafka-acls.sh', [
    ...['--bootstrap-server', kafka.address, what, '--allow-principal', 'User:weir', ...right],
    ...(what === '--remove' ? ['--force'] : []),
  ])

const settings = (user: User): string[] =>
  [
    `kafka.brokers=127.0.0.1:${kafkaLogin}`,
    'kafka.sasl.mechanism=scram-sha-512',
    `kafka.sasl.username=${user}`,
    'kafka.sasl.password=PASSWORD',
    `redis.url=redis://${redis.address}`,
    `redis.username=${user === 'auditor' ? user : 'weir'}`,
    'redis.password=PASSWORD',
  ].flatMap((one) => ['--set', one])

const as = (user: User, ...command: string[]): Promise<Ended> => weir([...settings(user), ...command])

async function done(user: User, ...command: string[]): Promise<string> {
  const { code, stdout, stderr } = await as(user, ...command)
  expect({ code, stderr: code === 0 ? '' : stderr }, command.join(' ')).toEqual({ code: 0, stderr: '' })
  return stdout
}

async function start(): Promise<MemberProcess> {
  const port = await freePort()
  member = new MemberProcess(port, [...settings('weir'), '--set', `http.port=${port}`])
  return member
}

test('each user can do with these rights what is his', async () => {
  await done('weir-admin', 'topics', 'create')
  await done('weir-admin', 'topics', 'check')
  await done('payments', 'generate', '--events', '300', '--seed', '3')
  const running = await (await start()).ready()
  await until('decisions', async () => (await running.metric('weir_transactions_total')) >= 300, 60)
  expect(await running.metric('weir_degraded_total')).toBe(0)
  const tailed = await done('analyst', 'tail', 'decisions', '--from-start', '--limit', '5', '--json')
  expect(tailed.trim().split('\n')).toHaveLength(5)
  running.signal('SIGTERM')
  expect(await running.exit()).toMatchObject({ code: 0 })

  const snapshot = join(folder, 'states.weir')
  await done('auditor', 'replay', 'topic', '--state', snapshot, '--out', join(folder, 'replay'))
  await done('auditor', 'replay', '--verify')
  await done('auditor', 'state', 'check', snapshot)
}, 600_000)

test('a snapshot can be loaded by who may be a member of the new group', async () => {
  for (const right of [
    ['--operation', 'Read', '--group', 'weir-b'],
    ['--operation', 'Write', '--resource-pattern-type', 'prefixed', '--transactional-id', 'weir-b-'],
  ])
    await change('--add', ...right)
  await done(
    'weir',
    '--set',
    'group=weir-b',
    '--set',
    'app=weir.b',
    'state',
    'load',
    join(folder, 'states.weir'),
  )
}, 300_000)

const control = ['--operation', 'Read', '--topic', 'fraud.control.v1']

test('who may write the control topic changes what decides, and nobody else; who may not read it does not decide blindly', async () => {
  const running = await (await start()).ready()
  const before = await running.metric('weir_control_offset')
  await done('publisher', 'rules', 'publish', 'rules/example.yaml', '--author', 'ana')
  await done('publisher', 'policy', 'publish', 'policy.yaml', '--author', 'ana')
  await done('publisher', 'lists', 'add', 'deny', 'device', 'd-1', '--author', 'ana')
  await done('publisher', 'lists', 'remove', 'deny', 'device', 'd-1', '--author', 'ana')
  await done('publisher', 'rules', 'diff', 'rules/example.yaml')
  expect(await done('publisher', 'lists', 'show')).toContain('nothing stands on a list')
  await until('the changes', async () => (await running.metric('weir_control_offset')) >= before + 4, 30)
  for (const user of ['analyst', 'payments'] as const) {
    const { code, stderr } = await as(user, 'lists', 'add', 'deny', 'device', 'd-2', '--author', 'eve')
    expect(code).toBe(1)
    expect(stderr).toMatch(/fraud\.control\.v1.*AUTHORIZATION_FAILED|WEIR_LOG_DENIED/)
  }

  await change('--remove', ...control)
  const told = running.output.length
  await until('a word of it', () => /control topic cannot be read/.test(running.output.slice(told)), 60)
  const decided = await running.metric('weir_transactions_total')
  await done('payments', 'generate', '--events', '20', '--seed', '5')
  await until('decisions', async () => (await running.metric('weir_transactions_total')) >= decided + 20, 60)
  await running.kill()
  const { code, stderr } = await as('weir', '--set', 'http.port=0', 'stream')
  await change('--add', ...control)
  expect(code).toBe(1)
  expect(stderr).toMatch(/fraud\.control\.v1/)
  expect(stderr).toMatch(/AUTHORIZATION_FAILED/)
}, 300_000)

const decisions = ['--operation', 'Write', '--topic', 'fraud.decisions.v1']
// Members read decisions, too, and see the topic without the right to write there; alerts they only write.
const alerts = ['--operation', 'Write', '--topic', 'fraud.alerts.v1']
const group = ['--operation', 'Read', '--group', 'weir']
const ids = ['--operation', 'Write', '--resource-pattern-type', 'prefixed', '--transactional-id', 'weir-']

test.each<[string, string[], RegExp]>([
  [
    'Write on a topic',
    alerts,
    /fraud\.alerts\.v1.*TOPIC_AUTHORIZATION_FAILED.*\ncure: .*Write where it writes/,
  ],
  ['Read on the group', group, /member of weir.*GROUP_AUTHORIZATION_FAILED.*\ncure: .*Read on the group/],
])(
  'without %s the member ends at the start and says so',
  async (_, right, message) => {
    await change('--remove', ...right)
    const { code, stderr } = await as('weir', '--set', 'http.port=0', 'stream')
    await change('--add', ...right)
    expect(code).toBe(1)
    expect(stderr).toMatch(message)
  },
  300_000,
)

test.each<[string, string[], RegExp]>([
  ['Write on a topic', decisions, /"level":"error".*fraud\.decisions\.v1.*TOPIC_AUTHORIZATION_FAILED/],
  [
    'the transactional ids',
    ids,
    /"level":"error".*TRANSACTIONAL_ID_AUTHORIZATION_FAILED.*begin with the group/,
  ],
])(
  'without %s a running member says so, commits nothing, and goes on with it',
  async (_, right, message) => {
    const running = await (await start()).ready()
    await change('--remove', ...right)
    const told = running.output.length
    await done('payments', 'generate', '--events', '20', '--seed', '4')
    await until('a word of it', () => message.test(running.output.slice(told)), 60)
    const before = await running.metric('weir_transactions_total')
    await change('--add', ...right)
    await until('decisions', async () => (await running.metric('weir_transactions_total')) >= before + 20, 60)
    await running.kill()
  },
  300_000,
)
