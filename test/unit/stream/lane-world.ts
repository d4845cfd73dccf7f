import { createHash } from 'node:crypto'
import { expect } from 'vitest'
import { createMemoryLog, type MemoryLog } from '../../../src/adapters/memory-log.ts'
import { createMemoryStore } from '../../../src/adapters/memory-store.ts'
import { WeirError } from '../../../src/core/errors.ts'
import { laneKeys } from '../../../src/core/lane-keys.ts'
import type { LaneId, Log, LogRecord, StateStore } from '../../../src/core/ports.ts'
import { FoldLane } from '../../../src/stream/fold-lane.ts'
import { Lane, type LaneObserver, type LaneWork } from '../../../src/stream/lane.ts'
import type { ReadStates } from '../../../src/stream/lane-states.ts'
import type { PartitionLane } from '../../../src/stream/partition-lane.ts'

export const group = 'weir'
const topic = 'in'
export const id: LaneId = { kind: 't', partition: 0 }
export const at = { topic, partition: 0 }
const changelog = { topic: 'states', keys: laneKeys('app.layout', id) }
const keys = ['a', 'b', 'c']

/** A state that knows every offset it was made of, and in which order: twice, left out or swapped shows. */
const folded = (state: Buffer | null, offset: number): Buffer =>
  createHash('sha256')
    .update(state ?? '')
    .update(`${offset}`)
    .digest()

function foldAll(
  records: readonly LogRecord[],
  past: ReadonlyMap<string, Buffer | null>,
): [string, Buffer][] {
  const states = new Map<string, Buffer>()
  for (const { key, offset } of records) {
    const name = String(key)
    states.set(name, folded(states.get(name) ?? past.get(name) ?? null, offset))
  }
  return [...states]
}

const keysOf = (records: readonly LogRecord[]) => [...new Set(records.map(({ key }) => String(key)))]

/** One answer a record, that names its offset. */
const answers = (records: readonly LogRecord[], status: string) =>
  records.map(({ offset }) => ({ topic: 'out', partition: 0, key: `${offset}`, value: Buffer.from(status) }))

const scoring: LaneWork = {
  async work(records, read) {
    const states = foldAll(records, await read(keysOf(records)))
    return { records: answers(records, 'scored'), states }
  },
  rebuild: async (records, read) => foldAll(records, await read(keysOf(records))),
}

/** The kinds of work that there are: with and without an answer when states cannot be had, and without any. */
export const works: Readonly<Record<'patient' | 'degradable' | 'silent', LaneWork>> = {
  patient: scoring,
  /** What entities do where there is a changelog: nobody reads an answer. */
  silent: {
    followsStates: true,
    work: async (records, read) => ({ ...(await scoring.work(records, read)), records: [] }),
    rebuild: scoring.rebuild,
  },
  degradable: {
    ...scoring,
    degraded: async (records) => ({ records: answers(records, 'degraded') }),
  },
}

/** The embedded store, of one lane, with content that can be lost or put back to what it was. */
class LosableStore {
  #inner = createMemoryStore()
  #token = ''
  readonly store: StateStore = {
    acquire: (lane, token) => {
      this.#token = token
      return this.#inner.acquire(lane, token)
    },
    read: (...given) => this.#inner.read(...given),
    write: (...given) => this.#inner.write(...given),
    peek: (...given) => this.#inner.peek(...given),
    watermark: (lane) => this.#inner.watermark(lane),
    keys: (lane) => this.#inner.keys(lane),
    clear: (...given) => this.#inner.clear(...given),
    close: async () => {},
  }

  lose(): void {
    this.#inner = createMemoryStore()
  }

