import { beforeAll, describe, expect, it } from 'vitest'
import { openContracts } from '../../../src/apps/connect.ts'
import { loadFeatures, readPolicy } from '../../../src/config/definitions.ts'
import { loadConfig } from '../../../src/config/load.ts'
import { skipLetter } from '../../../src/core/dead-letter.ts'
import type { LogRecord, NewRecord } from '../../../src/core/ports.ts'
import { generate } from '../../../src/generator/generate.ts'
import type { Account } from '../../../src/ledger/account.ts'
import { type Audit, auditLedger } from '../../../src/ledger/audit.ts'
import type { Fate } from '../../../src/ledger/book.ts'
import { scoreEmbedded } from '../../helpers/embedded.ts'
import { fixedLog, type Records, recordsOf } from '../../helpers/fixed-log.ts'

const { config } = loadConfig({ file: '/dev/null', env: {}, set: ['topics.partitions=2'] })
const { topics } = config
const contracts = await openContracts(config)
const features = loadFeatures(config.features)
const policies = [readPolicy(config.policy)]

// What an undisturbed scorer leaves behind is taken once; each test spoils a copy of it.
let records: Records
let untouched: Audit
beforeAll(async () => {
  const life = { duplicateRate: 0.02, lateRate: 0.05, damagedRate: 0.02, fraudRate: 0.05 }
  const log = await scoreEmbedded(config, generate({ seed: 5, events: 1_600, customers: 60, ...life }))
  const { transactions, labels, decisions, alerts, dead_letters } = topics
  records = await recordsOf(log, [transactions, labels, decisions, alerts, dead_letters])
  untouched = await audit(records)
})

const audit = (log: Records, more: object = {}, batchSize = 300): Promise<Audit> =>
  auditLedger({ config, log: fixedLog(log, batchSize), contracts, features, policies, ...more })

/** The records with those of the first partition of a topic edited. */
function spoilt(
  topic: string,
  edit: (all: readonly LogRecord[]) => readonly LogRecord[],
  of = records,
): Records {
  const partitions = of[topic] ?? []
  return { ...of, [topic]: partitions.with(0, edit(partitions[0] ?? [])) }
}

/** Retention: earlier offsets are gone. */
const cut = (topic: string, share: number) =>
  spoilt(topic, (all) => all.slice(Math.floor(all.length * share)))

const decisionAt = (place: number) => records[topics.decisions]?.[0]?.[place] as LogRecord
const offsetOfDecision = async (place: number): Promise<number> => {
  const [checked] = await contracts.decisions.decode([decisionAt(place)])
  if (!checked?.ok) throw new Error('unreadable')
  return Number(checked.value.decision_id.split('-').at(-1))
}
const appended = (all: readonly LogRecord[], record: Pick<LogRecord, 'key' | 'value' | 'headers'>) => [
  ...all,
  { ...record, offset: (all.at(-1)?.offset ?? -1) + 1, timestamp: 0 },
]
/** Records that lie in another order than they did have the offsets of their places. */
const renumbered = (all: readonly LogRecord[]) => all.map((record, offset) => ({ ...record, offset }))
const asRecord = ({ key, value, headers = {} }: NewRecord) => ({ key: key as Buffer | null, value, headers })

/** What every account must satisfy. */
function expectSum(account: Account): void {
  const { records, gaps_answered, double, decisions, dead_letters, skipped, missing, unproven } = account
  expect(records + gaps_answered + double).toBe(decisions + dead_letters + skipped + missing + unproven)
}

describe('the ledger of an undisturbed log', () => {
  it('adds up, and everything was in it', () => {
    expect(untouched).toMatchObject({ holds: true, findings: [], finding_count: 0 })
    const { total, partitions, labels } = untouched
    for (const one of [total, ...partitions]) expectSum(one)
    expect(total).toMatchObject({ gaps: 0, skipped: 0, missing: 0, double: 0, stray: 0, unproven: 0 })
    expect(total.records).toBe(total.decisions + total.dead_letters)
    expect(total.duplicates).toBeGreaterThan(10)
    expect(total.dead_letters).toBeGreaterThan(10)
    expect(Object.values(total.codes).reduce((sum, one) => sum + one)).toBe(total.dead_letters)
    expect(total.alerts).toMatchObject({ missing: 0, double: 0, stray: 0, unproven: 0 })
    expect(total.alerts.found).toBe(records[topics.alerts]?.flat().length)
    expect(total.alerts.expected).toBe(total.alerts.found)
    expect(total.alerts.found).toBeGreaterThan(20)
    expect(labels.total.records).toBe(records[topics.labels]?.flat().length)
    expect(labels.total.taken).toBe(labels.total.records)
  })

  it('does not depend on where batches end', async () => {
    expect(await audit(records, {}, 7)).toEqual(untouched)
  })

  it('tells the fate of every offset', async () => {
    const fates: Fate[] = []
    await audit(records, { onFate: (fate: Fate) => fates.push(fate) })
    expect(fates.length).toBe(untouched.total.records)
    expect(fates.filter(({ fate }) => fate === 'dead letter').length).toBe(untouched.total.dead_letters)
    expect(fates.reduce((sum, { alerts }) => sum + alerts, 0)).toBe(untouched.total.alerts.found)
  })

  it('can be asked for a part', async () => {
    const part = await audit(records, { from: { offsets: [100, 100] }, to: { offsets: [150, 160] } })
    expect(part).toMatchObject({ holds: true, total: { records: 110, unproven: 0 } })
  })
})

