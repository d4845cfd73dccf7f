import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { openContracts, openKafka } from '../../src/apps/connect.ts'
import { loadConfig } from '../../src/config/load.ts'
import { partitionOf } from '../../src/core/partition.ts'
import type { LogRecord } from '../../src/core/ports.ts'
import { aDecision, anAlert, eventTime } from '../helpers/contracts.ts'
import { weir } from '../helpers/weir.ts'

const folder = mkdtempSync(join(tmpdir(), 'weir-cli-'))

/** Topics of this run's own, by name. */
function settings(partitions = 3): { set: string[]; flags: string[] } {
  const unique = randomUUID().slice(0, 8)
  const names = [
    'transactions',
    'labels',
    'control',
    'decisions',
    'alerts',
    'case_actions',
    'dead_letters',
    'entity_updates',
  ]
  const set = [
    `kafka.brokers=${inject('kafkaBrokers')}`,
    `topics.partitions=${partitions}`,
    ...names.map((name) => `topics.${name}=cli-${unique}-${name}`),
  ]
  return { set, flags: set.flatMap((one) => ['--set', one]) }
}

const topicsOf = ({ set }: { set: string[] }) => loadConfig({ file: '/dev/null', env: {}, set }).config.topics

const { set, flags } = settings()
const { config } = loadConfig({ file: '/dev/null', env: {}, set })
const log = openKafka(config)

afterAll(async () => {
  await log.close()
  rmSync(folder, { recursive: true })
})

beforeAll(async () => {
  expect(await weir(['topics', 'create', ...flags])).toMatchObject({ code: 0 })
})

async function readAll(topic: string): Promise<(LogRecord & { partition: number })[]> {
  const records: (LogRecord & { partition: number })[] = []
  const subscription = await log.subscribe(`read-${randomUUID()}`, [topic], {
    onAssigned() {},
    async onRun(run) {
      records.push(...run.records.map((record) => ({ ...record, partition: run.partition })))
      return (run.records.at(-1)?.offset ?? 0) + 1
    },
  })
  await subscription.idle()
  await subscription.stop()
  return records
}

describe('weir topics', () => {
  it('create makes what is missing once, and check finds it right', async () => {
    const again = await weir(['topics', 'create', '--json', ...flags])
    expect(JSON.parse(again.stdout)).toEqual({ created: [] })
    const { code, stdout } = await weir(['topics', 'check', ...flags])
    expect(code).toBe(0)
    expect(stdout).toMatch(new RegExp(`${config.topics.transactions} +ok`))
  })

  it('check says what differs, and fails', async () => {
    const { code, stdout, stderr } = await weir(['topics', 'check', ...flags, '--set', 'topics.partitions=4'])
    expect(code).toBe(1)
    expect(stdout).toContain('3 partitions, not 4')
    expect(stderr).toContain('7 of 8 topics are not as configured')
    const absent = await weir(['topics', 'check', ...settings().flags])
    expect(absent.code).toBe(1)
    expect(absent.stdout).toContain('does not exist')
  })
})

