import type { LogRecord, NewRecord } from '../core/ports.ts'
import { checkRecords } from '../stream/decoded.ts'
import { EntityUpdates } from '../stream/entity-updates.ts'
import { withRates } from '../stream/scorer.ts'
import { copy } from './copy.ts'
import type { Move } from './installation.ts'
import { isHome, type Keyed, keyed, moved } from './place.ts'
import type { Part, Plan } from './plan.ts'
import { refused } from './states.ts'

/**
 * Where the old log has lost its beginning, the new one is given a lost record too: a lane that ever has to rebuild from
 * an empty store then says that history is missing, as it would have before.
 */
export async function markCut({ log, admin, old, next }: Move, { parts }: Plan): Promise<void> {
  const { topics } = old.config
  const updates = Array.from({ length: await log.partitions(topics.entity_updates) }, (_, partition) =>
    log.bounds({ topic: topics.entity_updates, partition }),
  )
  const isCut = {
    transactions: parts.some(({ input, first }) => input === 'transactions' && first > 0),
    labels: parts.some(({ input, first }) => input === 'labels' && first > 0),
    entity_updates: (await Promise.all(updates)).some(({ first }) => first > 0),
  }
  for (const name of ['transactions', 'labels', 'entity_updates'] as const) {
    for (let partition = 0; isCut[name] && partition < next.config.topics.partitions; partition++) {
      const at = { topic: next.config.topics[name], partition }
      const { first, end } = await log.bounds(at)
      if (first > 0 || end > 1) continue
      if (end === 0) await log.append([{ ...at, key: null, value: null }])
      await admin.deleteBefore(at, 1)
    }
  }
}

/** Groups that keep the position of copies; nobody ever joins them. */
export const copiers = ({ next: { config } }: Move) => ({
  history: `${config.group}.rekey`,
  strays: `${config.group}.rekey-strays`,
})

export const codecOf = ({ old: { contracts }, features }: Move, { input }: Pick<Part, 'input'>) =>
  input === 'transactions' ? withRates(contracts.transactions, features) : contracts.labels

export async function copyHistory(
  move: Move,
  { parts }: Plan,
  onRecords: (count: number) => void,
): Promise<number> {
  const { log, old, next } = move
  const { partitions } = old.config.topics
  let copied = 0
  for (const part of parts) {
    const codec = codecOf(move, part)
    const to = { topic: next.config.topics[part.input], partitions: next.config.topics.partitions }
    await copy({
      log,
      group: copiers(move).history,
      at: part,
      start: part.first,
      end: part.decided,
      async translate(records) {
        const all = await keyed(records, codec)
        const astray = all.filter((one) => !isHome(one, part.partition, partitions))
        await checkDecidedAtHome(move, part, astray)
        copied += all.length
        return all.map((one) => moved(one, part, to))
      },
      onRecords,
    })
  }
  return copied
}

/** What was refused may lie anywhere; a customer who was decided elsewhere cannot be placed. */
async function checkDecidedAtHome(move: Move, part: Part, astray: readonly Keyed[]): Promise<void> {
  const checked = await codecOf(move, part).decode(astray.map(({ record }) => record))
  const at = checked.findIndex(({ ok }) => ok)
  if (at < 0) return
  throw refused(
    `the record at offset ${astray[at]?.record.offset} of ${part.topic}-${part.partition} was decided there, but its key belongs into another partition: producers do not use Kafka's default partitioner`,
    'rekey cannot know where such producers will put whom: begin anew with another `app`, `group` and topics of its own',
  )
}

/** Each update goes to where its entities are at home now, in as many records as that takes. */
export async function copyUpdates(move: Move): Promise<void> {
  const { log, old, next } = move
  const topic = old.config.topics.entity_updates
  const { entity_updates, partitions } = next.config.topics
  const updates = new EntityUpdates(entity_updates, partitions, next.contracts.entityUpdates)
  for (let partition = 0; partition < (await log.partitions(topic)); partition++) {
    const at = { topic, partition }
    const { first, end } = await log.bounds(at)
    await copy({
      log,
      group: copiers(move).history,
      at,
      start: first,
      end,
      async translate(records) {
        const checked = await checkRecords(old.contracts.entityUpdates, records)
        return checked.flatMap((one, i): NewRecord[] => {
          if (!one.ok) return []
          const { deltas, ...source } = one.value
          const timestamp = (records[i] as LogRecord).timestamp
          return updates.records(source, deltas).map((record) => ({ ...record, timestamp }))
        })
      },
      onRecords: () => {},
    })
  }
}
