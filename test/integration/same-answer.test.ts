import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, inject, it } from 'vitest'
import { unsettled } from '../../faults/verifier/evidence.ts'
import type { Contracts } from '../../src/adapters/avro-contracts.ts'
import { createMemoryLog } from '../../src/adapters/memory-log.ts'
import { createMemoryStore } from '../../src/adapters/memory-store.ts'
import { loadActiveSet } from '../../src/apps/active-set.ts'
import type { ActiveSet } from '../../src/core/decide.ts'
import { partitionOf } from '../../src/core/partition.ts'
import type { LogRecord, NewRecord } from '../../src/core/ports.ts'
import type { Alert, Decision, Label } from '../../src/core/types.ts'
import type { Problem } from '../../src/http/problem.ts'
import type { ScoreBody } from '../../src/http/score.ts'
import { historiesOf, newTally, Pass } from '../../src/replay/pass.ts'
import type { HistoryItem } from '../../src/replay/source.ts'
import { notRecorded } from '../../src/stream/score-now.ts'
import { type Scorer, startScorer, withRates } from '../../src/stream/scorer.ts'
import { cases, type Step } from '../helpers/cases.ts'
import { Installation, type MemberProcess, until } from '../helpers/installation.ts'
import { recordsOf } from '../helpers/snapshots.ts'

/**
 * The same payments, scored over HTTP, decided live on Kafka and Redis, decided on the embedded log and store,
 * and replayed: one answer. In waves, one payment of every case at a time, with everything at rest between: what is
 * folded of merchants, terminals and devices is then the same everywhere, and none is another case's.
 */
const waves = 6
const labelsAfter = 2
/** Seconds, on a machine that is busy with other tests. */
const longestWait = 60
const all = cases(500, waves, 20)

const folder = mkdtempSync(join(tmpdir(), 'weir-same-'))
const policy = join(folder, 'policy.yaml')

let live: Installation
let member: MemberProcess
let active: ActiveSet
let contracts: Contracts
let embedded: Awaited<ReturnType<typeof startEmbedded>>

beforeAll(async () => {
  // The shipped policy, but every decision is one that a person should see.
  const alertOnAll = 'alert_on: [approve, challenge, review, decline]'
  writeFileSync(policy, readFileSync('policy.yaml', 'utf8').replace(/^alert_on:.*$/m, alertOnAll))
  const services = [`kafka.brokers=${inject('kafkaBrokers')}`, `redis.url=${inject('redisUrl')}`]
  live = await Installation.create([
    ...services,
    `policy=${policy}`,
    'redis.deadline_ms=5000',
    'http.requests_per_second=100000',
  ])
  contracts = live.contracts
  // A member has read the control topic to its end, and nothing lay there.
  active = { ...(await loadActiveSet(live.config, () => {})), controlOffset: 0 }
  embedded = await startEmbedded()
  member = await (await live.start()).ready()
})
afterAll(async () => {
  await embedded?.scorer.stop()
  await live?.[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true })
})

async function startEmbedded() {
  const { topics, group: _, ...config } = live.config
  const { partitions, replication: _r, min_insync_replicas: _m, retention_ms: _t, ...names } = topics
  const log = createMemoryLog({
    topics: Object.fromEntries(Object.values(names).map((name) => [name, partitions])),
  })
  let tokens = 0
  const scorer: Scorer = await startScorer({
    config: { ...config, topics, group: 'embedded' },
    log,
    store: createMemoryStore(),
    contracts,
    active: () => active,
    clock: () => 0,
    now: () => performance.now() / 1000,
    newToken: () => String(tokens++),
    observer: {},
  })
  return { log, scorer }
}

/** What a surface said of one payment: Avro bytes in hex, or why it was refused. */
interface Said {
  readonly decision: string
  readonly alert: string
}

const refused = (code: string | undefined, message: string | undefined): Said => ({
  decision: `${code}: ${message}`,
  alert: '',
})

/** What is scored now has no place on the log: the ids that name it are left out, on the other side as well. */
const unplaced = (decision: Decision, alert: Alert | null) =>
  said({ ...decision, decision_id: notRecorded }, alert && { ...alert, alert_id: notRecorded })

const said = (decision: Decision, alert: Alert | null): Said => ({
  decision: contracts.decisions.encode(decision).toString('hex'),
  alert: alert === null ? '' : contracts.alerts.encode(alert).toString('hex'),
})

const missing = Buffer.from([0, 0, 0xc0, 0x7f])