describe('weir produce', () => {
  const head = 'TRANSACTION_ID,TX_DATETIME,CUSTOMER_ID,TERMINAL_ID,TX_AMOUNT,TX_FRAUD,TX_FRAUD_SCENARIO'
  const rows = [
    '0,2018-04-01 00:00:31,596,3156,57.16,0,0',
    '1,2018-04-01 00:02:10,4961,3412,81.51,1,2',
    '2,2018-04-01 00:07:56,2,1365,-146.00,0,0',
    '3,2018-04-09 00:09:29,4128,8737,64.49,0,0',
  ]
  const file = join(folder, 'handbook.csv.gz')
  writeFileSync(file, gzipSync([head, ...rows, ''].join('\n')))

  it('stops at a bad row, or skips it, and says which', async () => {
    const own = settings()
    await weir(['topics', 'create', ...own.flags])
    const stopped = await weir(['produce', file, '--map', 'handbook', ...own.flags])
    expect(stopped.code).toBe(1)
    expect(stopped.stderr).toContain('3 records in')
    expect(stopped.stderr).toContain(`${file}, line 4: "-146.00" is no amount`)

    const skipped = await weir(['produce', file, '--map', 'handbook', '--on-error', 'skip', ...flags])
    expect(skipped.code).toBe(0)
    expect(skipped.stderr).toContain(`${file}, line 4: "-146.00" is no amount`)
    expect(skipped.stderr).toContain('1 of 4 rows were skipped')
    expect(skipped.stderr).toContain('4 records in')
  })

  it('sends payments and labels with their own times into the partitions of their customers', async () => {
    const contracts = await openContracts(config)
    const payments = await readAll(config.topics.transactions)
    expect(payments).toHaveLength(3)
    for (const payment of payments) {
      const key = payment.key?.toString() ?? ''
      expect(payment.partition).toBe(partitionOf(key, 3))
      const [decoded] = await contracts.transactions.decode([payment])
      expect(decoded).toMatchObject({ ok: true, value: { customer_id: key, event_time: payment.timestamp } })
    }
    const [label, ...others] = await readAll(config.topics.labels)
    expect(others).toEqual([])
    expect(label?.timestamp).toBe(Date.UTC(2018, 3, 8, 0, 2, 10))
    const [decoded] = await contracts.labels.decode(label === undefined ? [] : [label])
    expect(decoded).toMatchObject({ ok: true, value: { transaction_id: '1', fraud_type: 'scenario_2' } })
  })

  it('a time that lies in the future is a fault of its row; what Kafka refuses is no outage', async () => {
    const own = settings()
    await weir(['topics', 'create', ...own.flags])
    const columns = 'transaction_id,event_time,customer_id,amount_minor,currency,merchant_id'
    const paid = Array.from({ length: 300 }, (_, i) => `t${i},${eventTime + i},c${i},100,EUR,m`)
    paid[120] = `late,${Date.UTC(2099)},c120,100,EUR,m`
    const future = join(folder, 'future.csv')
    writeFileSync(future, [columns, ...paid, ''].join('\n'))
    const wrong = `${future}, line 122: event_time lies more than 300000 ms after now`

    const stopped = await weir(['produce', future, ...own.flags])
    expect(stopped).toMatchObject({ code: 1, stderr: expect.stringContaining(wrong) })
    expect(stopped.stderr).toContain('120 records in')
    const skipped = await weir(['produce', future, '--on-error', 'skip', ...own.flags])
    expect(skipped).toMatchObject({ code: 0, stderr: expect.stringContaining(wrong) })
    expect(skipped.stderr).toContain('299 records in')
    expect(await readAll(topicsOf(own).transactions)).toHaveLength(120 + 299)

    // The topic keeps its own limit, whatever the configuration says by now.
    const anyTime = ['--set', 'limits.event_time_future_ms=9000000000000']
    const refused = await weir(['produce', future, '--on-error', 'skip', ...own.flags, ...anyTime])
    expect(refused.code).toBe(1)
    expect(refused.stderr).toMatch(
      /0 records in .*\n.*INVALID_TIMESTAMP.*some of the 300 records sent last may be there/,
    )
    expect(refused.stderr).toMatch(/WEIR_LOG_REFUSED.*\n.*message\.timestamp\.after\.max\.ms/)
  })

  it('names the columns that it does not read, and refuses a file that is something else', async () => {
    const own = settings()
    await weir(['topics', 'create', ...own.flags])
    const columns = 'transaction_id,event_time,customer_id,amount_minor,currency,merchant_id'
    const written = (name: string, ...lines: string[]) => {
      writeFileSync(join(folder, name), [...lines, ''].join('\n'))
      return join(folder, name)
    }
    const produced = (path: string, ...more: string[]) =>
      weir(['produce', path, '--on-error', 'skip', ...more, ...own.flags])
    const misspelt = await produced(
      written('odd.csv', `${columns},deviceid`, `t1,${eventTime},c,100,EUR,m,d-1`),
    )
    expect(misspelt.stderr).toContain('odd.csv: deviceid are no fields of a payment and were not read')
    expect(misspelt.stderr).toContain('1 records in')

    const row = `t2,${eventTime},c,100,XXY,m`
    const refused: [string, string[], string][] = [
      [written('bad.csv', columns, row, row), [], 'not one of 2 rows can be read; the first, '],
      [written('head.csv', columns), [], 'head.csv has no rows'],
      [written('semi.csv', columns.replaceAll(',', ';')), [], 'semi.csv has no column transaction_id'],
      [join(folder, 'odd.csv'), ['--as', 'labels'], 'odd.csv has no column label_id'],
    ]
    for (const [path, more, message] of refused) {
      const { code, stderr } = await produced(path, ...more)
      expect(stderr).toContain(message)
      expect(stderr).toContain('WEIR_CLI_INPUT')
      expect(code).toBe(1)
    }
    expect(await readAll(topicsOf(own).transactions)).toHaveLength(1)
  })

  it('says what to do where a topic or Kafka is missing', async () => {
    const noTopic = await weir(['produce', file, '--map', 'handbook', ...settings().flags])
    expect(noTopic.code).toBe(1)
    expect(noTopic.stderr).toContain('weir topics create')
    const noKafka = await weir(['produce', file, '--map', 'handbook', '--set', 'kafka.brokers=127.0.0.1:1'])
    expect(noKafka).toMatchObject({ code: 1, stderr: expect.stringContaining('WEIR_LOG_UNAVAILABLE') })
  })
})

