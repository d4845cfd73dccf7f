import type { Contracts } from '../adapters/avro-contracts.ts'
import type { KafkaAdmin } from '../adapters/kafka-admin.ts'
import type { Config } from '../config/schema.ts'
import type { CompiledFeatures } from '../core/features/compile.ts'
import type { Log, StateStore } from '../core/ports.ts'

/** An installation as rekey reads or makes it. */
export interface Installation {
  readonly config: Config
  readonly contracts: Contracts
  readonly store: StateStore
}

/** What rekey works on. */
export interface Move {
  readonly old: Installation
  readonly next: Installation
  readonly features: CompiledFeatures
  readonly log: Log
  readonly admin: KafkaAdmin
}

/**
 * The same installation with other partitions: app, group and every topic get the suffix, but for `control`, which has
 * one partition and is nobody's alone.
 */
export function nextConfig(config: Config, partitions: number, suffix: string): Config {
  const topics = Object.entries(config.topics).map(([name, value]) => [
    name,
    typeof value === 'string' && name !== 'control' ? value + suffix : value,
  ])
  return {
    ...config,
    app: config.app + suffix,
    group: config.group + suffix,
    topics: { ...(Object.fromEntries(topics) as Config['topics']), partitions },
  }
}

/** What members of the new installation are to be told: of all settings, those that are others now. */
export function changedSettings({ app, group, topics }: Config, next: Config) {
  const changed = Object.entries(next.topics).filter(
    ([name, value]) => topics[name as keyof Config['topics']] !== value,
  )
  return {
    ...(next.app !== app && { app: next.app }),
    ...(next.group !== group && { group: next.group }),
    topics: Object.fromEntries(changed),
  }
}
