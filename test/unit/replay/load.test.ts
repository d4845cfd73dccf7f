import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createMemoryLog } from '../../../src/adapters/memory-log.ts'
import { createMemoryStore } from '../../../src/adapters/memory-store.ts'
import { loadActiveSet } from '../../../src/apps/active-set.ts'
import { openContracts } from '../../../src/apps/connect.ts'
import { loadConfig } from '../../../src/config/load.ts'
import type { Config } from '../../../src/config/schema.ts'
import { type Lettered, readLetter } from '../../../src/core/dead-letter.ts'
import { History } from '../../../src/core/history.ts'
import { laneKeys, statesPrefix } from '../../../src/core/lane-keys.ts'
import { PackedStates } from '../../../src/core/packed-states.ts'
import { partitionOf } from '../../../src/core/partition.ts'
import type { Log, NewRecord, StateStore } from '../../../src/core/ports.ts'
import type { Decision } from '../../../src/core/types.ts'
import { generate } from '../../../src/generator/generate.ts'
import { checkSnapshot } from '../../../src/replay/check.ts'
import { loadSnapshot } from '../../../src/replay/load.ts'
import { type SnapshotHead, writeSnapshot } from '../../../src/replay/snapshot.ts'
import { checkHomes, type StateTarget } from '../../../src/replay/target.ts'
import { headRecord } from '../../../src/stream/changelog.ts'
import { startScorer } from '../../../src/stream/scorer.ts'
import { aTransaction } from '../../helpers/contracts.ts'
import { ofCustomer, recordsOf, snapshotOf } from '../../helpers/snapshots.ts'
import { type Fate, faultyLog, faultyStore } from '../stream/faulty.ts'

const folder = mkdtempSync(join(tmpdir(), 'weir-load-'))
afterAll(() => rmSync(folder, { recursive: true }))
const path = join(folder, 'states.weir')

const partitions = 2
const outputs = ['decisions', 'alerts', 'dead_letters', 'entity_updates'] as const

/** An installation that reads the common inputs and has all else to itself. */
function configOf(app: string): Config {
  const own = outputs.map((name) => `topics.${name}=${app}.${name}`)
  const set = [`app=${app}`, `group=${app}`, `topics.partitions=${partitions}`, ...own]
  return loadConfig({ file: '/dev/null', env: {}, set }).config
}

const first = configOf('first')
const active = await loadActiveSet(first, () => {})
const { features } = active
const contracts = await openContracts(first)
const { transactions, labels } = first.topics

/** Generated payments and labels: `before` the snapshot, and after it. */
const records: NewRecord[] = []
for (const item of generate({
  events: 2_400,
  seed: 9,
  customers: 150,
  duplicateRate: 0.02,
  lateRate: 0.02,
})) {
  if (item.kind === 'damaged') continue
  const key = item.kind === 'label' ? item.label.customer_id : item.transaction.customer_id
  const value =
    item.kind === 'label'
      ? contracts.labels.encode(item.label)
      : contracts.transactions.encode(item.transaction)
  const topic = item.kind === 'label' ? labels : transactions
  records.push({ topic, partition: partitionOf(key, partitions), key, value, timestamp: item.time })
}
const before = 1_800

/** Adds topics of its own for every installation. */
function newLog(...configs: Config[]) {
  const names = [
    transactions,
    labels,
    ...configs.flatMap(({ topics }) => outputs.map((name) => topics[name])),
  ]
  return createMemoryLog({ topics: Object.fromEntries(names.map((name) => [name, partitions])) })
}

let tokens = 0

async function start(config: Config, log: Log, store: StateStore, lost: (error: unknown) => void = () => {}) {
  return startScorer({
    config,
    log,
    store,
    contracts,
    active: () => active,
    clock: () => 0,
    now: () => performance.now() / 1000,
    newToken: () => `${config.app}-${tokens++}`,
    observer: { lost: (_, error) => lost(error) },
  })
}

async function decisionsOf({ topics }: Config, log: Log): Promise<Decision[]> {
  const found = (await recordsOf(log, `${topics.decisions}-test-${Math.random()}`, topics.decisions)).flat()
  return (await contracts.decisions.decode(found)).map((checked) => {
    if (!checked.ok) throw new Error(checked.rejection.message)
    return checked.value
  })
}

const second = configOf('second')
const log = newLog(first, second)
const store = createMemoryStore()
let head: SnapshotHead
let history: History
let scorer: Awaited<ReturnType<typeof startScorer>>

