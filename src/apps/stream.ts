import { randomUUID } from 'node:crypto'
import type { Logger } from 'pino'
import { createCachedStore } from '../adapters/cached-store.ts'
import type { KafkaLog } from '../adapters/kafka-log.ts'
import type { RedisStore } from '../adapters/redis-store.ts'
import type { ThreadedModel } from '../adapters/threaded-model.ts'
import { createControlReader } from '../config/control-texts.ts'
import type { Config } from '../config/schema.ts'
import type { ActiveSet } from '../core/decide.ts'
import type { Backend } from '../http/api.ts'
import { type HttpServer, type Probes, startHttp } from '../http/server.ts'
import { createMetrics, type Metrics } from '../observability/metrics.ts'
import { createObserver, isSevere } from '../observability/observe.ts'
import { ControlFollower } from '../stream/control-follower.ts'
import type { LaneObserver } from '../stream/lane.ts'
import { laneStates } from '../stream/partition-lane.ts'
import { QuietLanes } from '../stream/quiet-lanes.ts'
import { type Scorer, startScorer } from '../stream/scorer.ts'
import { type LoadedSet, startActiveSet } from './active-set.ts'
import { createBackend } from './backend.ts'
import { checkStore, checkTopics, openContracts, openKafka, openStore } from './connect.ts'
import { createLiveModel, type LiveModel } from './live-model.ts'
import { StoreWatch } from './store-watch.ts'

export interface Stream {
  /** Where health and metrics are served. */
  readonly url: string
  /** Not ready at once, finishes the running chunks, leaves the group. Idempotent. */
  stop(): Promise<void>
}

/** Every step of a chunk has a time limit of its own, together shorter: then something waits for nothing. */
const wedgedSeconds = 600

/** A change of rules and lists takes effect within about this, milliseconds. */
const followEveryMs = 1_000

/** Prometheus asks no more often. */
const caretakerEveryMs = 5_000

/**
 * The live scorer on Kafka and Redis.
 *
 * @param reached for tests that let a member die at a step of the protocol.
 * @throws WeirError when configuration, topics, model or services are not as they must be.
 */
export async function startStream(
  config: Config,
  logger: Logger,
  reached?: LaneObserver['reached'],
): Promise<Stream> {
  const metrics = createMetrics()
  const loaded = await startActiveSet(config, (line) => logger.info(line))
  const live = createLiveModel({ ...loaded, deadlineMs: config.models.deadline_ms }, logger, metrics)
  try {
    return await startMember(config, { loaded, live, metrics }, logger, reached)
  } catch (error) {
    await live.close().catch(() => {})
    throw error
  }
}

interface Prepared {
  readonly loaded: LoadedSet<ThreadedModel>
  readonly live: LiveModel
  readonly metrics: Metrics
}

async function startMember(
  config: Config,
  { loaded, live, metrics }: Prepared,
  logger: Logger,
  reached: LaneObserver['reached'],
): Promise<Stream> {
  metrics.modelInfo.set({ model: loaded.model.id, sha256: loaded.model.sha256, alias: 'champion' }, 1)
  const watch = new StoreWatch(logger, metrics)
  const store = openCachedStore(config, loaded, watch)
  const log = openKafka(config, {
    onEvent: ({ type, ...fields }) => logger[levelOf(fields)](fields, `group: ${type}`),
  })
  const observer = { ...createObserver(metrics, logger), ...(reached === undefined ? {} : { reached }) }
  let scorer: Scorer | undefined
  let http: HttpServer | undefined
  try {
    await checkStore(store)
    await checkTopics(config, log)
    // It was loading beside these. Whose model is refused registers no schemas.
    await loaded.model.ready
    const contracts = await openContracts(config)
    const base = { ...loaded, model: live.model }
    const control = await ControlFollower.open({
      log,
      topic: config.topics.control,
      codec: contracts.control,
      reader: createControlReader(base),
      base,
      observer,
    })
    const now = () => performance.now() / 1000
    const parts = {
      config,
      log,
      store,
      contracts,
      active: () => control.active,
      observer,
      clock: Date.now,
      now,
      newToken: randomUUID,
    }
    // Before joining, which may take as long as the slowest member needs: alive, and not ready.
    let backend: Backend | null = null
    const served = { scorer: () => scorer, log, watch, live, backend: () => backend }
    http = await serve(config, metrics, logger, served)
    scorer = await startScorer(parts)
    backend = createBackend(parts, scorer, () => control.state)
    const quiet = new QuietLanes({ ...scorer, log, store })
    const caretaker = startCaretaker({ scorer, quiet, log, store, watch }, metrics, logger)
    const following = setInterval(() => void control.look(), followEveryMs)
    const running = { scorer, http, live, log, store, timers: [caretaker, following] }
    logger.info({ url: http.url, group: config.group }, 'scoring')
    return { url: http.url, stop: once(() => stop(running)) }
  } catch (error) {
    await Promise.all([http?.close(), log.close(), store.close()])
    throw error
  }
}

function levelOf(fields: object): 'info' | 'warn' | 'error' {
  if (!('error' in fields)) return 'info'
  return isSevere(fields.error) ? 'error' : 'warn'
}

