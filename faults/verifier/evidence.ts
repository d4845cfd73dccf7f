import type { Redis } from 'ioredis'
import type { Config } from '../../src/config/schema.ts'
import type { LogRecord } from '../../src/core/ports.ts'
import { withPrimaries } from '../primaries.ts'
import { CommittedLog, type CommittedRecord, type CommittedTopic } from './committed-log.ts'

/** Lanes by the topic that each reads. */
export const laneTopics = { t: 'transactions', l: 'labels', e: 'entity_updates' } as const
export type LaneKind = keyof typeof laneTopics
export const laneKinds = Object.keys(laneTopics) as LaneKind[]

export const topicNames = [
  'transactions',
  'labels',
  'entity_updates',
  'decisions',
  'alerts',
  'dead_letters',
  'control',
] as const
export type TopicName = (typeof topicNames)[number]

/** All that an installation left behind: nothing else is asked when it is judged. */
export interface Evidence {
  /** Committed records by topic and partition, in offset order. */
  readonly records: Readonly<Record<TopicName, readonly (readonly CommittedRecord[])[]>>
  /** Records of aborted transactions that no reader sees. */
  readonly aborted: number
  /** Records of transactions that nobody has ended. */
  readonly open: number
  /** By kind of lane and partition. Entity lanes keep no position but their watermark: it must be where the log ends. */
  readonly positions: Readonly<Record<LaneKind, readonly (number | null)[]>>
  /** Everything of the installation in Redis, `{app.layout.t3}:s:customer`: the fields of its hashes. */
  readonly keys: ReadonlyMap<string, Buffer>
}

/** Reads everything; the installation should be at rest. */
export async function gather(config: Config): Promise<Evidence> {
  const log = new CommittedLog(config.kafka.brokers)
  try {
    // One after the other: the client's fetch sessions do not take requests side by side.
    const topics: [TopicName, CommittedTopic][] = []
    for (const name of topicNames) topics.push([name, await log.read(config.topics[name])])
    const total = (count: 'aborted' | 'open') => topics.reduce((sum, [, topic]) => sum + topic[count], 0)
    const records = Object.fromEntries(
      topics.map(([name, { partitions }]) => [name, partitions]),
    ) as unknown as Evidence['records']
    const positions = laneKinds.map(async (kind) => [
      kind,
      await positionsOf(log, config, kind, records[laneTopics[kind]]),
    ])
    return {
      records,
      aborted: total('aborted'),
      open: total('open'),
      positions: Object.fromEntries(await Promise.all(positions)),
      keys: await readKeys(config),
    }
  } finally {
    await log.close()
  }
}

/**
 * Whether the group has answered every record of its inputs and the states have caught up, for all lanes of these kinds.
 * Says what is missing, null when nothing is.
 */
export async function unsettled(
  config: Config,
  kinds: readonly LaneKind[] = laneKinds,
): Promise<string | null> {
  const log = new CommittedLog(config.kafka.brokers)
  try {
    const keys = await readKeys(config, 'wm')
    for (const kind of kinds) {
      const topic = config.topics[laneTopics[kind]]
      const watermarks = Array.from({ length: config.topics.partitions }, (_, partition) => {
        const [, watermark] = [...keys].find(([key]) => key.endsWith(`.${kind}${partition}}:wm`)) ?? []
        return watermark === undefined ? null : Number(watermark)
      })
      // Entity lanes keep no position but their watermark.
      const positions =
        kind === 'e' ? watermarks : await log.positions(config.group, topic, config.topics.partitions)
      const { partitions } = await log.read(topic, positions)
      for (const [partition, records] of partitions.entries()) {
        const position = positions[partition] ?? null
        const waiting = records.filter(({ offset }) => offset >= (position ?? 0)).length
        if (waiting > 0) return `${waiting} records of lane ${kind}${partition} wait`
        const watermark = watermarks[partition] ?? null
        if (watermark !== position) {
          return `the states of ${kind}${partition} stand at ${watermark}, the group at ${position}`
        }
      }
    }
    return null
  } finally {
    await log.close()
  }
}

/** How far the group has come with the transactions, in offsets over all partitions. Markers count. */
export async function lagOf({ kafka, group, topics }: Config): Promise<{ decided: number; lag: number }> {
  const log = new CommittedLog(kafka.brokers)
  try {
    const positions = await log.positions(group, topics.transactions, topics.partitions)
    const ends = await log.ends(topics.transactions, topics.partitions)
    const sum = (offsets: readonly (number | null)[]) => offsets.reduce<number>((a, b) => a + (b ?? 0), 0)
    return { decided: sum(positions), lag: sum(ends) - sum(positions) }
  } finally {
    await log.close()
  }
}

async function positionsOf(
  log: CommittedLog,
  { group, topics }: Config,
  kind: LaneKind,
  records: readonly (readonly LogRecord[])[],
): Promise<(number | null)[]> {
  if (kind !== 'e') return log.positions(group, topics[laneTopics[kind]], topics.partitions)
  return records.map((all) => {
    const last = all.at(-1)
    return last === undefined ? null : last.offset + 1
  })
}

/**
 * Everything that Redis holds of the installation: owner, watermark and states of each lane, by `<lane>:<field>`.
 *
 * @param only of each lane this field, instead of all.
 */
export function readKeys(config: Config, only?: string): Promise<Map<string, Buffer>> {
  return withPrimaries(config, async (servers) => {
    const keys = new Map<string, Buffer>()
    for (const server of servers) await readKeysOf(server, `{${config.app}.*`, only, keys)
    return keys
  })
}

async function readKeysOf(
  server: Redis,
  match: string,
  only: string | undefined,
  keys: Map<string, Buffer>,
): Promise<void> {
  const lanes = new Set<string>()
  for await (const names of server.scanStream({ match, count: 1_000 })) {
    for (const name of names) lanes.add(name)
  }
  for (const lane of lanes) {
    if (only !== undefined) {
      const value = await server.hgetBuffer(lane, only)
      if (value !== null) keys.set(`${lane}:${only}`, value)
      continue
    }
    for (const [name, value] of Object.entries(await server.hgetallBuffer(lane))) {
      keys.set(`${lane}:${name}`, value)
    }
  }
}
