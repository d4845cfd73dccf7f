import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TopicDescription } from '../adapters/kafka-admin.ts'
import { skipLetter } from '../core/dead-letter.ts'
import type { LogRecord, NewRecord } from '../core/ports.ts'
import { loadSnapshot } from '../replay/load.ts'
import { writeSnapshot } from '../replay/snapshot.ts'
import { withRates } from '../stream/scorer.ts'
import { copy } from './copy.ts'
import { codecOf, copiers, copyHistory, copyUpdates, markCut } from './history.ts'
import type { Move } from './installation.ts'
import { detach, type HistoryEnd, relocate, throughHistory } from './offsets.ts'
import { isHome, keyed, moved } from './place.ts'
import { type Part, type Plan, planOf } from './plan.ts'
import { refused, statesOf } from './states.ts'

/** What is told while it goes on. */
export interface RekeyObserver {
  /** A step begins. */
  step(what: string): void
  records(count: number): void
}

export interface RekeyOptions {
  /** As the topics are to be; a topic that is there is left as it is. */
  readonly wanted: readonly TopicDescription[]
  readonly observer: RekeyObserver
}

/** Records that are in the new topics now and were not before. */
export interface Moved {
  /** Decided by the old installation. */
  readonly history: number
  /** For the new one to decide. */
  readonly undecided: number
}

/**
 * Moves an installation to topics with another number of partitions. Dies anywhere and goes on when called again; once
 * done, it moves what has come since, or does nothing.
 *
 * 1. The old group is fenced: nobody can decide there unnoticed any more.
 * 2. What was decided, or what the log still has of it, is copied, and so are all entity updates.
 * 3. States are what the old store and log say, with the offsets of the new topics; they are loaded as those of a
 *    snapshot, with the new group's positions right behind what was copied.
 * 4. The topics of decisions and alerts are made: only now members can start.
 * 5. What was not decided is moved: a copy, the old group's position past it and a declared skip in its place, in one
 *    transaction. So each is decided by the old installation or moved, never both, and `weir audit` and `weir reset`
 *    see there that it was.
 * 6. Last come records that lie where their keys do not belong: sent after the partitions were changed.
 *
 * @throws WeirError WEIR_REKEY_REFUSED where that cannot be done right.
 */
export async function rekey(move: Move, { wanted, observer }: RekeyOptions): Promise<Moved> {
  const { old, admin, next } = move
  const members = await admin.members(old.config.group)
  if (members > 0) {
    throw refused(
      `group ${old.config.group} has ${members} members`,
      'stop the members of the old installation, wait for kafka.session_timeout_ms, and run the command again',
    )
  }
  const { decisions, alerts } = next.config.topics
  const outputs = new Set([decisions, alerts])
  let plan = await planOf(move)
  const counts = { history: 0, undecided: 0 }
  if (!plan.isLoaded) {
    observer.step('fencing the old group')
    await fence(move, plan)
    plan = await planOf(move)
    await admin.createTopics(wanted.filter(({ topic }) => !outputs.has(topic)))
    await markCut(move, plan)
    observer.step('copying what was decided')
    counts.history = await copyHistory(move, plan, observer.records)
    observer.step('copying entity updates')
    await copyUpdates(move)
    observer.step('reading the states')
    await moveStates(move, plan, observer)
  }
  await admin.createTopics(wanted)
  observer.step('moving what was not decided')
  counts.undecided = await moveUndecided(move, plan, observer)
  return counts
}

async function fence({ log, old }: Move, { parts }: Plan): Promise<void> {
  for (const at of parts) await (await log.fence(old.config.group, at)).close()
}

async function moveStates(move: Move, { parts }: Plan, observer: RekeyObserver): Promise<void> {
  const { old, next, log, features } = move
  const { topics } = next.config
  const decidedOf = (input: Part['input']) =>
    parts
      .filter((part) => part.input === input && part.partition < old.config.topics.partitions)
      .map(({ decided }) => decided)
  const positions = { transactions: decidedOf('transactions'), labels: decidedOf('labels') }
  const history = await statesOf({ ...old, log, features, positions })
  detach(history.customers, features)
  const codec = withRates(next.contracts.transactions, features)
  const ends: HistoryEnd[] = []
  const labels: number[] = []
  for (let partition = 0; partition < topics.partitions; partition++) {
    const place = (input: Part['input']) => ({
      from: old.config.topics[input],
      to: topics[input],
      partition,
    })
    ends.push(await relocate(log, place('transactions'), codec, history.customers, features))
    labels.push(await throughHistory(log, place('labels'), () => {}))
  }
  const head = {
    version: 1,
    feature_hash: features.hash,
    source: old.config.topics.transactions,
    topics: { transactions: topics.transactions, labels: topics.labels },
    partitions: topics.partitions,
    positions: { transactions: ends.map(({ position }) => position), labels },
    times: ends.map(({ time }) => time),
  } as const
  const folder = await mkdtemp(join(tmpdir(), 'weir-rekey-'))
  try {
    const path = join(folder, 'states.weir')
    await writeSnapshot(path, head as never, history)
    observer.step('loading the states')
    await loadSnapshot(path, { ...next, log, features }, randomUUID, () => {})
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** At home first: a customer's records that lie elsewhere were sent after the partitions were changed. */
async function moveUndecided(move: Move, { parts }: Plan, observer: RekeyObserver): Promise<number> {
  const { log, old, next } = move
  const { group, topics } = old.config
  const { history, strays } = copiers(move)
  const letterable = await log.partitions(topics.dead_letters)
  let undecided = 0
  const pass = (part: Part, by: string, [start, end]: readonly [number, number], isWanted: boolean) => {
    const to = { topic: next.config.topics[part.input], partitions: next.config.topics.partitions }
    return copy({
      log,
      group: by,
      at: part,
      start,
      end,
      async translate(records) {
        const all = await keyed(records, codecOf(move, part))
        const some = all.filter((one) => isHome(one, part.partition, topics.partitions) === isWanted)
        undecided += some.length
        // Partitions that were added have no answers in the old installation: its members never read them.
        const skips = isWanted && part.partition < letterable ? [movedAway(move, part, records)] : []
        return [...some.map((one) => moved(one, part, to)), ...skips]
      },
      onRecords: (count) => observer.records(count),
    })
  }
  const ends: number[] = []
  for (const part of parts) ends.push(await pass(part, group, [part.decided, part.end], true))
  for (const [i, part] of parts.entries()) {
    // Only behind a fence is a position final.
    await (await log.fence(history, part)).close()
    const start = (await log.committed(history, part)) ?? part.first
    await pass(part, strays, [start, ends[i] as number], false)
  }
  return undecided
}

/** Says where the old installation would answer that these records are answered elsewhere. */
function movedAway({ old, next }: Move, part: Part, records: readonly LogRecord[]): NewRecord {
  const [from, last] = [records[0] as LogRecord, records.at(-1) as LogRecord]
  const reason = `moved to ${next.config.topics[part.input]} by weir rekey`
  return skipLetter(old.config.topics.dead_letters, part, from.offset, last.offset + 1, reason)
}