function openCachedStore(
  config: Config,
  { features }: ActiveSet,
  { onConnection }: Pick<StoreWatch, 'onConnection'>,
): RedisStore {
  const store = openStore(config, features, onConnection)
  const { cache_mib } = config.redis
  return cache_mib === 0 ? store : createCachedStore(store, cache_mib * 1024 * 1024)
}

interface Served {
  readonly scorer: () => Scorer | undefined
  readonly log: KafkaLog
  readonly watch: Pick<StoreWatch, 'probe'>
  readonly live: Pick<LiveModel, 'probe'>
  readonly backend: () => Backend | null
}

function serve(
  config: Config,
  metrics: Metrics,
  logger: Logger,
  { scorer, log, watch, live, backend }: Served,
): Promise<HttpServer> {
  const states = () =>
    scorer()
      ?.member.lanes()
      .map(({ state }) => state) ?? []
  const ready: Probes = {
    kafka: () => {
      const isMember = scorer() !== undefined && log.healthy()
      return {
        ok: isMember,
        detail: isMember
          ? 'member of the group'
          : 'not a member of the group, or before a batch that cannot be read',
      }
    },
    redis: watch.probe,
    model: live.probe,
    topics: () => {
      const finding = scorer()?.pinned.finding ?? null
      return { ok: finding === null, detail: finding?.message ?? 'partitions as pinned' }
    },
    lanes: () => {
      const waiting = states().filter((state) => state === 'acquiring' || state === 'rebuilding').length
      return { ok: waiting === 0, detail: `${states().length} partitions, ${waiting} not ready` }
    },
  }
  const alive: Probes = {
    chunks: () => {
      const seconds = Math.round(scorer()?.member.longestRunSeconds ?? 0)
      return { ok: seconds < wedgedSeconds, detail: `longest chunk in hand: ${seconds} s` }
    },
  }
  const { host, port, keys, requests_per_second, concurrent_scores } = config.http
  const api = {
    backend,
    keys,
    maxBytes: config.limits.record_bytes,
    requestsPerSecond: requests_per_second,
    concurrentScores: concurrent_scores,
    clock: Date.now,
  }
  const failed = (error: unknown) => logger.error({ error }, 'a request could not be served')
  return startHttp({ host, port, metrics, live: alive, ready, api, failed })
}

interface Cared {
  readonly scorer: Scorer
  readonly quiet: QuietLanes
  readonly log: KafkaLog
  readonly store: RedisStore
  readonly watch: StoreWatch
}

/** Looks after what no record brings about: gauges, Redis, partitions that could not be taken over, states that are behind. */
function startCaretaker(
  { scorer, quiet, log, store, watch }: Cared,
  metrics: Metrics,
  logger: Logger,
): NodeJS.Timeout {
  let measuring = false
  void watch.look(store)
  return setInterval(() => {
    void watch.look(store)
    // Each try is a connection a lane: not while Kafka refuses them.
    if (log.isMember()) scorer.member.restart()
    void quiet.look()
    setLaneStates(scorer, metrics)
    if (measuring) return
    measuring = true
    void Promise.all([setLag(scorer, log, metrics), watchPartitions(scorer, logger)]).finally(() => {
      measuring = false
    })
  }, caretakerEveryMs)
}

/** Also where no record tells: in a quiet topic, and in those that weir only writes to. */
async function watchPartitions({ pinned }: Scorer, logger: Logger): Promise<void> {
  const known = pinned.finding
  // A broker that is away shows in readiness.
  await pinned.look().catch(() => {})
  const { finding } = pinned
  if (known === null && finding !== null) logger.error({ error: finding }, 'a topic has changed')
}

function setLaneStates({ member }: Scorer, metrics: Metrics): void {
  metrics.laneState.reset()
  for (const { id, state } of member.lanes()) {
    const { kind, partition } = id
    for (const one of laneStates) {
      metrics.laneState.set({ kind, partition, state: one }, one === state ? 1 : 0)
    }
  }
}

async function setLag({ member }: Scorer, log: KafkaLog, metrics: Metrics): Promise<void> {
  const lanes = member.lanes()
  const bounds = await Promise.all(
    // A broker that is away shows in readiness; here there is nothing to tell.
    lanes.map(({ topic, id }) => log.bounds({ topic, partition: id.partition }).catch(() => null)),
  )
  metrics.lag.reset()
  lanes.forEach(({ topic, id, position }, i) => {
    const end = bounds[i]?.end
    if (end === undefined || position === null) return
    const { partition } = id
    // A lane stands after its last record; the marker that ends a transaction comes after that and is no backlog.
    const handled = Math.max(position, log.fetchPosition({ topic, partition }) ?? 0)
    metrics.lag.set({ topic, partition }, Math.max(0, end - handled))
  })
}

interface Running {
  readonly scorer: Scorer
  readonly http: HttpServer
  readonly live: LiveModel
  readonly log: KafkaLog
  readonly store: RedisStore
  readonly timers: readonly NodeJS.Timeout[]
}

async function stop({ scorer, http, live, log, store, timers }: Running): Promise<void> {
  http.drain()
  for (const timer of timers) clearInterval(timer)
  await scorer.stop()
  await Promise.all([log.close(), store.close(), http.close()])
  // After the last request that asks it why.
  await live.close()
}

function once(work: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined
  return () => {
    done ??= work()
    return done
  }
}
