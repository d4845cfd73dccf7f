import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { fetchSettings } from '../src/adapters/kafka-subscription.ts'
import { readManifest } from '../src/adapters/model-package.ts'
import { loadFeatures, loadPolicy } from '../src/config/definitions.ts'
import type { Turn } from './arena.ts'

/** Milliseconds. */
export interface Pace {
  /** How long a transaction is left open for more, by those that end them by the clock. */
  readonly commitMs: number
  /** How long a batch that is not full waits for more, where it does. */
  readonly waitMs: number
}

/**
 * All that a contestant of another make is told, as the one JSON argument of its process. Calibration and score map are
 * in model.json of the package.
 */
export interface PeerOptions extends Pace {
  readonly brokers: readonly string[]
  /** redis://host:port, for those that keep states there. */
  readonly redis: string
  /** Consumer group, and the name that transactional ids, keys and internal topics begin with. */
  readonly group: string
  readonly input: string
  readonly output: string
  readonly alerts: string
  /** For what is known of merchants, terminals and devices, of those that send it to themselves. */
  readonly entityUpdates: string
  /** Of all topics. */
  readonly partitions: number
  /** Records in a transaction at most. */
  readonly batch: number
  /** Partitions side by side, for those that can. */
  readonly concurrency: number
  readonly fetch: typeof fetchSettings
  /** Folder of the model package, and the graph in it. */
  readonly package: string
  readonly graph: string
  /** The feature file. */
  readonly features: string
  /** Folder of the Avro schemas; ids.json there gives their ids. */
  readonly schemas: string
  /** Hundredths of the reference currency per minor unit, by currency. */
  readonly factors: Readonly<Record<string, number>>
  readonly referenceCurrency: string
  /** Least risk score of each outcome but approve. */
  readonly thresholds: Readonly<Record<'challenge' | 'review' | 'decline', number>>
  readonly alertOn: readonly string[]
  /** Fields that every decision has. */
  readonly decision: Readonly<Record<'feature_hash' | 'model' | 'model_sha256' | 'policy', string>>
}

const schemas = fileURLToPath(new URL('../schemas', import.meta.url))

export async function peerOptions({ name, config, reached }: Turn, pace: Pace): Promise<PeerOptions> {
  const features = loadFeatures(config.features)
  const { id, file } = loadPolicy(config.policy, features)
  const { directory, champion } = config.models
  const folder = resolve(directory, ...champion.split('@'))
  const { manifest, sha256 } = await readManifest(folder)
  const [graph] = Object.keys(manifest.files).filter((one) => one.endsWith('.onnx'))
  return {
    brokers: [reached.kafka],
    redis: `redis://${reached.redis}`,
    group: name,
    input: config.topics.transactions,
    output: config.topics.decisions,
    alerts: config.topics.alerts,
    entityUpdates: config.topics.entity_updates,
    partitions: config.topics.partitions,
    batch: config.chunk.max_records,
    concurrency: config.chunk.concurrency,
    ...pace,
    fetch: fetchSettings,
    package: folder,
    graph: join(folder, graph as string),
    features: resolve(config.features),
    schemas,
    factors: Object.fromEntries(features.factors),
    referenceCurrency: features.file.reference_currency,
    thresholds: file.thresholds,
    alertOn: file.alert_on,
    decision: {
      feature_hash: features.hash,
      model: `${manifest.name}@${manifest.version}`,
      model_sha256: sha256.slice(0, 16),
      policy: id,
    },
  }
}
