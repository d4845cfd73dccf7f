import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { createKafkaAdmin } from '../src/adapters/kafka-admin.ts'
import { kafkaClient, withConnection } from '../src/apps/connect.ts'
import { createTopicSink } from '../src/cli/sink.ts'
import { wantedTopics } from '../src/cli/topics.ts'
import { loadConfig } from '../src/config/load.ts'
import type { Config } from '../src/config/schema.ts'
import { dayMs } from '../src/core/days.ts'
import { WeirError } from '../src/core/errors.ts'
import type { Log, NewRecord } from '../src/core/ports.ts'
import { generate } from '../src/generator/generate.ts'
import type { GeneratorOptions } from '../src/generator/options.ts'
import { storeVariables } from '../test/helpers/redis-cluster.ts'
import { type Service, type Settings, startKafka, startRedis } from '../test/helpers/services.ts'
import { endBackground, inBackground } from './background.ts'
import { startCluster } from './cluster.ts'
import { endMembers, MemberProcess } from './member-process.ts'
import { withPrimaries } from './primaries.ts'
import { type Evidence, gather, unsettled } from './verifier/evidence.ts'
import { loadInstallation } from './verifier/installation.ts'
import { tableOf, type Verdict, verify } from './verifier/verify.ts'

/** A broker, a store and an installation of weir on them, without members yet. */
export interface Scene {
  readonly config: Config
  /** WEIR_* variables for a member. */
  readonly env: Readonly<Record<string, string>>
  /** One, or the three of a cluster. */
  readonly brokers: readonly Service[]
  readonly redis: Service
  stop(): Promise<void>
}

/** The seed of everything that a fault test draws; WEIR_FAULTS_SEED repeats a run. */
export function chooseSeed(): number {
  const seed = Number(process.env['WEIR_FAULTS_SEED'] ?? Math.floor(Math.random() * 1_000_000))
  say(`seed ${seed} (WEIR_FAULTS_SEED=${seed} draws the same again)`)
  return seed
}

export function say(line: string): void {
  process.stderr.write(`faults: ${line}\n`)
}

/** Said as soon as they are known: to judge may take long, or more memory than there is. */
export function sayFigures(figures: Readonly<Record<string, number | null>>): void {
  for (const [figure, value] of Object.entries(figures)) say(`  ${figure} ${value}`)
}

export interface SceneOptions {
  /** Settings of the servers, over those of other tests; `appendonly: 'no'` makes Redis come back empty. */
  readonly redis?: Settings
  readonly kafka?: Settings
  /** Starts Redis where it is not a plain one; of a cluster `address` is a list. */
  readonly startStore?: (settings?: Settings) => Promise<Service>
  /** Record timestamps of payments are when they reached the broker, not when they were made: see waits.ts. */
  readonly arrivalTimes?: boolean
  /** A cluster where every topic lies on three brokers and is written to two at least; one broker without it. */
  readonly brokers?: 3
  /** Starts the broker where it is not a plain one. */
  readonly startBroker?: (settings: Settings) => Promise<Service>
  /** WEIR_* variables, over those of every scene. */
  readonly env?: Readonly<Record<string, string>>
}

/** A hundred years. */
const anyTime = String(100 * 365 * dayMs)

/** Starts what members need, with the topics made. */
export async function openScene(options: SceneOptions = {}): Promise<Scene> {
  const { redis: redisSettings, kafka: kafkaSettings, env: more, brokers: count } = options
  const { startStore = startRedis, arrivalTimes = false } = options
  const startBroker = options.startBroker ?? startKafka
  const [brokers, redis] = await Promise.all([
    count === undefined
      ? // The group notices a death as soon as the session ends.
        startBroker({ 'group.min.session.timeout.ms': '1000', ...kafkaSettings }).then((kafka) => [kafka])
      : startCluster(),
    startStore(redisSettings),
  ])
  const env = {
    WEIR_CONFIG: '/dev/null',
    WEIR_APP: `faults-${randomUUID().slice(0, 8)}`,
    WEIR_GROUP: 'faults',
    WEIR_KAFKA__BROKERS: brokers.map(({ address }) => address).join(','),
    ...(count !== undefined && { WEIR_TOPICS__REPLICATION: '3', WEIR_TOPICS__MIN_INSYNC_REPLICAS: '2' }),
    WEIR_KAFKA__SESSION_TIMEOUT_MS: '3000',
    ...storeVariables(redis.address),
    // Small chunks go through the protocol often.
    WEIR_CHUNK__MAX_RECORDS: '40',
    WEIR_HTTP__PORT: '0',
    WEIR_HTTP__REQUESTS_PER_SECOND: '100000',
    WEIR_LOG__LEVEL: 'warn',
    // Generated payments have dates of their own.
    ...(arrivalTimes && {
      WEIR_LIMITS__EVENT_TIME_PAST_MS: anyTime,
      WEIR_LIMITS__EVENT_TIME_FUTURE_MS: anyTime,
    }),
    ...more,
  }
  const { config } = loadConfig({ env })
  const stop = async () => {
    await Promise.all([endMembers(), endBackground()])
    await Promise.all([...brokers, redis].map((service) => service.stop()))
  }
  try {
    await createTopics(config, arrivalTimes)
  } catch (error) {
    await stop()
    throw error
  }
  return { config, env, brokers, redis, stop }
}

async function createTopics(config: Config, arrivalTimes: boolean): Promise<void> {
  const admin = await createKafkaAdmin(kafkaClient(config))
  const byArrival = { 'message.timestamp.type': 'LogAppendTime' }
  try {
    await admin.createTopics(
      wantedTopics(config).map((wanted) =>
        arrivalTimes && wanted.topic === config.topics.transactions
          ? { ...wanted, settings: { ...wanted.settings, ...byArrival } }
          : wanted,
      ),
    )
  } finally {
    await admin.close()
  }
}