  /** Resolves with what puts it back to how it is now. */
  async dump(): Promise<() => Promise<void>> {
    const [watermark, token] = [await this.#inner.watermark(id), this.#token]
    const values = await this.#inner.peek(id, keys)
    const states = keys.flatMap((key, i) => (values[i] ? [[key, values[i]] as const] : []))
    return async () => {
      this.lose()
      await this.#inner.acquire(id, token)
      if (watermark !== null) await this.#inner.write(id, token, { from: null, to: watermark }, states)
    }
  }
}

/**
 * The log, with the changelog as compaction leaves it up to `upTo()`. The embedded log has no markers: who reads the
 * partition beside the runs sees what its records are, too.
 */
function compacted(log: MemoryLog, upTo: () => number, inputs: () => readonly LogRecord[]): Log {
  const shown = async (): Promise<LogRecord[]> => {
    const all: LogRecord[] = []
    const place = { topic: changelog.topic, partition: 0 }
    const { first, end } = await log.bounds(place)
    for await (const records of log.read(place, first, end)) all.push(...records)
    const clean = all.filter(({ offset }) => offset < upTo())
    const newest = new Map(clean.map(({ key, offset }) => [String(key), offset]))
    return all.filter(
      ({ key, value, offset }) => offset >= upTo() || (newest.get(String(key)) === offset && value !== null),
    )
  }
  return {
    partitions: (name) => log.partitions(name),
    bounds: (place) => log.bounds(place),
    offsetAt: (...given) => log.offsetAt(...given),
    async *read(place, from, to) {
      if (place.topic === topic) {
        for (const record of inputs()) if (record.offset >= from && record.offset < to) yield [record]
        return
      }
      if (place.topic !== changelog.topic) return yield* log.read(place, from, to)
      const records = (await shown()).filter(({ offset }) => offset >= from && offset < to)
      for (let i = 0; i < records.length; i += 2) yield records.slice(i, i + 2)
    },
    append: (records) => log.append(records),
    fence: (...given) => log.fence(...given),
    committed: (...given) => log.committed(...given),
    members: (group) => log.members(group),
    subscribe: (group, topics, handler) => log.subscribe(group, topics, handler),
    close: () => log.close(),
  }
}

/** A partition on the embedded log and store, and members that are handed its runs as a group would. */
export class LaneWorld {
  readonly #memory = createMemoryLog({ topics: { in: 1, out: 1, states: 1 }, maxRunRecords: 3 })
  #compactedUpTo = 0
  readonly log = compacted(
    this.#memory,
    () => this.#compactedUpTo,
    () => this.records,
  )
  readonly losable = new LosableStore()
  readonly store = this.losable.store
  /** What can be read of the partition: offsets that are missing are markers, or were compacted. */
  readonly records: LogRecord[]
  seconds = 0
  /** How often a lane has looked through the outputs. */
  asked = 0
  /** Puts the store back to its last dump. */
  putBack: () => Promise<void> = async () => {}
  #tokens = 0

  /** @param kept for each offset, whether there is a record that can be read. */
  constructor(kept: readonly boolean[]) {
    this.records = kept.flatMap((isKept, offset) => {
      const key = Buffer.from(keys[offset % 3] as string)
      return isKept ? [{ offset, timestamp: offset, key, value: Buffer.from('x'), headers: {} }] : []
    })
    void this.log.append(kept.map((_, offset) => ({ ...at, key: keys[offset % 3] ?? null, value: null })))
  }

