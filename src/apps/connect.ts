import { readFileSync } from 'node:fs'
import type { SchemaSource } from '../adapters/avro.ts'
import { type Contracts, createContracts } from '../adapters/avro-contracts.ts'
import { createFileSchemaSource } from '../adapters/avro-schema-files.ts'
import type { KafkaClientOptions } from '../adapters/kafka-client.ts'
import { createKafkaLog, type KafkaLog } from '../adapters/kafka-log.ts'
import type { KafkaSubscriptionOptions } from '../adapters/kafka-subscription.ts'
import { createRedisStore, type RedisStore } from '../adapters/redis-store.ts'
import { createSchemaRegistry } from '../adapters/schema-registry.ts'
import { loadFeatures } from '../config/definitions.ts'
import type { Config } from '../config/schema.ts'
import { WeirError } from '../core/errors.ts'
import type { CompiledFeatures } from '../core/features/compile.ts'
import { statesPrefix } from '../core/lane-keys.ts'
import type { Log } from '../core/ports.ts'
import { PinnedPartitions } from '../stream/pinned-partitions.ts'

interface PemTexts {
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
}

/**
 * Reads the certificates that a `tls` section names; undefined when TLS is off.
 *
 * @throws {WeirError} WEIR_CONFIG_UNREADABLE that names the file.
 */
function readTls({ enabled, ca_file, cert_file, key_file }: Config['redis']['tls']): PemTexts | undefined {
  if (!enabled) return undefined
  return {
    ...(ca_file !== null && { ca: readPem(ca_file) }),
    ...(cert_file !== null && { cert: readPem(cert_file) }),
    ...(key_file !== null && { key: readPem(key_file) }),
  }
}

function readPem(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    // Some put the key itself there.
    const shown = path.includes('\n') ? 'a file whose name has several lines' : path
    const { code } = cause as NodeJS.ErrnoException
    throw new WeirError('WEIR_CONFIG_UNREADABLE', `cannot read ${shown} (${code})`, {
      cure: 'check the tls section: the file must be PEM and readable by this user',
    })
  }
}

/** How to reach Kafka: brokers, encryption and login. */
export function kafkaClient({ kafka }: Config): KafkaClientOptions {
  const { mechanism, username, password } = kafka.sasl
  const tls = readTls(kafka.tls)
  return {
    brokers: kafka.brokers,
    clientId: kafka.client_id,
    ...(tls !== undefined && { tls: Object.keys(tls).length === 0 ? true : tls }),
    ...(mechanism !== null && { sasl: { mechanism, username: username ?? '', password: password ?? '' } }),
  }
}

/** The log on Kafka; connects when first used. */
export function openKafka(
  config: Config,
  { logger, onEvent }: Pick<KafkaClientOptions, 'logger'> & Pick<KafkaSubscriptionOptions, 'onEvent'> = {},
): KafkaLog {
  return createKafkaLog({
    client: { ...kafkaClient(config), ...(logger !== undefined && { logger }) },
    transactionTimeoutMs: config.kafka.transaction_timeout_ms,
    sessionTimeoutMs: config.kafka.session_timeout_ms,
    maxRunRecords: config.chunk.max_records,
    partitionsConsumedConcurrently: config.chunk.concurrency,
    ...(onEvent !== undefined && { onEvent }),
  })
}

/**
 * The states of an installation in Redis; connects at once.
 *
 * @param onConnection see RedisStoreOptions.
 */
export function openStore(
  { app, redis }: Config,
  { layoutHash }: Pick<CompiledFeatures, 'layoutHash'>,
  onConnection: (error?: WeirError) => void,
): RedisStore {
  const { url, cluster_nodes, username, password, deadline_ms } = redis
  // The address may say it too: then the files count as well.
  const tls = readTls({ ...redis.tls, enabled: redis.tls.enabled || url.startsWith('rediss:') })
  return createRedisStore({
    url,
    clusterNodes: cluster_nodes,
    prefix: statesPrefix(app, layoutHash),
    deadlineMs: deadline_ms,
    ...(username === null ? {} : { username }),
    ...(password === null ? {} : { password }),
    ...(tls === undefined ? {} : { tls }),
    onConnection,
  })
}

/** A store that drops states on its own or takes none is refused: a member would decide without states for ever. */
export async function checkStore(store: RedisStore): Promise<void> {
  const [finding] = await store.check().catch((cause: WeirError) => {
    const { code, message, retriable } = cause
    const cure =
      cause.cure ??
      'start Redis, or correct redis.url or redis.cluster_nodes, redis.username, redis.password and redis.tls'
    throw new WeirError(code, message, { cure, retriable, cause })
  })
  if (finding === undefined) return
  throw new WeirError('WEIR_STORE_UNFIT', finding.message, { cure: finding.cure })
}

/** Partitions are pinned: with another number customers would move away from their states. */
export async function checkTopics({ topics }: Config, log: Log): Promise<void> {
  const pinned = new PinnedPartitions(log, topics)
  await pinned.look()
  if (pinned.finding !== null) throw pinned.finding
}

/** Schema ids from the registry where one is configured, else from files. */
export function openSchemas({ schema_registry: registry }: Config): SchemaSource {
  const { url } = registry
  return url === null ? createFileSchemaSource() : createSchemaRegistry({ ...registry, url })
}

/** The codecs of all topics. */
export function openContracts(config: Config): Promise<Contracts> {
  const { topics, limits } = config
  return createContracts(
    openSchemas(config),
    {
      transactions: topics.transactions,
      labels: topics.labels,
      decisions: topics.decisions,
      alerts: topics.alerts,
      entityUpdates: topics.entity_updates,
      control: topics.control,
    },
    {
      maxRecordBytes: limits.record_bytes,
      eventTimePastMs: limits.event_time_past_ms,
      eventTimeFutureMs: limits.event_time_future_ms,
    },
  )
}

/** What commands that talk to the topics need. */
export interface Connection {
  readonly log: KafkaLog
  readonly contracts: Contracts
}

/** Opens log and codecs for the time that `use` takes. */
export async function withConnection<T>(
  config: Config,
  use: (connection: Connection) => Promise<T>,
): Promise<T> {
  const contracts = await openContracts(config)
  const log = openKafka(config)
  try {
    return await use({ log, contracts })
  } finally {
    await log.close()
  }
}

/** An installation, without what decides. */
export interface OpenInstallation {
  readonly config: Config
  readonly log: KafkaLog
  readonly store: RedisStore
  readonly features: CompiledFeatures
}

/** Opens log and store, both looked over, for the time that `use` takes; the model is not needed. */
export async function withInstallation<T>(
  config: Config,
  use: (installation: OpenInstallation) => Promise<T>,
): Promise<T> {
  const features = loadFeatures(config.features)
  const log = openKafka(config)
  const store = openStore(config, features, () => {})
  try {
    await checkStore(store)
    await checkTopics(config, log)
    return await use({ config, log, store, features })
  } finally {
    await Promise.all([log.close(), store.close()])
  }
}
