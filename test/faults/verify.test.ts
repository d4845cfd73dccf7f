import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { MemberProcess } from '../../faults/member-process.ts'
import { chooseSeed, flawless, openScene, type Scene, settle, startFeed } from '../../faults/scene.ts'
import { type Evidence, gather, type TopicName } from '../../faults/verifier/evidence.ts'
import { type Installation, loadInstallation } from '../../faults/verifier/installation.ts'
import { plainAvro } from '../../faults/verifier/plain-avro.ts'
import { type Verdict, verify } from '../../faults/verifier/verify.ts'
import type { LogRecord } from '../../src/core/ports.ts'
import type { Alert, Contribution, Decision, EntityUpdate } from '../../src/core/types.ts'

// What an undisturbed member leaves behind is taken once; each test spoils a copy of it.
let scene: Scene
let evidence: Evidence
let installation: Installation
let untouched: Verdict
beforeAll(async () => {
  scene = await openScene()
  const member = new MemberProcess(scene.env)
  const feed = startFeed(scene.config, chooseSeed(), 400)
  await member.step('written')
  await sleep(4_000)
  await feed.stop()
  await settle(scene.config)
  await member.stop()
  installation = await loadInstallation(scene.config)
  evidence = await gather(scene.config)
  untouched = await verify(evidence, installation)
})
afterAll(() => scene.stop())

const decisions = plainAvro<Decision>('decision.avsc')
const alerts = plainAvro<Alert>('alert.avsc')
const updates = plainAvro<EntityUpdate>('entity-update.avsc')

/** The weightiest contribution by a little. */
function moved(alert: Alert): Alert {
  const [first, ...rest] = alert.contributions as [Contribution, ...Contribution[]]
  return { ...alert, contributions: [{ ...first, contribution: first.contribution + 1e-12 }, ...rest] }
}

/** The evidence with the records of one partition replaced: of the first partition that has what is looked for. */
function spoilt(
  topic: TopicName,
  spoil: (records: readonly LogRecord[], at: number) => readonly LogRecord[],
  looksRight: (record: LogRecord) => boolean = () => true,
): Evidence {
  const partitions = [...evidence.records[topic]]
  const partition = partitions.findIndex((records) => records.some(looksRight))
  const records = partitions[partition] as readonly LogRecord[]
  partitions[partition] = spoil(records, records.findIndex(looksRight))
  return { ...evidence, records: { ...evidence.records, [topic]: partitions } }
}

const dropped = (records: readonly LogRecord[], at: number) => records.toSpliced(at, 1)
const doubled = (records: readonly LogRecord[], at: number) =>
  records.toSpliced(at, 0, records[at] as LogRecord)
const edited = (edit: (value: Buffer) => Buffer) => (records: readonly LogRecord[], at: number) => {
  const record = records[at] as LogRecord
  return records.with(at, { ...record, value: edit(record.value as Buffer) })
}
/** With a mark on the first of its records, as `weir dlq redrive` makes one. */
const marked = (records: readonly LogRecord[]) => {
  const [{ offset }, last] = [records[0] as LogRecord, records.at(-1) as LogRecord]
  const headers = { 'weir-redriven-offset': String(offset) }
  return [...records, { ...last, offset: last.offset + 1, key: null, value: null, headers }]
}
/** With a declared skip in the place of the dead letter that is found. */
const skipped = (records: readonly LogRecord[], at: number) => {
  const { headers, ...record } = records[at] as LogRecord
  const next = Number(headers['__connect.errors.offset']) + 1
  return records.with(at, { ...record, headers: { ...headers, 'weir-skipped-to': String(next) } })
}
const isForPayment = ({ headers }: LogRecord) =>
  headers['__connect.errors.topic'] === scene.config.topics.transactions
/** As if it had been put back. */
const putBack = ([first, ...rest]: readonly LogRecord[]) => [
  { ...(first as LogRecord), headers: { 'weir-redriven-from': 'fraud.dead-letters.v1-0-0' } },
  ...rest,
]
const isScored = ({ value }: LogRecord) => decisions.read(value).status === 'scored'

function withBitFlipped(bytes: Buffer, byte: number): Buffer {
  const copy = Buffer.from(bytes)
  copy[byte] = (copy[byte] as number) ^ 1
  return copy
}

