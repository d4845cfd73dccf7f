import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { createKafkaAdmin } from '../../src/adapters/kafka-admin.ts'
import { actOnCase } from '../../src/apps/case-action.ts'
import { type Desk, openDesk, readAllSince } from '../../src/apps/desk.ts'
import { labelPayment } from '../../src/apps/label.ts'
import { partitionOf } from '../../src/core/partition.ts'
import type { Label, Transaction } from '../../src/core/types.ts'
import { aDecision, anAlert, aTransaction } from '../helpers/contracts.ts'
import { past } from '../helpers/entity-values.ts'
import { last, shipped } from '../helpers/feature-values.ts'
import { Installation } from '../helpers/installation.ts'
import { weir } from '../helpers/weir.ts'

const day = 86_400_000
const begun = Date.now() - 7_200_000

const folder = mkdtempSync(join(tmpdir(), 'weir-cases-'))
let installation: Installation
let desk: Desk

/** Payments of two customers; the alerted ones have an alert of this expected loss. */
const paid: readonly (Partial<Transaction> & { readonly loss?: number })[] = [
  { transaction_id: 'tx-1', customer_id: 'c-1', loss: 40 },
  { transaction_id: 'tx-2', customer_id: 'c-1', loss: 60 },
  { transaction_id: 'tx-3', customer_id: 'c-1' },
  { transaction_id: 'tx-4', customer_id: 'c-2', loss: 30 },
]
const caseOf = (transaction: string) => `alert-${transaction}`

beforeAll(async () => {
  installation = await Installation.create([`kafka.brokers=${inject('kafkaBrokers')}`], false)
  const { config, log, contracts } = installation
  desk = await openDesk(config, installation)
  for (const [i, { loss, ...payment }] of paid.entries()) {
    const transaction = aTransaction({ ...payment, event_time: begun + i * 60_000 })
    const { transaction_id, customer_id, event_time } = transaction
    await installation.send(transaction)
    const key = customer_id
    const at = { partition: partitionOf(key, config.topics.partitions), key }
    const same = { transaction_id, customer_id, event_time }
    const decision = aDecision({ ...same, decision_id: caseOf(transaction_id) })
    await log.append([{ ...at, topic: config.topics.decisions, value: contracts.decisions.encode(decision) }])
    if (loss === undefined) continue
    const alert = anAlert({ ...same, alert_id: caseOf(transaction_id), loss })
    await log.append([{ ...at, topic: config.topics.alerts, value: contracts.alerts.encode(alert) }])
  }
}, 60_000)
afterAll(async () => {
  await installation?.[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true })
})

async function run(...args: string[]) {
  const ended = await weir([...args, '--json', ...installation.flags()])
  return { ...ended, json: ended.code === 0 ? JSON.parse(ended.stdout) : null }
}

const labels = async (): Promise<Label[]> => {
  const { topics } = installation.config
  return (await readAllSince(desk, topics.labels, desk.contracts.labels, { from: 0 })).map(
    ({ value }) => value,
  )
}

describe('weir alerts', () => {
  it('lists cases by expected loss, and marks what is beyond the budget', async () => {
    const { json } = await run('alerts', 'list', '--budget', '1')
    expect(json).toMatchObject([
      { case_id: caseOf('tx-1'), loss: 100, status: 'new', over_budget: false },
      { case_id: caseOf('tx-4'), loss: 30, over_budget: true },
    ])
    const { stdout } = await weir(['alerts', 'list', '--budget', '1', ...installation.flags()])
    expect(stdout).toMatch(
      /alert-tx-1 .*c-1 +2 +100\.00 +812 +new +velocity\n.*30\.00 +812 +new, over budget/,
    )
  })

  it('shows a case with its reasons and the payments around it', async () => {
    const { stdout } = await weir(['alerts', 'show', caseOf('tx-2'), ...installation.flags()])
    expect(stdout).toContain('9 payments in 10 minutes')
    expect(stdout).toMatch(/tx-3 .*review/)
    expect(stdout).not.toContain('tx-4')
  })

  it('lets one person at a time take it, and refuses card numbers', async () => {
    expect((await run('alerts', 'take', caseOf('tx-1'), '--who', 'ann')).json).toMatchObject({ is_new: true })
    expect((await run('alerts', 'take', caseOf('tx-1'), '--who', 'ann')).json).toMatchObject({
      is_new: false,
    })
    expect((await run('alerts', 'take', caseOf('tx-1'), '--who', 'bob')).stderr).toContain('is taken by ann')
    const note = await run('alerts', 'note', caseOf('tx-1'), '--text', 'says 4111 1111 1111 1111')
    expect([note.code, note.stderr]).toEqual([
      1,
      expect.stringContaining('text holds a primary account number'),
    ])
    expect((await run('alerts', 'show', 'nothing')).stderr).toContain('WEIR_CASE_NOT_FOUND')
  })

  it('closes it and labels its payments, once however often', async () => {
    const dispose = [
      'alerts',
      'dispose',
      caseOf('tx-1'),
      '--as',
      'fraud',
      '--who',
      'ann',
      '--text',
      'card lost',
    ]
    expect((await run(...dispose)).json).toMatchObject({
      is_new: true,
      labels: 2,
      case: { status: 'closed', disposition: 'fraud', closed_by: 'ann', notes: [{ text: 'card lost' }] },
    })
    const written = await labels()
    expect(written.map(({ transaction_id }) => transaction_id)).toEqual(['tx-1', 'tx-2'])
    for (const label of written)
      expect(label).toMatchObject({ fraud: true, source: 'analyst', state: 'confirmed', merchant_id: 'm-1' })
    expect((await run(...dispose)).json).toMatchObject({ is_new: false, labels: 0 })
    expect(await labels()).toEqual(written)
    expect((await run('alerts', 'list')).json).toMatchObject([{ case_id: caseOf('tx-4') }])
    const other = await run('alerts', 'dispose', caseOf('tx-1'), '--as', 'good')
    expect(other.stderr).toContain('is closed as fraud by ann')
  })

  it('writes the labels that an append which was cut short left out', async () => {
    const request = {
      id: caseOf('tx-4'),
      action: 'dispose',
      who: 'ann',
      text: null,
      disposition: 'good',
    } as const
    const { topics } = installation.config
    const { log } = installation
    const cut: Desk['log'] = {
      partitions: (topic) => log.partitions(topic),
      bounds: (at) => log.bounds(at),
      offsetAt: (at, time) => log.offsetAt(at, time),
      read: (at, from, to) => log.read(at, from, to),
      append: (records) => log.append(records.filter(({ topic }) => topic !== topics.labels)),
    }
    await actOnCase({ ...desk, log: cut }, request, Date.now())
    expect(await labels()).toHaveLength(2)
    expect(await actOnCase(desk, request, Date.now())).toMatchObject({ isNew: true, labels: 1 })
    expect(await actOnCase(desk, request, Date.now())).toMatchObject({ isNew: false, labels: 0 })
    const ofCase = (await labels()).filter(({ transaction_id }) => transaction_id === 'tx-4')
    expect(ofCase).toMatchObject([{ fraud: false, source: 'analyst', state: 'confirmed' }])
  })
})

