import type { TopicPartition } from '../core/ports.ts'
import { lanesOf } from '../replay/target.ts'
import type { Move } from './installation.ts'
import { refused } from './states.ts'

/** A partition of an input of the old installation. */
export interface Part extends TopicPartition {
  readonly input: 'transactions' | 'labels'
  readonly first: number
  /** What lies before it was decided. */
  readonly decided: number
  readonly end: number
}

/** What rekey finds and would do; nothing was changed to find it out. */
export interface Plan {
  readonly parts: readonly Part[]
  /** Members of the old group. */
  readonly members: number
  /** Whether the new installation has the history and its states already. */
  readonly isLoaded: boolean
}

const inputs = ['transactions', 'labels'] as const

/** @throws WeirError WEIR_REKEY_REFUSED where a new topic is there with other partitions. */
export async function planOf(move: Move): Promise<Plan> {
  const { old, admin } = move
  await checkNewTopics(move)
  const parts = await Promise.all(inputs.map((input) => partsOf(move, input)))
  return {
    parts: parts.flat(),
    members: await admin.members(old.config.group),
    isLoaded: await isLoaded(move),
  }
}

async function partsOf({ old, log }: Move, input: Part['input']): Promise<Part[]> {
  const { group, topics } = old.config
  const topic = topics[input]
  const partitions = Array.from({ length: await log.partitions(topic) }, (_, partition) => partition)
  return Promise.all(
    partitions.map(async (partition) => {
      const at = { topic, partition }
      const [{ first, end }, committed] = await Promise.all([log.bounds(at), log.committed(group, at)])
      return { ...at, input, first, decided: committed ?? first, end }
    }),
  )
}

/** States are loaded last, so lanes that can go on everywhere mean that all before is done. */
async function isLoaded({ next: { config, store } }: Move): Promise<boolean> {
  const watermarks = await Promise.all(lanesOf(config.topics.partitions).map((lane) => store.watermark(lane)))
  return watermarks.every((watermark) => watermark !== null && watermark >= 0)
}

async function checkNewTopics({ next: { config }, admin }: Move): Promise<void> {
  const { transactions, labels, decisions, alerts, dead_letters, entity_updates, partitions } = config.topics
  const names = [transactions, labels, decisions, alerts, dead_letters, entity_updates]
  for (const topic of await admin.describeTopics(names)) {
    if (topic === null || topic.partitions === partitions) continue
    throw refused(
      `${topic.topic} exists with ${topic.partitions} partitions, not ${partitions}`,
      'choose another --suffix, or the --partitions that the move was begun with',
    )
  }
}