describe('the ledger finds', () => {
  const places = [3, 290, 301, 500]

  it.each(places)('a decision that is missing (%i)', async (place) => {
    const offset = await offsetOfDecision(place)
    const found = await audit(spoilt(topics.decisions, (all) => all.toSpliced(place, 1)))
    expect(found.total).toMatchObject({ missing: 1, double: 0, out_of_order: 0 })
    expect(found.findings[0]).toMatchObject({
      kind: 'missing',
      topic: topics.transactions,
      partition: 0,
      offset,
    })
    expectSum(found.total)
  })

  it.each(places)('a decision that was made twice, side by side or at the end (%i)', async (place) => {
    const again = decisionAt(place)
    const beside = await audit(spoilt(topics.decisions, (all) => all.toSpliced(place, 0, again)))
    expect(beside.total).toMatchObject({ double: 1, missing: 0, out_of_order: 0 })
    const atEnd = await audit(spoilt(topics.decisions, (all) => appended(all, again)))
    expect(atEnd.total).toMatchObject({ double: 1, missing: 0, out_of_order: 1 })
    for (const { holds, total, findings } of [beside, atEnd]) {
      expect(holds).toBe(false)
      expectSum(total)
      expect(findings.map(({ offset }) => offset)).toContain(await offsetOfDecision(place))
    }
  })

  it('a dead letter for a record that was decided', async () => {
    const offset = await offsetOfDecision(400)
    const letter = records[topics.dead_letters]?.[0]?.[0] as LogRecord
    const forged = { ...letter, headers: { ...letter.headers, '__connect.errors.offset': String(offset) } }
    const found = await audit(spoilt(topics.dead_letters, (all) => [forged, ...all]))
    expect(found.total.double).toBe(1)
    expect(found.findings.find(({ kind }) => kind === 'double')).toMatchObject({
      offset,
      what: expect.stringMatching(/^has (2 answers: a decision.*, a dead letter|one more answer)/),
    })
    expectSum(found.total)
  })

  it('a dead letter that is missing, and says that one is due', async () => {
    const found = await audit(spoilt(topics.dead_letters, (all) => all.toSpliced(1, 1)))
    expect(found.total).toMatchObject({ missing: 1 })
    expect(found.findings[0]?.what).toContain('dead letter is due')
  })

  it('answers that are out of order, near and far', async () => {
    const near = (all: readonly LogRecord[]) => [
      ...all.slice(0, 9),
      all[10] as LogRecord,
      all[9] as LogRecord,
      ...all.slice(11),
    ]
    const far = (all: readonly LogRecord[]) => [...all.slice(0, 9), ...all.slice(10), all[9] as LogRecord]
    for (const edit of [near, far]) {
      const { holds, total } = await audit(spoilt(topics.decisions, (all) => renumbered(edit(all))))
      expect(holds).toBe(false)
      expect(total).toMatchObject({ out_of_order: 1, missing: 0, double: 0 })
      expect({ ...total, out_of_order: 0 }).toEqual(untouched.total)
    }
  })

  it('an alert that is missing, given twice, or that nothing calls for', async () => {
    const missing = await audit(spoilt(topics.alerts, (all) => all.toSpliced(1, 1)))
    expect(missing).toMatchObject({ holds: false, total: { alerts: { missing: 1, double: 0, stray: 0 } } })
    const double = await audit(spoilt(topics.alerts, (all) => [all[0] as LogRecord, ...all]))
    expect(double).toMatchObject({ holds: false, total: { alerts: { missing: 0, double: 1, stray: 0 } } })
    const alerted = await offsetOfAlert()
    const stray = await audit(spoilt(topics.decisions, (all) => without(all, alerted)))
    expect(stray).toMatchObject({ total: { missing: 1, alerts: { stray: 1 } } })
  })

  const alertAt = () => records[topics.alerts]?.[0]?.[2] as LogRecord
  async function offsetOfAlert(): Promise<string> {
    const [checked] = await contracts.alerts.decode([alertAt()])
    return checked?.ok ? checked.value.alert_id : ''
  }
  const without = (all: readonly LogRecord[], id: string) =>
    all.filter(({ value }) => value?.includes(id) !== true)

  it('answers to what was never there', async () => {
    const { value } = decisionAt(0)
    const [checked] = await contracts.decisions.decode([decisionAt(0)])
    if (!checked?.ok || value === null) throw new Error('unreadable')
    const ids = [`${topics.transactions}-0-999999`, `${topics.transactions}-1-5`, 'nonsense']
    for (const decision_id of ids) {
      const forged = contracts.decisions.encode({ ...checked.value, decision_id })
      const found = await audit(
        spoilt(topics.decisions, (all) => appended(all, { key: null, value: forged, headers: {} })),
      )
      expect(found, decision_id).toMatchObject({ holds: false, total: { stray: 1, missing: 0 } })
    }
  })
})