describe('weir label', () => {
  it('labels a payment without an alert, and takes back what its own source said only', async () => {
    const say = (source: string, state: string, fraud: boolean) => {
      const request = { transaction_id: 'tx-3', source, state, fraud, fraud_type: null, customer_id: null }
      return labelPayment(desk, request, Date.now())
    }
    const charged = ['chargeback', 'confirmed', true] as const
    await expect(say('chargeback', 'reversed', false)).rejects.toThrow('chargeback has said nothing of tx-3')
    expect(await say(...charged)).toMatchObject({ isNew: true, view: { fraud: true, source: 'chargeback' } })
    expect(await say(...charged)).toMatchObject({ isNew: false })
    expect((await run('label', 'tx-3', '--good')).json).toMatchObject({ is_new: true, view: { fraud: true } })
    const reversed = await run('label', 'tx-3', '--reverse', '--source', 'chargeback')
    expect(reversed.json).toMatchObject({ view: { fraud: false, source: 'analyst' } })
    expect(await run('label', 'tx-9', '--fraud')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('no payment of the last 30 days has the id tx-9'),
    })
    expect((await run('label', 'tx-3', '--fraud', '--good')).code).toBe(2)
  })

  it('is seen by the features of the merchant and by what is exported', async () => {
    const known = await labels()
    const event_time = Date.now() + 10 * day
    const rate = (some: readonly Label[]) =>
      last([{ event_time }], shipped, past([{ event_time: begun }], some))[
        'merchant_fraud_rate_30d'
      ] as number
    expect(rate([])).toBe(0)
    expect(rate(known)).toBeCloseTo(2 / 11)
    const out = join(folder, 'table.parquet')
    const exported = await run('export', 'topic', '--out', out)
    expect(exported.json).toMatchObject({ rows: 4, frauds: 2, labels: 4 })
  })
})

describe('a payment that lies behind newer ones', () => {
  const around = 3 * 3_600_000
  const customer_id = 'c-late'

  /** Appends a payment, and an alert on it. */
  async function alerted(transaction_id: string, event_time: number): Promise<string> {
    const { config, log, contracts } = installation
    const { transactions, alerts, partitions } = config.topics
    const at = { partition: partitionOf(customer_id, partitions), key: customer_id }
    const { end } = await log.bounds({ ...at, topic: transactions })
    await installation.send(aTransaction({ transaction_id, customer_id, event_time }))
    const alert_id = `${transactions}-${at.partition}-${end}`
    const alert = anAlert({ transaction_id, customer_id, event_time, alert_id })
    await log.append([{ ...at, topic: alerts, value: contracts.alerts.encode(alert) }])
    return alert_id
  }

  it('is shown with its alert, and without what lies between', async () => {
    const event_time = begun - 5 * day
    await installation.send(
      aTransaction({ transaction_id: 'tx-near', customer_id, event_time: event_time + 60_000 }),
      aTransaction({ transaction_id: 'tx-newer', customer_id, event_time: event_time + around }),
    )
    const id = await alerted('tx-late', event_time)
    const { json } = await run('alerts', 'show', id)
    expect(json.payments).toMatchObject([
      { transaction: { transaction_id: 'tx-late' }, is_alert: true },
      { transaction: { transaction_id: 'tx-near' }, is_alert: false },
    ])
    expect(json.payments_gone).toEqual([])
  })

  it('is named where it can no longer be read', async () => {
    const { config, log } = installation
    const { transactions, partitions } = config.topics
    const partition = partitionOf(customer_id, partitions)
    const id = await alerted('tx-gone', begun - 2 * day)
    const { end } = await log.bounds({ topic: transactions, partition })
    const admin = await createKafkaAdmin({ brokers: inject('kafkaBrokers').split(',') })
    await admin.deleteBefore({ topic: transactions, partition }, end)
    await admin.close()
    const { stderr } = await weir(['alerts', 'show', id, ...installation.flags()])
    expect(stderr).toContain(
      `tx-gone, the payment of alert ${id}, was not found: retention may have taken it`,
    )
    expect((await run('alerts', 'show', id)).json).toMatchObject({ payments: [], payments_gone: ['tx-gone'] })
  })
})