it('weir generate fills the topics, at a rate', async () => {
  const own = settings()
  const topics = topicsOf(own)
  await weir(['topics', 'create', ...own.flags])
  const begun = performance.now()
  const run = await weir([
    'generate',
    '--events',
    '300',
    '--rate',
    '200',
    '--damaged-rate',
    '0.1',
    ...own.flags,
  ])
  expect(run.code).toBe(0)
  expect(performance.now() - begun).toBeGreaterThan(1_300)
  const contracts = await openContracts({ ...config, topics })
  const decoded = await contracts.transactions.decode(await readAll(topics.transactions))
  expect(decoded.filter(({ ok }) => ok).length).toBeGreaterThanOrEqual(300)
  const refused = decoded.filter(({ ok }) => !ok).length
  expect(refused).toBeGreaterThan(5)

  const out = ['--out', join(folder, 'from-topic.parquet'), ...own.flags]
  const stopped = await weir(['export', 'topic', ...out])
  expect(stopped.code).toBe(1)
  expect(stopped.stderr).toMatch(/-\d, offset \d+: .*WEIR_RECORD_/)
  const exported = await weir(['export', 'topic', '--on-error', 'skip', '--json', ...out])
  expect(exported.code).toBe(0)
  expect(JSON.parse(exported.stdout)).toMatchObject({ rows: 300 })
  expect(exported.stderr).toContain(`${refused} of ${300 + refused} rows were skipped`)
})

describe('weir tail', () => {
  const features = Buffer.from(new Float32Array([1.5, Number.NaN]).buffer)

  beforeAll(async () => {
    const { decisions, alerts } = await openContracts(config)
    const at = { partition: 1, key: 'c1' }
    await log.append([
      {
        ...at,
        topic: config.topics.decisions,
        value: decisions.encode(aDecision({ outcome: 'decline', features })),
      },
      { ...at, topic: config.topics.decisions, value: decisions.encode(aDecision({ outcome: 'approve' })) },
      { ...at, topic: config.topics.alerts, value: alerts.encode(anAlert({ event_time: eventTime })) },
    ])
  })

  it('prints one line a decision', async () => {
    const { code, stdout } = await weir(['tail', 'decisions', '--from-start', '--limit', '2', ...flags])
    expect(code).toBe(0)
    expect(stdout.trimEnd().split('\n')).toEqual([
      expect.stringMatching(/^2026-01-15T12:00:00.000Z {2}decline /),
      expect.stringMatching(/^2026-01-15T12:00:00.000Z {2}approve /),
    ])
  })

  it('prints alerts with their reasons and in words', async () => {
    const { stdout } = await weir(['tail', 'alerts', '--from-start', '--limit', '1', ...flags])
    const { reasons, narrative } = anAlert()
    expect(stdout).toContain(`${reasons[0]?.code} ${reasons[0]?.text}`)
    expect(stdout).toContain(`    ${narrative}\n`)
  })
})