beforeAll(async () => {
  scorer = await start(first, log, store)
  for (let at = 0; at < before; at += 300) {
    await log.append(records.slice(at, at + 300))
    await scorer.subscription.idle()
  }
  ;({ head, history } = await snapshotOf(path, first, log, contracts, features))
})
afterAll(() => scorer.stop())

let token = 0
const newToken = () => `load-${token++}`
const live = { config: first, log, store, features }

describe('a snapshot of everything up to now', () => {
  it('is equal to what the live store holds', async () => {
    const states = history.customers.size + history.labelled.size + history.entities.size
    expect(history.labelled.size).toBeGreaterThan(5)
    expect(await checkSnapshot(path, live, () => {})).toEqual({
      head,
      compared: states,
      differing: 0,
      first: null,
    })
  })

  it('shows a state that differs, is missing, or is too many', async () => {
    const [customer] = [...history.customers.keys()].toSorted() as [string]
    const other = join(folder, 'other.weir')
    const kept = Buffer.from(history.customers.get(customer) as Buffer)
    const spoilt = Buffer.from(kept)
    spoilt[40] = (spoilt[40] as number) ^ 1
    const verdict = async (states: Iterable<[string, Buffer]>) => {
      const customers = new PackedStates()
      for (const [key, packed] of states) customers.set(key, packed)
      await writeSnapshot(other, head, new History(features, { ...history, customers }))
      const { differing, first } = await checkSnapshot(other, live, () => {})
      return `${differing}: ${first?.replace(/lane t\d/, 'lane')}`
    }
    const all = new Map(history.customers)
    expect(await verdict(new Map(all).set(customer, spoilt))).toMatch(
      /^1: \S+ in lane has (\d+) bytes in the store and \1 in .* from byte 40$/,
    )
    expect(await verdict([...all].filter(([key]) => key !== customer))).toBe(
      `1: ${customer} in lane is in the store only`,
    )
    expect(await verdict(new Map(all).set('nobody', kept))).toBe('1: nobody in lane is in the snapshot only')
    expect(await verdict(all)).toBe('0: undefined')
  })

  it('takes an empty installation to where the first one is, and both go on alike', async () => {
    const target = { config: second, log, store: createMemoryStore(), features }
    expect(await loadSnapshot(path, target, newToken, () => {})).toEqual(head)
    expect(await checkSnapshot(path, target, () => {})).toMatchObject({ differing: 0 })
    const scorers = [scorer, await start(second, log, target.store)]
    const decided = (await decisionsOf(first, log)).length
    for (let at = before; at < records.length; at += 60) {
      await log.append(records.slice(at, at + 60))
      for (const one of scorers) await one.subscription.idle()
    }
    await scorers[1]?.stop()
    const cold = (await decisionsOf(first, log)).map((decision) => ofCustomer(decision, features))
    const warm = (await decisionsOf(second, log)).map((decision) => ofCustomer(decision, features))
    expect(warm.length).toBe(cold.length - decided)
    expect(warm.length).toBeGreaterThan(500)
    expect(warm.some(({ duplicate_of }) => duplicate_of !== null)).toBe(true)
    const byId = new Map(cold.map((one) => [one.decision_id, one]))
    expect(warm).toEqual(warm.map(({ decision_id }) => byId.get(decision_id)))
    // All that was folded since, entities included, is what one pass over everything gives.
    const after = join(folder, 'after.weir')
    await snapshotOf(after, { ...first, group: 'after' }, log, contracts, features)
    for (const one of [target, live])
      expect(await checkSnapshot(after, one, () => {})).toMatchObject({ first: null })
  })
})

