import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { type LoadOptions, loadConfig } from '../../../src/config/load.ts'
import type { WeirError } from '../../../src/core/errors.ts'

const folder = mkdtempSync(join(tmpdir(), 'weir-config-'))
afterAll(() => rmSync(folder, { recursive: true }))

function file(content: string, name = 'weir.yaml'): string {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}

const load = (options: LoadOptions) => loadConfig({ file: '/dev/null', env: {}, ...options })

function mistake(options: LoadOptions): WeirError {
  try {
    load(options)
  } catch (error) {
    return error as WeirError
  }
  throw new Error('the configuration was accepted')
}

describe('precedence', () => {
  it('is defaults, file, environment, flags', () => {
    const yaml = file('http: {host: from-file, port: 1}\nkafka:\n  client_id: from-file\napp: from-file\n')
    const { config, sources } = load({
      file: yaml,
      env: { WEIR_HTTP__PORT: '2', WEIR_KAFKA__CLIENT_ID: 'from-env' },
      set: ['http.port=3', 'http.port=4'],
    })
    expect(config.group).toBe('weir')
    expect(config.app).toBe('from-file')
    expect(config.kafka.client_id).toBe('from-env')
    expect(config.http).toMatchObject({ host: 'from-file', port: 4 })
    expect(Object.fromEntries(sources)).toEqual({
      app: yaml,
      'http.host': yaml,
      'http.port': '--set http.port',
      'kafka.client_id': 'WEIR_KAFKA__CLIENT_ID',
    })
  })

  it('takes WEIR_CONFIG when no file is named', () => {
    const yaml = file('app: other', 'other.yaml')
    expect(loadConfig({ env: { WEIR_CONFIG: yaml } }).config.app).toBe('other')
  })

  it('takes a section whose lines are all commented out as absent', () => {
    expect(load({ file: file('kafka:\n  # brokers: [a:1]\n') }).config.kafka.brokers).toEqual([
      'localhost:9092',
    ])
  })
})

describe('values', () => {
  it('come from text by the type of the setting', () => {
    const { config } = load({
      env: {
        WEIR_KAFKA__BROKERS: 'a:9092, b:9092',
        WEIR_REDIS__TLS__ENABLED: 'true',
        WEIR_REDIS__PASSWORD: '0123',
        WEIR_SCHEMA_REGISTRY__URL: 'null',
      },
    })
    expect(config.kafka.brokers).toEqual(['a:9092', 'b:9092'])
    expect(config.redis.tls.enabled).toBe(true)
    expect(config.redis.password).toBe('0123')
    expect(config.schema_registry.url).toBeNull()
  })

  it('of secrets may come from a file, and lose its last newline only', () => {
    const secret = file('geheim \n', 'secret')
    expect(load({ env: { WEIR_REDIS__PASSWORD_FILE: secret } }).config.redis.password).toBe('geheim ')
  })

  it('of settings that end in _file are paths', () => {
    expect(load({ env: { WEIR_REDIS__TLS__CA_FILE: '/ca.pem' } }).config.redis.tls.ca_file).toBe('/ca.pem')
  })

  it('cannot be changed afterwards', () => {
    const { config } = load({})
    expect(() => Object.assign(config.kafka.sasl, { password: 'x' })).toThrow(TypeError)
    expect(() => (config.kafka.brokers as string[]).push('x')).toThrow(TypeError)
  })
})

