import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { skipLetter } from '../core/dead-letter.ts'
import { WeirError } from '../core/errors.ts'
import { laneKeys, statesPrefix } from '../core/lane-keys.ts'
import type { LaneId, StateStore } from '../core/ports.ts'
import { headRecord } from '../stream/changelog.ts'
import { progressKey } from '../stream/entity-updates.ts'
import type { StateChanges } from '../stream/lane-states.ts'
import { type SnapshotHead, snapshotParts } from './snapshot.ts'
import { checkPlaces, laneOf, lanesOf, mismatch, nameOf, type StateTarget } from './target.ts'

/** A lane is written when this much is waiting for it: one call of the store, far below its deadline. */
const mostWaiting = { states: 500, bytes: 1_048_576 }

/**
 * Loads a snapshot into an installation that holds nothing, so that its members go on where the snapshot ends.
 *
 * 1. The file is read once to its end: nothing is written before it is known to be whole.
 * 2. Every lane gets a negative watermark, which no member works with (lane-states.ts) and which tells from what file
 *    it is loaded, and then its states.
 * 3. The group gets its positions, and what lies before them a declared skip, in one transaction: it has no answers
 *    here, and `weir audit` sees why.
 * 4. Every lane gets its watermark, those of entities first: once a member can go on anywhere, they can fold.
 *
 * Broken off anywhere, it leaves lanes with that mark; the same file loaded again does the rest.
 *
 * @param newToken a fresh owner token, never the same twice.
 * @param onStates told how many states were written.
 * @throws WeirError WEIR_STATE_SNAPSHOT, WEIR_STATE_MISMATCH, or WEIR_STORE_* when the store failed on the way.
 */
export async function loadSnapshot(
  path: string,
  target: StateTarget,
  newToken: () => string,
  onStates: (count: number) => void,
): Promise<SnapshotHead> {
  const { head, mark } = await inspect(path, target)
  await checkPlaces(path, head, target)
  const lanes = await openLanes(path, head, mark, target)
  try {
    await Promise.all(lanes.map((lane) => lane.begin(newToken())))
    await forgetChangelog(lanes, target)
    await writeStates(path, head, lanes, target, onStates)
    await commitPositions(head, target)
    for (const lane of lanes) await lane.finish()
  } catch (error) {
    throw brokenOff(error)
  }
  return head
}

/** Reads the file to its end. The mark is a negative number made of its SHA-256: other files, other marks. */
async function inspect(
  path: string,
  { features }: StateTarget,
): Promise<{ head: SnapshotHead; mark: number }> {
  let head: SnapshotHead | undefined
  for await (const part of snapshotParts(path, features.hash)) if ('version' in part) head = part
  const hash = createHash('sha256')
  await pipeline(createReadStream(path), hash)
  return { head: head as SnapshotHead, mark: -1 - hash.digest().readUIntBE(0, 6) }
}

/** The lanes that are still to be loaded: all of them, unless an earlier run was broken off. */
async function openLanes(
  path: string,
  head: SnapshotHead,
  mark: number,
  { config, log, store, features }: StateTarget,
): Promise<LoadingLane[]> {
  const { topics, group, app } = config
  const topicOf = { t: topics.transactions, l: topics.labels, e: topics.entity_updates }
  const found = await Promise.all(
    lanesOf(head.partitions).map(async (id) => {
      const at = { topic: topicOf[id.kind], partition: id.partition }
      const watermark = await store.watermark(id)
      if (id.kind === 'e') return { id, watermark, committed: null, to: (await log.bounds(at)).end }
      const committed = await log.committed(group, at)
      const positions = id.kind === 't' ? head.positions.transactions : head.positions.labels
      return { id, watermark, committed, to: positions[id.partition] as number }
    }),
  )
  const isResumed = found.some(({ watermark }) => watermark === mark)
  const clear = `delete the keys {${app}.${features.layoutHash}.* in Redis`
  const lanes: LoadingLane[] = []
  for (const { id, watermark, committed, to } of found) {
    const lane = `lane ${nameOf(id)} of app ${app}`
    if (watermark !== null && watermark < 0 && watermark !== mark) {
      throw mismatch(
        `${lane} is half loaded from another snapshot than ${path}`,
        `load that one, or ${clear} and load this one`,
      )
    }
    // Members are at work on it: it was finished before the earlier run broke off.
    if (isResumed && watermark !== null && watermark >= (id.kind === 'e' ? 0 : to)) continue
    if (watermark !== null && watermark !== mark) {
      throw mismatch(
        `${lane} holds states already, up to offset ${watermark}`,
        `\`weir state check\` tells whether they are those of the snapshot; if not, give the new installation an \`app\` and \`group\` of its own, or, where these states are of no use, ${clear}`,
      )
    }
    if (committed !== null && !(isResumed && committed === to)) {
      throw mismatch(
        `group ${group} has a position already: ${committed} of ${topicOf[id.kind]}-${id.partition}`,
        'give the new installation an `app` and `group` of its own: what this group has decided would be decided twice, or not at all',
      )
    }
    lanes.push(new LoadingLane(store, id, watermark, mark, to))
  }
  return lanes
}