describe('loading', () => {
  /** An empty installation beside a log as it was at the snapshot. */
  async function emptied() {
    const config = configOf('third')
    const log = newLog(config)
    await log.append(records.slice(0, before))
    return { config, log, store: createMemoryStore(), features }
  }

  /** What has no answers in the new installation, and why: once, as the audit counts it. */
  const skipped = () =>
    (['transactions', 'labels'] as const).flatMap((name) =>
      head.positions[name].map((next, partition) => ({
        ...{ topic: first.topics[name], partition, offset: 0, next, code: 'WEIR_RECORD_SKIPPED' },
      })),
    )

  async function skipsIn({ config: { topics }, log }: StateTarget) {
    const letters = (await recordsOf(log, `letters-${Math.random()}`, topics.dead_letters)).flat()
    return letters.map((letter) => readLetter(letter)).sort((a, b) => order(a) - order(b))
  }
  const order = (letter: Lettered | null) =>
    (letter?.topic === transactions ? 0 : partitions) + (letter?.partition ?? 0)

  it('broken off at any step leaves what no member works with, and a second run does the rest', async () => {
    let [steps, lastAnswers] = [0, 0]
    for (let failing = 0; ; failing++) {
      const fateOf: Fate = failing % 2 === 0 ? 'before' : 'after'
      let calls = 0
      const fate = () => (calls++ === failing ? fateOf : 'ok')
      const target = await emptied()
      const faulty = { ...target, log: faultyLog(target.log, fate), store: faultyStore(target.store, fate) }
      const error = await loadSnapshot(path, faulty, newToken, () => {}).catch((reason) => reason)
      if (calls <= failing) break
      steps++
      expect(error, `step ${failing}`).toMatchObject({
        code: expect.stringMatching(/^WEIR_(STORE|LOG)_UNAVAILABLE/),
      })
      if (failing % 7 === 0) await expectNothingDecided(target, failing)
      // Only where the last answer of all was lost, nothing is left to do, and the second run says so.
      const again = await loadSnapshot(path, target, newToken, () => {}).catch(({ message }) => message)
      if (again !== 'lane e0 of app third holds states already, up to offset 0') expect(again).toEqual(head)
      else lastAnswers++
      expect(await checkSnapshot(path, target, () => {}), `step ${failing}`).toMatchObject({ differing: 0 })
      for (const partition of head.positions.transactions.keys()) {
        const committed = await target.log.committed('third', { topic: transactions, partition })
        expect(committed).toBe(head.positions.transactions[partition])
      }
      expect(await skipsIn(target), `step ${failing}`).toEqual(skipped())
    }
    expect(steps).toBeGreaterThan(25)
    expect(lastAnswers).toBeLessThan(2)
  })

  /** A member that starts after the break either waits, or, where nothing was loaded yet, would begin from nothing. */
  async function expectNothingDecided(
    target: Awaited<ReturnType<typeof emptied>>,
    step: number,
  ): Promise<void> {
    const marks = await Promise.all(
      (['t', 'l', 'e'] as const).flatMap((kind) =>
        [0, 1].map((partition) => target.store.watermark({ kind, partition })),
      ),
    )
    if (!marks.every((mark) => mark !== null && mark < 0)) return
    const errors: unknown[] = []
    const scorer = await start(target.config, target.log, target.store, (error) => errors.push(error))
    await pause(30)
    await scorer.stop()
    expect(errors.length, `step ${step}`).toBeGreaterThan(0)
    for (const error of errors) expect(error).toMatchObject({ code: 'WEIR_STORE_LOADING' })
    expect(await decisionsOf(target.config, target.log)).toEqual([])
  }

  it('after a break that let members go on, leaves alone what they work with', async () => {
    const target = await emptied()
    let moves = 0
    const breaking: StateStore = {
      ...target.store,
      // The last lane, t1, is not finished.
      write: (lane, token, move, states) =>
        move.to >= 0 && ++moves === 6
          ? Promise.reject(new Error('power failure'))
          : target.store.write(lane, token, move, states),
    }
    await expect(loadSnapshot(path, { ...target, store: breaking }, newToken, () => {})).rejects.toThrow(
      'power failure',
    )
    const early = await start(target.config, target.log, target.store)
    await target.log.append(records.slice(before, before + 200))
    const decided = async () => (await decisionsOf(target.config, target.log)).length
    while ((await decided()) === 0) await pause(10)
    await pause(50)
    await early.stop()
    const some = await decided()
    await loadSnapshot(path, target, newToken, () => {})
    const scorer = await start(target.config, target.log, target.store)
    await scorer.subscription.idle()
    expect(await decided()).toBeGreaterThan(some)
    await scorer.stop()
    const after = join(folder, 'gone-on.weir')
    await snapshotOf(after, target.config, target.log, contracts, features)
    expect(await checkSnapshot(after, target, () => {})).toMatchObject({ first: null })
  })

  it('begins a changelog anew, whatever lies there', async () => {
    const empty = await emptied()
    const topic = 'states'
    const config = { ...empty.config, topics: { ...empty.config.topics, features: topic } }
    empty.log.createTopic(topic, partitions)
    const target = { ...empty, config }
    const prefix = statesPrefix(config.app, features.layoutHash)
    for (const [partition, upTo] of head.positions.transactions.entries()) {
      const at = { topic, partition }
      const keys = laneKeys(prefix, { kind: 't', partition })
      await target.log.append([
        { ...at, key: `${keys.states}nobody`, value: Buffer.from('of another life') },
        headRecord(at, keys, JSON.stringify({ upTo, since: 0 })),
      ])
    }
    await loadSnapshot(path, target, newToken, () => {})
    const member = await start(config, target.log, target.store)
    await target.log.append(records.slice(before, before + 200))
    await member.subscription.idle()
    await member.stop()

    // Redis is lost: what comes back is what was loaded and what came since.
    const lost = { ...target, store: createMemoryStore() }
    const heir = await start(config, lost.log, lost.store)
    await lost.log.append(records.slice(before + 200))
    await heir.subscription.idle()
    await heir.stop()
    const after = join(folder, 'restored.weir')
    await snapshotOf(after, config, lost.log, contracts, features)
    expect(await checkSnapshot(after, lost, () => {})).toMatchObject({ first: null })
  })

  const refusal = async (target: Awaited<ReturnType<typeof emptied>>, file = path) => {
    const error = await loadSnapshot(file, target, newToken, () => {}).catch((reason) => reason)
    return `${error.code}: ${error.message}`
  }

  it('refuses what is not empty', async () => {
    expect(await refusal(live)).toMatch(/^WEIR_STATE_MISMATCH: lane e0 of app first holds states already/)
    const target = await emptied()
    const writer = await target.log.fence('third', { topic: labels, partition: 1 })
    await writer.commit([], 1)
    expect(await refusal(target)).toBe(
      `WEIR_STATE_MISMATCH: group third has a position already: 1 of ${labels}-1`,
    )
  })

  it('refuses a lane that is half loaded from another file', async () => {
    const target = await emptied()
    const other = join(folder, 'half.weir')
    await writeSnapshot(other, { ...head, source: 'another' }, history)
    const breaking: StateStore = { ...target.store, write: () => Promise.reject(new Error('power failure')) }
    let writes = 0
    breaking.write = (...given) =>
      ++writes > 8 ? Promise.reject(new Error('power failure')) : target.store.write(...given)
    await expect(loadSnapshot(other, { ...target, store: breaking }, newToken, () => {})).rejects.toThrow(
      'power failure',
    )
    expect(await refusal(target)).toMatch(
      /^WEIR_STATE_MISMATCH: lane e0 of app third is half loaded from another snapshot/,
    )
    await expect(checkSnapshot(other, target, () => {})).rejects.toThrow('of app third is half loaded')
    await loadSnapshot(other, target, newToken, () => {})
  })

  it('refuses states of files, of other topics, and of places that the topic does not have', async () => {
    const target = await emptied()
    const other = join(folder, 'elsewhere.weir')
    const { topics, ...ofFiles } = head
    await writeSnapshot(other, { ...ofFiles, source: 'payments.csv' }, history)
    expect(await refusal(target, other)).toContain(
      'are those of payments.csv, not of a topic from its beginning',
    )
    await writeSnapshot(other, { ...head, topics: { transactions: 'elsewhere', labels } }, history)
    expect(await refusal(target, other)).toContain(
      `holds the states of elsewhere, this installation reads ${transactions}`,
    )
    await writeSnapshot(other, { ...head, positions: { ...head.positions, labels: [0, 9_999] } }, history)
    expect(await refusal(target, other)).toContain(
      `contains ${labels}-1 up to 9999, but the topic holds 0 to`,
    )
    const stray = {
      kind: 'transaction',
      partition: 1,
      offset: 7,
      transaction: aTransaction({ customer_id: 'c-1' }),
      labels: [],
    } as const
    const home = partitionOf('c-1', partitions)
    expect(() => checkHomes([{ ...stray, partition: home }], partitions)).not.toThrow()
    expect(() => checkHomes([{ ...stray, partition: 1 - home }], partitions)).toThrow('belongs into')
    const one = { partitions: 1, positions: { transactions: [1], labels: [0] }, times: [0] }
    await writeSnapshot(other, { ...head, ...one }, history)
    expect(await refusal(target, other)).toContain(
      'holds the states of 1 partitions, this installation has 2',
    )
  })
})