describe('mistakes', () => {
  it.each<[string, LoadOptions, string]>([
    ['a misspelt key', { file: file('kafka: {brokerz: [a:1]}', 'a.yaml') }, 'did you mean kafka.brokers?'],
    ['swapped letters', { set: ['htpt.port=1'] }, 'did you mean http.port?'],
    ['a key without its section', { set: ['brokers=a:1'] }, 'did you mean kafka.brokers?'],
    ['a misspelt variable', { env: { WEIR_KAFKA__BROKER: 'a:1' } }, 'did you mean WEIR_KAFKA__BROKERS?'],
    ['a key like no other', { set: ['xyzzy=1'] }, '--set xyzzy: there is no setting xyzzy'],
    ['a section as a value', { env: { WEIR_KAFKA: 'a:1' } }, 'kafka is a section; set one of its keys'],
    ['a wrong type', { set: ['http.port=ten'] }, 'http.port is "ten"; allowed: whole number, 0 to 65535'],
    ['a value out of range', { set: ['chunk.max_records=0'] }, 'allowed: whole number, 1 to 100000'],
    [
      'an item of a list',
      { set: ['kafka.brokers=a:1,b'] },
      'kafka.brokers is ["a:1","b"]; allowed: list of host:port',
    ],
    ['a choice', { set: ['log.level=loud'] }, 'allowed: one of trace, debug'],
    [
      'two topics of one name',
      { set: ['topics.dead_letters=payments.transactions.v1'] },
      'topics.dead_letters: names the topic of topics.transactions',
    ],
    ['half a key pair', { set: ['redis.tls.cert_file=c.pem'] }, 'cert_file and key_file are given together'],
    [
      'a nameless login',
      { set: ['kafka.sasl.mechanism=plain'] },
      'needs kafka.sasl.username and kafka.sasl.password',
    ],
  ])('%s: says what to write instead', (_, options, message) => {
    const { code, message: shown } = mistake(options)
    expect(code).toBe('WEIR_CONFIG_INVALID')
    expect(shown).toContain(message)
  })

  it('are all told at once, each with its place', () => {
    const yaml = file('http: {port: 70000}\nchunks: {}\nlog: {colour: red}\n', 'many.yaml')
    expect(mistake({ file: yaml, set: ['app='] }).message.split('\n')).toEqual([
      `${yaml}: there is no setting log.colour`,
      '--set app: app is ""; allowed: letters, digits, dot, dash, underscore',
      `${yaml}: http.port is 70000; allowed: whole number, 0 to 65535`,
    ])
  })

  it.each(['a', 'a:65536', 'user@a:6379', 'a/b:6379', '[::1:6379'])('%s is no address of a node', (node) => {
    expect(() => loadConfig({ set: [`redis.cluster_nodes=${node}`] })).toThrow(/redis\.cluster_nodes/)
  })

  it('a cluster stands instead of a server', () => {
    const nodes = 'redis.cluster_nodes=a:6379,[::1]:65535'
    expect(loadConfig({ set: [nodes] }).config.redis.cluster_nodes).toEqual(['a:6379', '[::1]:65535'])
    expect(() => loadConfig({ set: [nodes, 'redis.url=redis://b:6379'] })).toThrow(/leave one of the two out/)
  })

  it.each<[string, LoadOptions, string]>([
    ['of a wrong URL', { set: ['redis.url=http://user:geheim@host'] }, 'redis.url'],
    ['of a URL without a scheme', { set: ['redis.url=user:geheim@host:6379'] }, 'redis.url'],
    ['with a slash in it', { set: ['redis.url=http://user:ge/geheim@host'] }, 'redis.url'],
    ['of the query of a URL', { set: ['redis.url=http://host?password=geheim'] }, 'redis.url'],
    ['in a list', { set: ['kafka.brokers=user:geheim@host:9092'] }, 'kafka.brokers'],
    ['after a colon instead of =', { set: ['redis.password: geheim'] }, '--set redis.password has no value'],
    ['alone after --set', { set: ['geheim'] }, '--set … has no value'],
    [
      'that YAML takes for a mapping',
      { file: file('redis: {password: {geheim}}', 'm.yaml') },
      'redis.password is no section',
    ],
    ['that YAML takes for a list', { file: file('redis: {password: [geheim]}', 'l.yaml') }, 'redis.password'],
    [
      'with a quote too few',
      { file: file('redis:\n  password: "geheim\n', 'q.yaml') },
      'line 3, column 1: missing char',
    ],
    ['with a colon', { file: file('redis:\n  password: geheim: b\n', 'c.yaml') }, 'line 2, column 13'],
    ['that YAML takes for an alias', { file: file('redis:\n  password: *geheim\n', 'x.yaml') }, 'an anchor'],
    ['in the place of its file', { env: { WEIR_REDIS__PASSWORD_FILE: 'geheim' } }, '_FILE: cannot read'],
  ])('never show a secret: %s', (_, options, named) => {
    const { message } = mistake(options)
    expect(message).toContain(named)
    expect(message).not.toContain('geheim')
  })

  it.each<[string, LoadOptions]>([
    ['a file that is named but absent', { file: '/nowhere/weir.yaml' }],
    ['a file that is not YAML', { file: file('a: [', 'broken.yaml') }],
    ['a key that is there twice', { file: file('app: a\napp: b', 'twice.yaml') }],
    ['a secret file that is absent', { env: { WEIR_REDIS__PASSWORD_FILE: '/nowhere' } }],
  ])('%s cannot be read', (_, options) => {
    expect(mistake(options).code).toBe('WEIR_CONFIG_UNREADABLE')
  })

  it.each(['', '\n'])('a secret file with nothing in it is no secret: %j', (text) => {
    expect(mistake({ env: { WEIR_REDIS__PASSWORD_FILE: file(text, 'empty') } })).toMatchObject({
      code: 'WEIR_CONFIG_INVALID',
      message: 'WEIR_REDIS__PASSWORD_FILE: the file that it names is empty',
      cure: expect.stringContaining('write the secret into the file'),
    })
  })

  it('a --set without a value is a mistake of usage', () => {
    expect(mistake({ set: ['http.port'] }).code).toBe('WEIR_CLI_USAGE')
  })

  it('do not include what Kubernetes sets for a service named weir', () => {
    const env = { WEIR_PORT: 'tcp://10.0.0.1:80', WEIR_SERVICE_HOST: '10.0.0.1', WEIR_PORT_80_TCP_PORT: '80' }
    expect(load({ env }).sources.size).toBe(0)
  })
})
