import type { Command } from 'commander'
import { createKafkaAdmin, type KafkaAdmin, type TopicDescription } from '../adapters/kafka-admin.ts'
import { kafkaClient } from '../apps/connect.ts'
import type { Config } from '../config/schema.ts'
import { WeirError } from '../core/errors.ts'
import { configOf, wantsJson } from './flags.ts'
import { print, printJson, printTable, styled } from './output.ts'

export function registerTopics(program: Command): void {
  const topics = program.command('topics').description('create and check the Kafka topics')

  topics
    .command('create')
    .description('create the topics that do not exist; those that do are left as they are')
    .action(async (_, command: Command) => {
      const { config } = configOf(command)
      const created = await withAdmin(config, (admin) => admin.createTopics(wantedTopics(config)))
      if (wantsJson(command)) return printJson({ created })
      for (const topic of created) print(`${styled('green', 'created')}  ${topic}`)
      if (created.length === 0) print('nothing to do: all topics exist')
    })

  topics
    .command('check')
    .description('compare the topics with the configuration')
    .action(async (_, command: Command) => {
      const { config } = configOf(command)
      const wanted = wantedTopics(config)
      const found = await withAdmin(config, (admin) => admin.describeTopics(wanted.map(({ topic }) => topic)))
      const rows = wanted.map((want, i) => ({
        topic: want.topic,
        differences: differences(want, found[i] ?? null),
      }))
      if (wantsJson(command)) {
        printJson(rows)
      } else {
        printTable(
          ['TOPIC', 'STATE'],
          rows.map(({ topic, differences }) => [
            topic,
            differences.length === 0 ? styled('green', 'ok') : styled('red', differences.join('; ')),
          ]),
        )
      }
      const wrong = rows.filter(({ differences }) => differences.length > 0)
      if (wrong.length === 0) return
      throw new WeirError(
        'WEIR_LOG_TOPIC',
        `${wrong.length} of ${rows.length} topics are not as configured`,
        {
          cure: 'create missing ones by `weir topics create`; set the configuration to the partitions that exist, since more of them would move customers; change other settings with the tools of Kafka',
        },
      )
    })
}

async function withAdmin<T>(config: Config, use: (admin: KafkaAdmin) => Promise<T>): Promise<T> {
  const admin = await createKafkaAdmin(kafkaClient(config))
  try {
    return await use(admin)
  } finally {
    await admin.close()
  }
}

/** The topics as the configuration wants them. */
export function wantedTopics({ topics, limits }: Config): TopicDescription[] {
  const { partitions, replication, min_insync_replicas, retention_ms, ...names } = topics
  const settings = {
    'cleanup.policy': 'delete',
    'min.insync.replicas': String(min_insync_replicas),
    'retention.ms': String(retention_ms),
  }
  // A producer whose clock runs ahead would stamp record and event alike, and move windows on for everybody.
  const inputs = { ...settings, 'message.timestamp.after.max.ms': String(limits.event_time_future_ms) }
  const settingsOf = (name: string) => {
    if (name === 'features') return changelog(settings)
    // Rules of which a part is gone are other rules: whatever the retention, changes are kept for ever.
    if (name === 'control') return { ...settings, 'retention.ms': '-1' }
    return name === 'transactions' || name === 'labels' ? inputs : settings
  }
  return Object.entries(names).flatMap(([name, topic]) =>
    topic === null
      ? []
      : [
          {
            topic,
            partitions: name === 'control' ? 1 : partitions,
            replication,
            settings: settingsOf(name),
          },
        ],
  )
}

/** A segment that is written to is never compacted: small ones keep short what a restore reads beyond the newest states. */
function changelog({ 'retention.ms': _, ...settings }: TopicDescription['settings']) {
  return { ...settings, 'cleanup.policy': 'compact', 'segment.bytes': String(16 * 1_048_576) }
}

/** What is not as wanted, in words; none when all is. More copies than wanted are welcome. */
export function differences(wanted: TopicDescription, found: TopicDescription | null): string[] {
  if (found === null) return ['does not exist']
  return [
    ...(found.partitions === wanted.partitions
      ? []
      : [`${found.partitions} partitions, not ${wanted.partitions}`]),
    ...(found.replication >= wanted.replication
      ? []
      : [`${found.replication} copies, not ${wanted.replication}`]),
    ...Object.entries(wanted.settings)
      .filter(([name, value]) => found.settings[name] !== value)
      .map(([name, value]) => `${name} is ${found.settings[name]}, not ${value}`),
  ]
}