  /** @param hasChangelog whether states are written there, too. */
  member(
    work: LaneWork,
    observer: LaneObserver = {},
    log: Log = this.log,
    store: StateStore = this.store,
    { hasChangelog = false, mostAwaited = 5_000 } = {},
  ): LaneMember {
    const newToken = () => String(this.#tokens++)
    const now = () => this.seconds
    const answered = async () => {
      this.asked++
      return { next: (await this.answeredUpTo()) ?? null, decisionsGone: false, lettersGone: false }
    }
    const lane = new Lane({
      id,
      group,
      topic,
      log,
      store,
      work,
      newToken,
      now,
      observer,
      answered,
      mostAwaited,
      changelog: hasChangelog ? changelog : null,
    })
    return new LaneMember(lane, this.records)
  }

  /** A member whose lane only feeds states: the watermark is its position. */
  folder(store: StateStore): LaneMember {
    const newToken = () => String(this.#tokens++)
    const fold = async (records: readonly LogRecord[], read: ReadStates) => {
      return { states: foldAll(records, await read(keysOf(records))), deadLetters: [] }
    }
    return new LaneMember(
      new FoldLane({ id, topic, log: this.log, store, newToken, fold, now: () => 0, observer: {} }),
      this.records,
    )
  }

  /** The offset after the last that has an answer; undefined when there is none. */
  async answeredUpTo(): Promise<number | undefined> {
    const out = { topic: 'out', partition: 0 }
    const { end } = await this.log.bounds(out)
    let next: number | undefined
    for await (const records of this.log.read(out, 0, end)) {
      for (const { key } of records) next = Math.max(next ?? 0, Number(key) + 1)
    }
    return next
  }

  async compact(): Promise<void> {
    this.#compactedUpTo = (await this.log.bounds({ topic: changelog.topic, partition: 0 })).end
  }

  /** The answers on the log, as `offset: status`, in order. */
  async answered(): Promise<string[]> {
    const found: string[] = []
    const reader = await this.log.subscribe('reader', ['out'], {
      onAssigned() {},
      async onRun({ records }) {
        for (const { key, value } of records) found.push(`${key}: ${value}`)
        return (records.at(-1) as LogRecord).offset + 1
      },
    })
    await reader.idle()
    await reader.stop()
    return found
  }

  /** Watermark and states as the store has them. */
  async stored(): Promise<{ watermark: number | null; states: Record<string, string | undefined> }> {
    const states = await this.store.peek(id, keys)
    return {
      watermark: await this.store.acquire(id, 'reader'),
      states: Object.fromEntries(keys.map((key, i) => [key, states[i]?.toString('hex')])),
    }
  }

  /** What `stored` must be: the plain fold of all records, as far as the group has committed. */
  async expected(): Promise<{ watermark: number | null; states: Record<string, string | undefined> }> {
    const states = new Map(foldAll(this.records, new Map()))
    return {
      watermark: await this.log.committed(group, at),
      states: Object.fromEntries(keys.map((key) => [key, states.get(key)?.toString('hex')])),
    }
  }
}

/** Hands runs to a lane as a subscription does: on from what it answered, again from there after a rejection. */
export class LaneMember {
  readonly lane: PartitionLane
  readonly #records: readonly LogRecord[]
  position = 0

  constructor(lane: PartitionLane, records: readonly LogRecord[]) {
    this.lane = lane
    this.#records = records
  }

  get isDone(): boolean {
    return this.#records.every(({ offset }) => offset < this.position)
  }

  /** Delivers at most `size` records. Returns the error that the lane rejected with, null when it took the run. */
  async deliver(size: number): Promise<WeirError | null> {
    const records = this.#records.filter(({ offset }) => offset >= this.position).slice(0, size)
    if (records.length === 0) return null
    try {
      this.position = await this.lane.onRun({ ...at, from: this.position, records }, async () => {})
      return null
    } catch (error) {
      if (!(error instanceof WeirError)) throw error
      return error
    }
  }

  /** @throws Error when the end is not reached in any reasonable number of runs. */
  async finish(size = 4): Promise<void> {
    for (let runs = 0; !this.isDone; runs++) {
      if (runs > 200) throw new Error(`stuck at ${this.position}`)
      await this.deliver(size)
    }
  }
}

const offsets = (world: LaneWorld) => world.records.map(({ offset }) => offset)
export const offsetsOf = (answered: readonly string[]) => answered.map((one) => Number.parseInt(one, 10))

/** Each record was answered once, and the states are those of one pass over all of them. */
export async function expectComplete(world: LaneWorld): Promise<void> {
  expect(offsetsOf(await world.answered()).toSorted((a, b) => a - b)).toEqual(offsets(world))
  expect(await world.stored()).toEqual(await world.expected())
}