async function ask({ transaction, timestamp }: Step): Promise<Said> {
  const response = await fetch(`${member.url}/v1/score?record_timestamp=${timestamp}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(transaction),
  })
  const body = (await response.json()) as ScoreBody & Problem
  if (response.status === 400) return refused(body.code, body.detail)
  if (response.status !== 200) throw new Error(`${response.status} ${JSON.stringify(body)}`)
  const { features, ...decision } = body.decision
  const values = Object.values(features ?? {}).map((value) => {
    if (value === null) return missing
    const bytes = Buffer.alloc(4)
    bytes.writeFloatLE(value)
    return bytes
  })
  // JSON has no NaN: a value that is missing is null there.
  const contributions = body.alert?.contributions.map((one) => ({ ...one, value: one.value ?? Number.NaN }))
  const alert = body.alert && { ...body.alert, contributions: contributions ?? [] }
  return unplaced({ ...decision, features: Buffer.concat(values) }, alert)
}

/** A few at a time, as people ask. */
async function askAll(steps: readonly Step[]): Promise<Said[]> {
  const answers: Said[] = new Array(steps.length)
  const waiting = [...steps.entries()]
  const asker = async () => {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop())
      answers[next[0]] = await ask(next[1])
  }
  await Promise.all(Array.from({ length: 8 }, asker))
  return answers
}

const recordOf = ({ transaction, timestamp }: Step): NewRecord => live.record(transaction, { timestamp })

const labelRecord = (label: Label): NewRecord => ({
  topic: live.config.topics.labels,
  partition: partitionOf(label.customer_id, live.config.topics.partitions),
  key: label.customer_id,
  value: contracts.labels.encode(label),
  timestamp: label.observed_time,
})

/** Sent to both logs; returns when all of it is decided and folded everywhere. */
async function send(records: readonly NewRecord[]): Promise<void> {
  await Promise.all([live.log.append(records), embedded.log.append(records)])
  await embedded.scorer.subscription.idle()
  await until('rest', async () => (await unsettled(live.config)) === null, longestWait)
}

/** Answers by the place of the payment on its topic, `partition/offset`. */
type Answers = ReadonlyMap<string, Said>

/** Takes together what lies on the output topics. */
function collect(
  decisions: readonly (readonly Decision[])[],
  alerts: readonly (readonly Alert[])[],
  letters: readonly LogRecord[],
): Answers {
  const { transactions } = live.config.topics
  const found = new Map<string, Said>()
  const alertOf = new Map(alerts.flat().map((alert) => [alert.alert_id, alert]))
  for (const [partition, some] of decisions.entries()) {
    for (const decision of some) {
      const place = `${partition}/${decision.decision_id.slice(`${transactions}-${partition}-`.length)}`
      if (found.has(place)) throw new Error(`${place} has two answers`)
      found.set(place, said(decision, alertOf.get(decision.decision_id) ?? null))
    }
  }
  for (const { headers } of letters) {
    const at = (name: string) => headers[`__connect.errors.${name}`]
    const place = `${at('partition')}/${at('offset')}`
    if (found.has(place)) throw new Error(`${place} has two answers`)
    found.set(place, refused(at('exception.class.name'), at('exception.message')))
  }
  return found
}

function liveAnswers(): Answers {
  const byPartition = <T>(all: readonly { readonly partition: number; readonly content: T }[]) =>
    [0, 1].map((at) => all.filter(({ partition }) => partition === at).map(({ content }) => content))
  return collect(byPartition(live.decisions), byPartition(live.alerts), live.deadLetters)
}

async function embeddedAnswers(): Promise<Answers> {
  const { decisions, alerts, dead_letters } = live.config.topics
  const read = async <T>(topic: string, codec: { decode: Contracts['decisions']['decode'] }) =>
    Promise.all(
      (await recordsOf(embedded.log, `reader-${topic}`, topic)).map(async (records) =>
        (await codec.decode(records)).map((checked) => {
          if (!checked.ok) throw new Error(checked.rejection.message)
          return checked.value as T
        }),
      ),
    )
  return collect(
    await read<Decision>(decisions, contracts.decisions),
    await read<Alert>(alerts, contracts.alerts as never),
    (await recordsOf(embedded.log, 'reader-letters', dead_letters)).flat(),
  )
}

/** What is on the live topics, replayed in the order of the waves. */
async function replayAnswers(waveOf: readonly (readonly string[])[]): Promise<Answers> {
  const { topics } = live.config
  const found = new Map<string, Said>()
  const candidates = [{ name: 'champion', active, rules: null }]
  const tally = newTally()
  const pass = new Pass({
    topic: topics.transactions,
    candidates,
    histories: historiesOf(candidates),
    known: new Map(),
    cutOff: Number.POSITIVE_INFINITY,
    limit: Number.POSITIVE_INFINITY,
    tally,
    onDecided({ arrivals, decisions }) {
      for (const [i, { partition, offset }] of arrivals.entries()) {
        found.set(`${partition}/${offset}`, said(decisions[0]?.[i] as Decision, null))
      }
    },
    onRejected(at, reason) {
      found.set(at, { decision: reason, alert: '' })
    },
  })
  const codec = withRates(contracts.transactions, active.features)
  const items = new Map<string, HistoryItem>()
  for (const [partition, records] of (
    await recordsOf(live.log, `${live.config.group}-r`, topics.transactions)
  ).entries()) {
    for (const [i, checked] of (await codec.decode(records)).entries()) {
      const offset = records[i]?.offset as number
      const at = `${partition}/${offset}`
      items.set(
        at,
        checked.ok
          ? { kind: 'transaction', partition, offset, transaction: checked.value, labels: [] }
          : { kind: 'rejected', at, reason: `${checked.rejection.code}: ${checked.rejection.message}` },
      )
    }
  }
  for (const [wave, places] of waveOf.entries()) {
    await pass.take(places.map((place) => items.get(place) as HistoryItem))
    if (wave !== labelsAfter) continue
    await pass.take(all.flatMap(({ label }) => (label === null ? [] : [{ kind: 'label', label } as const])))
  }
  await pass.settle()
  expect(items.size).toBe(waveOf.flat().length)
  return found
}

it('500 cases are answered alike over HTTP, live, embedded and in replay', async () => {
  const asked = new Map<string, Said>()
  const waveOf: string[][] = []
  const next = [0, 0]
  for (let wave = 0; wave < waves; wave++) {
    const steps = all.flatMap(({ steps }) => steps[wave] ?? [])
    const answers = await askAll(steps)
    const records = steps.map(recordOf)
    waveOf.push(
      records.map(({ partition }, i) => {
        const offset = next[partition] as number
        next[partition] = offset + 1
        const place = `${partition}/${offset}`
        asked.set(place, answers[i] as Said)
        return place
      }),
    )
    await send(records)
    if (wave === labelsAfter)
      await send(all.flatMap(({ label }) => (label === null ? [] : [labelRecord(label)])))
  }
  const sent = asked.size
  await until('all answers', () => live.decisions.length + live.deadLetters.length === sent, longestWait)
  const decided = new Map(live.decisions.map(({ content }) => [content.decision_id, content]))
  const [onKafka, inMemory, replayed] = [liveAnswers(), await embeddedAnswers(), await replayAnswers(waveOf)]
  for (const answers of [onKafka, inMemory, replayed]) expect(answers.size).toBe(sent)

  const differences: string[] = []
  for (const place of waveOf.flat()) {
    const reference = onKafka.get(place) as Said
    const [partition, offset] = place.split('/')
    const decision = decided.get(`${live.config.topics.transactions}-${partition}-${offset}`)
    const compare = (surface: string, found: Said | undefined, wanted: Said) => {
      if (found?.decision !== wanted.decision) differences.push(`${place} ${surface}: decision`)
      if (surface !== 'replay' && found?.alert !== wanted.alert)
        differences.push(`${place} ${surface}: alert`)
    }
    compare('embedded', inMemory.get(place), reference)
    compare('replay', replayed.get(place), reference)
    const alert =
      live.alerts.find(({ content }) => content.alert_id === decision?.decision_id)?.content ?? null
    compare('over HTTP', asked.get(place), decision === undefined ? reference : unplaced(decision, alert))
  }
  expect(differences).toEqual([])

  // All that was to be met was met.
  const count = (holds: (decision: Decision) => boolean) => [...decided.values()].filter(holds).length
  expect(count(({ status }) => status === 'duplicate')).toBeGreaterThan(100)
  expect(count(({ late }) => late)).toBeGreaterThan(100)
  expect(count(({ status }) => status === 'degraded')).toBe(0)
  expect(live.deadLetters.length).toBeGreaterThan(100)
  expect(new Set(live.deadLetters.map(({ headers }) => headers['weir-reason'])).size).toBe(4)
  const fraudRate = active.features.names.indexOf('merchant_fraud_rate_7d')
  expect(
    count(({ features }) => features.length > 0 && features.readFloatLE(4 * fraudRate) > 0),
  ).toBeGreaterThan(20)
})
