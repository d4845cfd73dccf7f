import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, inject, it } from 'vitest'
import { stringify } from 'yaml'
import { variableOf } from '../../src/config/settings.ts'
import { freePort } from '../helpers/services-ready.ts'
import { weir } from '../helpers/weir.ts'

/** Texts that stand nowhere else. */
const secrets = {
  'kafka.sasl.password': 'geheim-kafka-81',
  'redis.password': 'geheim-redis-82',
  'schema_registry.password': 'geheim-registry-83',
} as const
const inUrls = { redis: 'geheim-redis-url-84', registry: 'geheim-registry-url-85' }
type Secret = keyof typeof secrets
const names = Object.keys(secrets) as Secret[]

/** How a setting is given. */
const ways = ['variable', 'variable of a file', 'file', 'flag'] as const
type Way = (typeof ways)[number]

const folder = mkdtempSync(join(tmpdir(), 'weir-secrets-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** Everything points to servers that are there and refuse the login; no registry is. */
async function settings(): Promise<Record<string, string>> {
  const { host } = new URL(inject('redisUrl'))
  return {
    'kafka.brokers': inject('kafkaBrokers'),
    'kafka.sasl.mechanism': 'scram-sha-256',
    'kafka.sasl.username': 'weir',
    'redis.url': `redis://somebody:${inUrls.redis}@${host}`,
    'schema_registry.url': `http://somebody:${inUrls.registry}@127.0.0.1:${await freePort()}`,
    'log.level': 'trace',
    'http.port': '0',
  }
}

/** Runs a command with each secret given another way, beginning with `turn`, and returns all that it said. */
async function run(
  command: readonly string[],
  turn: number,
  without: readonly string[] = [],
): Promise<string> {
  const env: Record<string, string> = {}
  const file: Record<string, unknown> = {}
  const flags: string[] = []
  const give: Readonly<Record<Way, (path: string, value: string) => void>> = {
    variable: (path, value) => {
      env[variableOf(path)] = value
    },
    'variable of a file': (path, value) => {
      const secretFile = join(folder, path)
      writeFileSync(secretFile, `${value}\n`)
      env[`${variableOf(path)}_FILE`] = secretFile
    },
    file: (path, value) => {
      const [section = '', ...rest] = path.split('.')
      const inner = rest.reduceRight<unknown>((node, key) => ({ [key]: node }), value) as object
      file[section] = { ...(file[section] as object), ...inner }
    },
    flag: (path, value) => flags.push('--set', `${path}=${value}`),
  }
  for (const [i, name] of names.entries()) {
    if (!without.includes(name)) give[ways[(i + turn) % ways.length] as Way](name, secrets[name])
  }
  for (const [path, value] of Object.entries(await settings())) flags.push('--set', `${path}=${value}`)
  const config = join(folder, 'weir.yaml')
  writeFileSync(config, stringify(file))
  const { stdout, stderr } = await weir([...flags, '--config', config, ...command], { env })
  return stdout + stderr
}

function expectNoSecret(output: string): void {
  // The words before the number are all that may differ: no part of one either.
  expect(output).not.toMatch(/geheim/)
}

const out = (name: string): string => join(folder, 'out', name)
const payments = join(folder, 'payments.csv')
writeFileSync(payments, 'transaction_id,event_time\nt-1,2026-01-05T00:00:00Z\n')
// Without the registry they get as far as to write.
const some = ['--events', '200', '--set', 'schema_registry.url=null']

it.each<[string, string[]]>([
  ['config print', []],
  ['config print', ['--json']],
  ['config check', []],
  ['topics create', []],
  ['topics check', []],
  ['generate', some],
  ['produce', [payments]],
  ['tail decisions', ['--limit', '1']],
  ['stream', []],
  ['replay', [...some, '--out', out('replay'), '--scores', out('scores.csv'), '--state', out('states.weir')]],
  ['replay topic', ['--out', out('topic')]],
  ['replay', ['--verify']],
  ['compare', [out('nothing')]],
  ['threshold', [out('nothing')]],
  ['features list', []],
  ['export', [...some, '--out', out('table.parquet')]],
  ['train', [payments, '--out', out('model')]],
  ['model check', []],
  ['state load', [out('nothing')]],
  ['state check', [out('nothing')]],
  ['demo', [...some, '--out', out('demo')]],
])('%s %j gives no secret away', async (command, more) => {
  const output = await run([...command.split(' '), ...more], command.length)
  expect(output.length).toBeGreaterThan(0)
  expectNoSecret(output)
})

it.each(ways.map((_, turn) => turn))(
  'the login that Redis refuses shows nothing, whichever way it was given (%i)',
  async (turn) => {
    const output = await run(['stream'], turn)
    expect(output).toContain('WRONGPASS')
    expectNoSecret(output)
  },
)

it('credentials in a URL alone show nothing', async () => {
  for (const command of [['stream'], ['config', 'print', '--json'], ['generate', ...some]]) {
    expectNoSecret(await run(command, 0, ['redis.password', 'schema_registry.password']))
  }
})

it('no file that was written holds a secret, and the search would find one', () => {
  const written = readdirSync(join(folder, 'out'), { recursive: true, withFileTypes: true })
  const texts = written
    .filter((one) => one.isFile())
    .map((one) => readFileSync(join(one.parentPath, one.name), 'latin1'))
  expect(texts.length).toBeGreaterThan(0)
  for (const text of texts) expectNoSecret(text)
  expect(() => expectNoSecret(`password: ${secrets['kafka.sasl.password']}`)).toThrow()
})
