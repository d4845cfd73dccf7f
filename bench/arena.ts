import { createKafkaAdmin } from '../src/adapters/kafka-admin.ts'
import { kafkaClient } from '../src/apps/connect.ts'
import { wantedTopics } from '../src/cli/topics.ts'
import { loadConfig } from '../src/config/load.ts'
import type { Config } from '../src/config/schema.ts'
import { type Service, startKafka, startRedis } from '../test/helpers/services.ts'
import type { BenchOptions } from './options.ts'

/** The broker and the store of one bench, as processes, so that the CPU of each can be read. */
export interface Arena {
  readonly kafka: Service
  readonly redis: Service
  stop(): Promise<void>
}

export async function openArena(): Promise<Arena> {
  process.env['WEIR_TEST_SERVICES'] = 'processes'
  const [kafka, redis] = await Promise.all([startKafka(), startRedis()])
  return {
    kafka,
    redis,
    async stop() {
      await Promise.all([kafka.stop(), redis.stop()])
    },
  }
}

/** One turn of one contestant: names of its own, so that turns share the backlog and nothing else. */
export interface Turn {
  readonly name: string
  /** The settings as weir takes them, for its process. */
  readonly env: Readonly<Record<string, string>>
  readonly config: Config
}

/** @param input topic of the payments: shared by the turns over one backlog. */
export function prepareTurn(
  { kafka, redis }: Arena,
  { batch, partitions }: Pick<BenchOptions, 'batch' | 'partitions'>,
  { name, input, httpPort }: { name: string; input: string; httpPort: number },
): Turn {
  const env = {
    WEIR_CONFIG: '/dev/null',
    WEIR_APP: name,
    WEIR_GROUP: name,
    WEIR_KAFKA__BROKERS: kafka.address,
    WEIR_REDIS__URL: `redis://${redis.address}`,
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
  return { name, env, config: loadConfig({ env }).config }
}

/** Creates what does not exist of the topics of a turn, as `weir topics create` does. */
export async function createTopics({ config }: Turn): Promise<void> {
  const admin = await createKafkaAdmin(kafkaClient(config))
  try {
    await admin.createTopics(wantedTopics(config))
  } finally {
    await admin.close()
  }
}