describe('the ledger tells what it cannot prove', () => {
  it('outputs that retention has cut', async () => {
    for (const topic of [topics.decisions, topics.dead_letters]) {
      const found = await audit(cut(topic, 0.5))
      expect(found).toMatchObject({ holds: true, total: { missing: 0 } })
      expect(found.total.unproven, topic).toBeGreaterThan(5)
      expectSum(found.total)
    }
    const alerts = await audit(cut(topics.alerts, 0.5))
    expect(alerts).toMatchObject({ holds: true, total: { unproven: 0, alerts: { missing: 0 } } })
    expect(alerts.total.alerts.unproven).toBeGreaterThan(5)
  })

  it('a loss after what is left is found all the same', async () => {
    const left = spoilt(topics.decisions, (all) => all.slice(300, -3).concat(all.slice(-2)))
    expect(await audit(left)).toMatchObject({ holds: false, total: { missing: 1 } })
  })

  it('inputs that retention has cut', async () => {
    const found = await audit(cut(topics.transactions, 0.5))
    expect(found.holds).toBe(true)
    const first = records[topics.transactions]?.[0]?.length ?? 0
    expect(found.partitions[0]).toMatchObject({ from: Math.floor(first / 2), first: Math.floor(first / 2) })
  })

  it('gaps are told from what is missing: nothing there, or compacted since', async () => {
    const holes = spoilt(topics.transactions, (all) => all.filter((_, i) => i % 100 !== 50))
    const found = await audit(holes)
    expect(found.holds).toBe(true)
    expect(found.total.gaps).toBeGreaterThan(3)
    expect(found.total.gaps_answered).toBe(found.total.gaps)
    expectSum(found.total)
  })

  it('alerts of a policy that is not at hand', async () => {
    const found = await audit(records, { policies: [] })
    expect(found).toMatchObject({ holds: true, total: { alerts: { expected: 0 } } })
    expect(found.total.alerts.unproven).toBe(found.total.decisions)
  })
})

describe('declared skips', () => {
  const at = () => ({ topic: topics.transactions, partition: 0 })
  const skipped = (from: number, to: number, of = records) => {
    const letter = asRecord(skipLetter(topics.dead_letters, at(), from, to, 'a test'))
    return spoilt(
      topics.dead_letters,
      (all) => {
        const place = all.findIndex(({ headers }) => Number(headers['__connect.errors.offset']) >= to)
        return all.toSpliced(place, 0, { ...letter, offset: all[place]?.offset as number, timestamp: 0 })
      },
      of,
    )
  }
  const undecided = (from: number, to: number) => {
    const isIn = (offset: number) => offset >= from && offset < to
    const noLetters = spoilt(topics.dead_letters, (all) =>
      all.filter(({ headers }) => !isIn(Number(headers['__connect.errors.offset']))),
    )
    const noAlerts = spoilt(topics.alerts, (all) => all.filter((one) => !isIn(idIn(one))), noLetters)
    return spoilt(topics.decisions, (all) => all.filter((one) => !isIn(idIn(one))), noAlerts)
  }
  const idIn = ({ value }: LogRecord) =>
    Number(new RegExp(`${topics.transactions}-0-(\\d+)`).exec(String(value?.toString('latin1')))?.[1])

  it('count as such, whole or from their middle on', async () => {
    const log = skipped(200, 260, undecided(200, 260))
    const found = await audit(log)
    expect(found).toMatchObject({ holds: true, total: { skipped: 60, missing: 0 } })
    expectSum(found.total)
    const part = await audit(log, { from: { offsets: [230, 0] } })
    expect(part).toMatchObject({ holds: true, total: { skipped: 30, missing: 0 } })
  })

  it('of what was decided are found', async () => {
    const found = await audit(skipped(200, 203, undecided(201, 203)))
    expect(found).toMatchObject({ holds: false, total: { skipped: 3, double: 1 } })
    expect(found.findings[0]).toMatchObject({ kind: 'double', offset: 200 })
  })
})