/** The evidence with one key of the store replaced, or taken away where `edit` gives null. */
function withState(ending: RegExp, edit: (value: Buffer) => Buffer | null): Evidence {
  const keys = new Map(evidence.keys)
  const key = [...keys.keys()].find((name) => ending.test(name)) as string
  const value = edit(keys.get(key) as Buffer)
  if (value === null) keys.delete(key)
  else keys.set(key, value)
  return { ...evidence, keys }
}

describe('the verifier', () => {
  it('finds nothing wrong with an undisturbed run, which had everything in it', () => {
    expect(untouched).toMatchObject({ ...flawless, degraded: 0 })
    expect(untouched.decisions + untouched.dead_letters).toBe(untouched.events)
    for (const figure of ['alerts', 'duplicates', 'dead_letters', 'labels', 'entity_updates'] as const) {
      expect(untouched[figure], figure).toBeGreaterThan(0)
    }
  })

  it.each([
    ['a decision is missing', 'lost', () => spoilt('decisions', dropped, isScored)],
    ['a decision was made twice', 'doubled', () => spoilt('decisions', doubled)],
    ['a dead letter is missing', 'lost', () => spoilt('dead_letters', dropped)],
    ['a dead letter was written twice', 'doubled', () => spoilt('dead_letters', doubled)],
    ['an alert is missing', 'lost', () => spoilt('alerts', dropped)],
    ['an alert was given twice', 'doubled', () => spoilt('alerts', doubled)],
    ['a dead letter has a mark, but was not put back', 'lost', () => spoilt('dead_letters', marked)],
    ['a payment is declared skipped', 'changed', () => spoilt('dead_letters', skipped, isForPayment)],
    ['the last event has no answer', 'lost', () => spoilt('decisions', (records) => records.slice(0, -1))],
  ] as const)('objects when %s', async (_, fault, spoil) => {
    const verdict = await verify(spoil(), installation)
    expect(verdict[fault], verdict.differences.join('\n')).toBe(1)
  })

  const decision = (edit: (value: Decision) => Decision) => () =>
    spoilt(
      'decisions',
      edited((value) => decisions.write(edit(decisions.read(value)))),
      isScored,
    )
  it.each([
    [
      'outcome',
      decision((value) => ({ ...value, outcome: value.outcome === 'approve' ? 'decline' : 'approve' })),
    ],
    ['last bit of a score', decision((value) => ({ ...value, score: nextDouble(value.score as number) }))],
    ['risk score', decision((value) => ({ ...value, risk_score: (value.risk_score as number) + 1 }))],
    [
      'bit of a customer feature',
      decision((value) => ({ ...value, features: withBitFlipped(value.features, 14 * 4) })),
    ],
    [
      'bit of a payment feature',
      decision((value) => ({ ...value, features: withBitFlipped(value.features, 0) })),
    ],
    ['length of a vector', decision((value) => ({ ...value, features: value.features.subarray(4) }))],
    ['reason', decision((value) => ({ ...value, reasons: [...value.reasons, 'NIGHT'] }))],
    ['lateness', decision((value) => ({ ...value, late: !value.late }))],
    ['model', decision((value) => ({ ...value, model_sha256: '0123456789abcdef' }))],
    ['claim that there were no states', decision((value) => ({ ...value, status: 'degraded' }))],
    ['claim of a duplicate', decision((value) => ({ ...value, status: 'duplicate' }))],
    [
      'amount in an alert',
      () =>
        spoilt(
          'alerts',
          edited((value) => alerts.write({ ...alerts.read(value), amount_minor: 1 })),
        ),
    ],
    [
      'contribution in an alert',
      () =>
        spoilt(
          'alerts',
          edited((value) => alerts.write(moved(alerts.read(value)))),
          ({ value }) => alerts.read(value).contributions.length > 0,
        ),
    ],
    ['order of two decisions', () => spoilt('decisions', (records) => swapped(records))],
    ['record that was put back without a mark', () => spoilt('transactions', putBack)],
    [
      'reason of a dead letter',
      () => spoilt('dead_letters', ([first, ...rest]) => [blamed(first as LogRecord), ...rest]),
    ],
  ] as const)('objects to a changed %s', async (_, spoil) => {
    const verdict = await verify(spoil(), installation)
    expect(verdict.changed, verdict.differences.join('\n')).toBeGreaterThan(0)
    expect(verdict.state_differences).toBe(0)
    // Decided without a score, the payment may have to raise an alert, which is not there.
    expect(verdict.lost).toBeLessThanOrEqual(1)
  })

  const update = (edit: (value: EntityUpdate) => EntityUpdate) => () =>
    spoilt(
      'entity_updates',
      edited((value) => updates.write(edit(updates.read(value)))),
    )
  it.each([
    [
      'a bit of a customer state',
      () => withState(/\.t\d}:s:/, (value) => withBitFlipped(value, value.length - 1)),
    ],
    [
      'a bit of a label state',
      () => withState(/\.l\d}:s:/, (value) => withBitFlipped(value, value.length - 1)),
    ],
    [
      'a bit of an entity state',
      () => withState(/\.e\d}:s:merchant/, (value) => withBitFlipped(value, value.length - 1)),
    ],
    [
      'the progress of an entity lane',
      () => withState(/\.e\d}:s:~progress/, (value) => withBitFlipped(value, 7)),
    ],
    ['a state that is missing', () => withState(/\.t\d}:s:/, () => null)],
    [
      'a key too many',
      () => ({ ...evidence, keys: new Map([...evidence.keys, ['{app.t0}:s:c', Buffer.of(1)]]) }),
    ],
    [
      'a watermark that runs ahead',
      () => withState(/\.t\d}:wm$/, (value) => Buffer.from(String(Number(value) + 1))),
    ],
    ['a missing entity update', () => spoilt('entity_updates', dropped)],
    ['a doubled entity update', () => spoilt('entity_updates', doubled)],
    [
      'an entity update that counts one too many',
      update((value) => ({
        ...value,
        deltas: value.deltas.map((delta, i) => (i === 0 ? { ...delta, count: delta.count + 1 } : delta)),
      })),
    ],
    [
      // All of a partition: one alone may name nobody, or only whom another update names as well.
      'entity updates that forget the customers',
      () => spoilt('entity_updates', (records) => records.map(withoutCustomers)),
    ],
  ] as const)('objects to %s', async (_, spoil) => {
    const verdict = await verify(spoil(), installation)
    expect(verdict.state_differences, verdict.differences.join('\n')).toBeGreaterThan(0)
    expect(verdict).toMatchObject({ lost: 0, doubled: 0, changed: 0 })
  })

  it('objects to an update that is wrong in the log and in the states alike', async () => {
    // The fold of a log without the update is what a store without it has: only the sums tell.
    const gone = spoilt('entity_updates', dropped)
    const verdict = await verify(gone, installation)
    expect(verdict.differences.join('\n')).toMatch(/add up to/)
  })

  it('objects to a transaction that nobody ended, and to inputs that nobody read', async () => {
    expect((await verify({ ...evidence, open: 1 }, installation)).changed).toBe(1)
    const labels = evidence.positions.l.map((position) => (position === null ? null : position - 1))
    const verdict = await verify(
      { ...evidence, positions: { ...evidence.positions, l: labels } },
      installation,
    )
    expect(verdict.lost).toBeGreaterThan(0)
  })
})

function withoutCustomers(record: LogRecord): LogRecord {
  const value = updates.read(record.value)
  const deltas = value.deltas.map((delta) => ({ ...delta, customers: [] }))
  return { ...record, value: updates.write({ ...value, deltas }) }
}

function nextDouble(value: number): number {
  const bits = new BigUint64Array(Float64Array.of(value).buffer)
  bits[0] = (bits[0] as bigint) + 1n
  return new Float64Array(bits.buffer)[0] as number
}

function swapped([first, second, ...rest]: readonly LogRecord[]): LogRecord[] {
  const [a, b] = [first as LogRecord, second as LogRecord]
  return [{ ...b, offset: a.offset }, { ...a, offset: b.offset }, ...rest]
}

function blamed(record: LogRecord): LogRecord {
  return { ...record, headers: { ...record.headers, 'weir-reason': 'WEIR_RECORD_OTHER' } }
}