class LoadingLane {
  readonly id: LaneId
  readonly #store: StateStore
  readonly #mark: number
  readonly #to: number
  #watermark: number | null
  #token = ''
  #waiting: StateChanges[number][] = []
  #bytes = 0

  constructor(store: StateStore, id: LaneId, watermark: number | null, mark: number, to: number) {
    this.#store = store
    this.id = id
    this.#watermark = watermark
    this.#mark = mark
    this.#to = to
  }

  async begin(token: string): Promise<void> {
    this.#token = token
    await this.#store.acquire(this.id, token)
    await this.flush()
  }

  async add(key: string, packed: Buffer): Promise<void> {
    this.#waiting.push([key, packed])
    this.#bytes += packed.length
    if (this.#waiting.length >= mostWaiting.states || this.#bytes >= mostWaiting.bytes) await this.flush()
  }

  flush(): Promise<void> {
    return this.#write(this.#mark)
  }

  finish(): Promise<void> {
    return this.#write(this.#to)
  }

  async #write(to: number): Promise<void> {
    await this.#store.write(this.id, this.#token, { from: this.#watermark, to }, this.#waiting)
    this.#watermark = to
    this.#waiting = []
    this.#bytes = 0
  }
}

async function writeStates(
  path: string,
  { partitions, times }: SnapshotHead,
  lanes: readonly LoadingLane[],
  { features }: StateTarget,
  onStates: (count: number) => void,
): Promise<void> {
  const byName = new Map(lanes.map((lane) => [nameOf(lane.id), lane]))
  for await (const part of snapshotParts(path, features.hash)) {
    if ('version' in part) continue
    for (const state of part)
      await byName.get(nameOf(laneOf(state, partitions)))?.add(state.key, state.packed)
    onStates(part.length)
  }
  // Every home has folded all that the snapshot contains.
  const progress = Buffer.from(Float64Array.from(times).buffer)
  for (const lane of lanes) {
    if (lane.id.kind === 'e') await lane.add(progressKey, progress)
    await lane.flush()
  }
}

/** What the changelog holds is not of these states; each lane's first owner begins it anew from them. */
async function forgetChangelog(
  lanes: readonly LoadingLane[],
  { config: { app, topics }, log, features }: StateTarget,
): Promise<void> {
  if (topics.features === null) return
  const prefix = statesPrefix(app, features.layoutHash)
  const topic = topics.features
  await log.append(
    lanes.map(({ id }) => headRecord({ topic, partition: id.partition }, laneKeys(prefix, id), null)),
  )
}

async function commitPositions(
  { positions, source }: SnapshotHead,
  { config, log }: StateTarget,
): Promise<void> {
  const { topics, group } = config
  for (const name of ['transactions', 'labels'] as const) {
    for (const [partition, position] of positions[name].entries()) {
      const at = { topic: topics[name], partition }
      // After a run that broke off behind this step, members may have gone on.
      if ((await log.committed(group, at)) !== null) continue
      const writer = await log.fence(group, at)
      const { first } = await log.bounds(at)
      const reason = `lies in the states of ${source} that were loaded`
      const letters = position > first ? [skipLetter(topics.dead_letters, at, first, position, reason)] : []
      await writer.commit(letters, position)
      await writer.close()
    }
  }
}

function brokenOff(error: unknown): unknown {
  if (!(error instanceof WeirError) || !/^WEIR_(STORE|LOG)/.test(error.code)) return error
  const cure =
    error.code === 'WEIR_STORE_NOT_OWNER'
      ? 'stop the members of this installation, then run the command again with the same file'
      : 'run the command again with the same file: no member works with these states before it is done'
  return new WeirError(error.code, `loading broke off: ${error.message}`, {
    cure,
    retriable: true,
    cause: error,
  })
}
