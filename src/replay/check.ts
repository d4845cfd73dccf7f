import type { LaneId, Log, TopicPartition } from '../core/ports.ts'
import { progressKey } from '../stream/entity-updates.ts'
import { type SnapshotHead, type SnapshotState, snapshotParts } from './snapshot.ts'
import { checkPlaces, laneOf, lanesOf, mismatch, nameOf, type StateTarget } from './target.ts'

export interface Comparison {
  readonly head: SnapshotHead
  /** States of the snapshot. */
  readonly compared: number
  /** States that are not the same, or that only one of the two has. */
  readonly differing: number
  /** The first of them, in words; null when there is none. */
  readonly first: string | null
}

/** States that are asked for in one call of the store. */
const mostAsked = 500

/**
 * Compares the states of a snapshot with those that an installation at rest holds at the same positions, byte for byte
 * and in both directions. Changes nothing. Keeps the names of all states in memory.
 *
 * How far each home has folded (`progressKey`) depends on where chunks ended, and is left out.
 *
 * @param onStates told how many states were compared.
 * @throws WeirError WEIR_STATE_SNAPSHOT, or WEIR_STATE_MISMATCH where the two do not stand at the same positions.
 */
export async function checkSnapshot(
  path: string,
  target: StateTarget,
  onStates: (count: number) => void,
): Promise<Comparison> {
  const { store, features } = target
  const unseen = new Map<string, Set<string>>()
  let head: SnapshotHead | undefined
  let [compared, differing] = [0, 0]
  let first: string | null = null
  const differs = (what: string) => {
    differing++
    first ??= what
  }
  for await (const part of snapshotParts(path, features.hash)) {
    if ('version' in part) {
      head = part
      await checkPositions(path, head, target)
      for (const id of lanesOf(head.partitions)) unseen.set(nameOf(id), await keysOf(id, target))
      continue
    }
    for (const [id, states] of byLane(part, (head as SnapshotHead).partitions)) {
      const stored = await store.peek(
        id,
        states.map(({ key }) => key),
      )
      for (const [i, { key, packed }] of states.entries()) {
        unseen.get(nameOf(id))?.delete(key)
        const difference = differenceOf(packed, stored[i] ?? null)
        if (difference !== null) differs(`${key} in lane ${nameOf(id)} ${difference}`)
      }
    }
    compared += part.length
    onStates(part.length)
  }
  for (const [lane, keys] of unseen) {
    for (const key of keys) differs(`${key} in lane ${lane} is in the store only`)
  }
  return { head: head as SnapshotHead, compared, differing, first }
}

async function checkPositions(path: string, head: SnapshotHead, target: StateTarget): Promise<void> {
  await checkPlaces(path, head, target)
  for (const id of lanesOf(head.partitions)) {
    if (id.kind === 'e') continue
    const name = id.kind === 't' ? 'transactions' : 'labels'
    const position = head.positions[name][id.partition] as number
    const watermark = (await target.store.watermark(id)) ?? 0
    if (watermark === position) continue
    const at = { topic: target.config.topics[name], partition: id.partition }
    if (watermark >= 0 && (await isEmpty(target.log, at, watermark, position))) continue
    if (watermark < 0) {
      throw mismatch(
        `lane ${nameOf(id)} of app ${target.config.app} is half loaded`,
        'finish it by `weir state load` with the same file',
      )
    }
    throw mismatch(
      `the states of ${target.config.topics[name]}-${id.partition} stand at ${watermark}, ${path} at ${position}`,
      'compare at rest: stop the payments, wait until everything is decided, replay the topic to its end',
    )
  }
}

/** Whether no record lies between two offsets: a topic may end with the markers of transactions. */
async function isEmpty(log: Log, at: TopicPartition, one: number, other: number): Promise<boolean> {
  for await (const records of log.read(at, Math.min(one, other), Math.max(one, other))) {
    if (records.length > 0) return false
  }
  return true
}

async function keysOf(id: LaneId, { store }: StateTarget): Promise<Set<string>> {
  const found = new Set<string>()
  for await (const keys of store.keys(id)) for (const key of keys) found.add(key)
  found.delete(progressKey)
  return found
}

function* byLane(
  states: readonly SnapshotState[],
  partitions: number,
): Generator<[LaneId, SnapshotState[]], void, undefined> {
  for (let at = 0; at < states.length; at += mostAsked) {
    const lanes = new Map<string, [LaneId, SnapshotState[]]>()
    for (const state of states.slice(at, at + mostAsked)) {
      const id = laneOf(state, partitions)
      const lane = lanes.get(nameOf(id))
      if (lane === undefined) lanes.set(nameOf(id), [id, [state]])
      else lane[1].push(state)
    }
    yield* lanes.values()
  }
}

function differenceOf(wanted: Buffer, stored: Buffer | null): string | null {
  if (stored === null) return 'is in the snapshot only'
  if (stored.equals(wanted)) return null
  const at = wanted.findIndex((byte, i) => byte !== stored[i])
  return `has ${stored.length} bytes in the store and ${wanted.length} in the snapshot; they differ from byte ${at < 0 ? wanted.length : at}`
}
