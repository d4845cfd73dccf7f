import { startBehindProxy } from '../faults/behind-proxy.ts'
import { SlowProxy } from '../faults/slow-proxy.ts'
import { createKafkaAdmin } from '../src/adapters/kafka-admin.ts'
import { kafkaClient } from '../src/apps/connect.ts'
import { wantedTopics } from '../src/cli/topics.ts'
import { loadConfig } from '../src/config/load.ts'
import type { Config } from '../src/config/schema.ts'
import { RedisCluster, storeVariables } from '../test/helpers/redis-cluster.ts'
import { type Service, startKafka, startRedis } from '../test/helpers/services.ts'
import { freePort } from '../test/helpers/services-ready.ts'
import type { BenchOptions } from './options.ts'

/** `host:port` of both; of a Redis Cluster a list. */
export interface Addresses {
  readonly kafka: string
  readonly redis: string
}

/** The broker and the store of one bench, as processes, so that the CPU of each can be read. */
export interface Arena {
  readonly kafka: Service
  /** One server, or the primaries of a cluster. */
  readonly redis: readonly Service[]
  /** Where contestants find them; the bench itself asks them directly. */
  readonly reached: Addresses
  stop(): Promise<void>
}

/**
 * @param distance milliseconds by which each of their answers reaches a contestant late, as over a network.
 * @param shards primaries of a Redis Cluster; 1: one server that is of none.
 */
export async function openArena({ distance = 0, shards = 1 } = {}): Promise<Arena> {
  process.env['WEIR_TEST_SERVICES'] = 'processes'
  if (distance > 0) return openFarArena(distance)
  const [kafka, redis] = await Promise.all([startKafka(), startStore(shards)])
  return {
    kafka,
    redis,
    reached: { kafka: kafka.address, redis: listed(redis) },
    async stop() {
      await Promise.all([kafka, ...redis].map((service) => service.stop()))
    },
  }
}

const startStore = async (shards: number): Promise<readonly Service[]> =>
  shards === 1 ? [await startRedis()] : (await RedisCluster.start(shards)).nodes

const listed = (servers: readonly Service[]): string => servers.map(({ address }) => address).join(',')

async function openFarArena(distance: number): Promise<Arena> {
  const brokerPort = await freePort()
  const far = await SlowProxy.open(`127.0.0.1:${brokerPort}`)
  const [kafka, redis] = await Promise.all([startBehindProxy(far, brokerPort), startRedis()])
  const farRedis = await SlowProxy.open(redis.address)
  for (const proxy of [far, farRedis]) proxy.delayMs = distance
  return {
    kafka,
    redis: [redis],
    reached: { kafka: far.address, redis: farRedis.address },
    async stop() {
      for (const proxy of [far, farRedis]) proxy.close()
      await Promise.all([kafka.stop(), redis.stop()])
    },
  }
}

/** One turn of one contestant: names of its own, so that turns share the backlog and nothing else. */
export interface Turn {
  readonly name: string
  /** The settings as weir takes them, for its process. */
  readonly env: Readonly<Record<string, string>>
  /** The same for the bench, which asks broker and store directly. */
  readonly config: Config
  readonly reached: Addresses
}

/** @param input topic of the payments: shared by the turns over one backlog. */
export function prepareTurn(
  { kafka, redis, reached }: Arena,
  { batch, partitions }: Pick<BenchOptions, 'batch' | 'partitions'>,
  { name, input, httpPort }: { name: string; input: string; httpPort: number },
): Turn {
  const env = {
    WEIR_CONFIG: '/dev/null',
    WEIR_APP: name,
    WEIR_GROUP: name,
    ...addresses(reached),
    WEIR_CHUNK__MAX_RECORDS: String(batch),
    WEIR_HTTP__PORT: String(httpPort),
    WEIR_LOG__LEVEL: 'warn',
    // What a floor passes on has the time of the bench, not of the payment.
    WEIR_LIMITS__EVENT_TIME_PAST_MS: String(Number.MAX_SAFE_INTEGER),
    WEIR_TOPICS__PARTITIONS: String(partitions),
    WEIR_TOPICS__TRANSACTIONS: input,
    WEIR_TOPICS__LABELS: `${name}.labels`,
    WEIR_TOPICS__CONTROL: `${name}.control`,
    WEIR_TOPICS__DECISIONS: `${name}.decisions`,
    WEIR_TOPICS__ALERTS: `${name}.alerts`,
    WEIR_TOPICS__DEAD_LETTERS: `${name}.dead-letters`,
    WEIR_TOPICS__ENTITY_UPDATES: `${name}.entity-updates`,
    ...(name.startsWith('weir-changelog') && { WEIR_TOPICS__FEATURES: `${name}.features` }),
  }
  const direct = addresses({ kafka: kafka.address, redis: listed(redis) })
  return { name, env, config: loadConfig({ env: { ...env, ...direct } }).config, reached }
}

const addresses = ({ kafka, redis }: Addresses) => ({
  WEIR_KAFKA__BROKERS: kafka,
  ...storeVariables(redis),
})

/** Creates what does not exist of the topics of a turn, as `weir topics create` does. */
export async function createTopics({ config }: Turn): Promise<void> {
  const admin = await createKafkaAdmin(kafkaClient(config))
  try {
    await admin.createTopics(wantedTopics(config))
  } finally {
    await admin.close()
  }
}