interface FeedOptions extends Pick<GeneratorOptions, 'customers' | 'merchants'> {
  readonly history?: number
}

/**
 * Sends payments, labels, duplicates, late and damaged records until told to stop. Resolves with their number.
 *
 * @param rate records a second; 0: as fast as the log takes them.
 * @param options who pays where, and how many records come first, as fast as the log takes them (`history`).
 */
export function startFeed(
  config: Config,
  seed: number,
  rate: number,
  { history = 0, ...world }: FeedOptions = {},
): { stop(): Promise<number> } {
  let sent = 0
  const progress = {
    add(count: number) {
      sent += count
    },
    reach() {},
    stop: () => ({ count: sent, seconds: 0 }),
  }
  const options = {
    customers: 300,
    merchants: 60,
    ...world,
    fraudRate: 0.03,
    duplicateRate: 0.02,
    damagedRate: 0.01,
  }
  const feed = (isStopped: () => boolean) =>
    withConnection(config, async (connection) => {
      const sinks = { ...connection, log: insistent(connection.log, isStopped) }
      let sink = await createTopicSink(sinks, config.topics, { rate: history > 0 ? 0 : rate, progress })
      let left = history
      for (const record of generate({ seed, events: Number.MAX_SAFE_INTEGER, ...options })) {
        if (isStopped()) break
        if (left > 0 && --left === 0) {
          await sink.close()
          sink = await createTopicSink(sinks, config.topics, { rate, progress })
        }
        if (record.kind === 'label') await sink.label(record.label, record.time)
        else if (record.kind === 'damaged')
          await sink.transaction(record.candidate, record.time, record.spoil)
        else await sink.transaction(record.transaction, record.time)
      }
      await sink.close()
    })
  return inBackground(feed, () => sent)
}

/** What is refused so often after the end of its feed is given up: the brokers have ended, too. */
const mostRefused = 50

/** A producer that does not give up before it is stopped: what brokers refuse while they are away is sent again. */
function insistent(log: Log, isStopped: () => boolean): Pick<Log, 'partitions' | 'append'> {
  let refused = 0
  const append = async (records: readonly NewRecord[]): Promise<void> => {
    for (;;) {
      try {
        return await log.append(records)
      } catch (error) {
        if (!(error instanceof WeirError && error.retriable)) throw error
        if (isStopped() && ++refused > mostRefused) throw error
        await sleep(200)
      }
    }
  }
  return { partitions: (topic) => log.partitions(topic), append }
}

/**
 * Waits until everything is answered and the states have caught up.
 *
 * @param workSeconds that are still to be worked off; a minute comes on top.
 * @throws Error that says what is missing.
 */
export async function settle(config: Config, workSeconds = 0): Promise<void> {
  const deadline = performance.now() + (60 + workSeconds) * 1_000
  // While commits are under way the broker may refuse to tell positions.
  const ask = () => unsettled(config).catch((error: Error) => `it cannot be told: ${error.message}`)
  for (let missing = await ask(); missing !== null; missing = await ask()) {
    if (performance.now() > deadline) {
      throw new Error(`not at rest after ${Math.round(60 + workSeconds)} s: ${missing}`)
    }
    await sleep(500)
  }
}

/** Waits until the states lack no more than `most` of the payments on the log. @throws Error after 3 minutes. */
export function caughtUp(config: Config, most: number): Promise<void> {
  // A server that has just come back may not answer yet.
  const reached = () => withPrimaries(config, reachedOf).catch(() => 0)
  return withConnection(config, async ({ log }) => {
    for (let left = 900; left > 0; left--) {
      let missing = -(await reached())
      for (let partition = 0; partition < config.topics.partitions; partition++) {
        missing += (await log.bounds({ topic: config.topics.transactions, partition })).end
      }
      if (missing <= most) return
      await sleep(200)
    }
    throw new Error('the members did not catch up with the feed within 3 minutes')
  })
}

/** How far the states of payments contain the log, all partitions together. */
export async function reachedOf(servers: readonly Redis[]): Promise<number> {
  let reached = 0
  for (const server of servers) {
    for (const lane of await server.keys('*')) {
      if (/\.t\d+}$/.test(lane)) reached += Number(await server.hget(lane, 'wm'))
    }
  }
  return reached
}

/** Judges what is there, and says how it came out. @param evidence where it has been gathered already. */
export async function judge(config: Config, evidence?: Evidence): Promise<Verdict> {
  const verdict = await verify(evidence ?? (await gather(config)), await loadInstallation(config))
  say(`verdict\n${tableOf(verdict)}`)
  return verdict
}

/** Feeds two members, does the damage in the middle and waits until everything is at rest. */
export async function underLoad(
  { config, env }: Scene,
  seed: number,
  damage: (members: readonly MemberProcess[]) => Promise<void>,
  { rate = 300, history = 0 } = {},
): Promise<void> {
  const members = [new MemberProcess(env), new MemberProcess(env)]
  const feed = startFeed(config, seed, rate, { history })
  await Promise.all(members.map((member) => member.step('written')))
  await sleep(3_000)
  await damage(members)
  await sleep(3_000)
  await Promise.all(members.map((member) => member.step('written')))
  await feed.stop()
  await settle(config)
  await Promise.all(members.map((member) => member.stop()))
}

/** What the verifier must find where nothing was done to the members and the services. */
export const flawless = { lost: 0, doubled: 0, changed: 0, state_differences: 0, differences: [] }
