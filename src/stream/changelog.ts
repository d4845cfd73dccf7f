import { setTimeout as sleep } from 'node:timers/promises'
import { WeirError } from '../core/errors.ts'
import type { LaneKeys } from '../core/lane-keys.ts'
import type { Log, LogRecord, NewRecord, TopicPartition } from '../core/ports.ts'
import { mostStates, type StateChanges } from './lane-states.ts'
import { windowsBack } from './windows-back.ts'

export interface ChangelogOptions {
  readonly log: Pick<Log, 'bounds' | 'read'>
  /** The compacted topic, and the partition of the lane. */
  readonly at: TopicPartition
  readonly keys: LaneKeys
  /** In a transaction of the lane's fenced writer, which leaves the position where it is. */
  readonly commit: (records: readonly NewRecord[]) => Promise<void>
  /** Never the same twice. */
  readonly newToken: () => string
}

/** Sent between the steps of long work: see RunHandler.onRun. False: the group is changing. */
export type Heartbeat = () => Promise<boolean>

/** What the changelog holds of a lane: the newest value of each state since an offset, together the states at `upTo`. */
interface Head {
  /** Offset of the lane's input. */
  readonly upTo: number
  /** Offset of the changelog: what lies before it is of an earlier life, and would be wrong beside the rest. */
  readonly since: number
}

/** Offsets that are looked through first for the head, from the end. */
const firstWindow = 1_000
/** States that are collected before they are given on: of each only the newest. */
const mostCollected = 8_000
/** Until transactions of others that began earlier have ended; a dead member's end after its transaction timeout. */
const pauseMs = 25
const mostPauses = 2_400
/** The same where the group is changing: it may be a member that waits for this one before it fences a dead one. */
const mostPausesInChange = 40

/**
 * A lane's part of the changelog, from the fence on: nobody else writes there. It is the lane's keys in the store over
 * again: the states, each under its key, and the watermark, which is written last in each transaction and is the head.
 * While the head is missing or void, what lies there is not whole and counts for nothing: a changelog that was switched
 * on later begins with a copy of the states.
 */
export class Changelog {
  readonly #options: ChangelogOptions
  readonly #owner: Buffer
  readonly #watermark: Buffer
  readonly #states: Buffer
  #head: Head | null = null

  private constructor(options: ChangelogOptions) {
    this.#options = options
    this.#owner = Buffer.from(options.keys.owner)
    this.#watermark = Buffer.from(options.keys.watermark)
    this.#states = Buffer.from(options.keys.states)
  }

  /**
   * Finds out what the changelog holds.
   *
   * @param position of the group: a head beyond it is from before somebody reset the offsets.
   */
  static async open(options: ChangelogOptions, position: number, beat: Heartbeat): Promise<Changelog> {
    const changelog = new Changelog(options)
    const { first } = await options.log.bounds(options.at)
    const head = await changelog.#find(beat)
    if (head !== null && head.upTo <= position && head.since >= first) changelog.#head = head
    return changelog
  }

  /** The states contain the lane's input up to here; null where not all of them lie there. */
  get upTo(): number | null {
    return this.#head?.upTo ?? null
  }

  /**
   * What goes into the transaction after which the states contain the input up to `to`; nothing where they lie there
   * already. To be told when it is committed.
   */
  records(to: number, states: StateChanges): { records: readonly NewRecord[]; onCommitted: () => void } {
    const head = this.#head
    if (head === null || to <= head.upTo) return { records: [], onCommitted() {} }
    const next = { ...head, upTo: to }
    return {
      records: [...this.#recordsOf(states), this.#headOf(next)],
      onCommitted: () => {
        this.#head = next
      },
    }
  }

  /** The states at `upTo`; of one that comes more than once, the last counts. */
  async *states(beat: Heartbeat): AsyncGenerator<StateChanges> {
    let newest = new Map<string, Buffer>()
    for await (const records of this.#readOn(this.#head?.since ?? 0, beat)) {
      for (const { key, value } of records) {
        if (key === null || value === null || !this.#isState(key)) continue
        newest.set(key.toString('utf8', this.#states.length), value)
      }
      if (newest.size < mostCollected) continue
      yield* slices(newest)
      newest = new Map()
    }
    yield* slices(newest)
  }

  /** Makes the changelog whole by all the states there are. Broken off, it leaves one that counts for nothing. */
  async copy(upTo: number, states: AsyncIterable<StateChanges>, beat: Heartbeat): Promise<void> {
    const { log, at, commit } = this.#options
    this.#head = null
    await commit([this.#headOf(null)])
    const head = { upTo, since: 0 }
    const { end } = await log.bounds(at)
    for await (const records of this.#readOn(end, beat)) head.since = records.at(-1)?.offset ?? 0
    for await (const some of states) {
      await commit(this.#recordsOf(some))
      await beat()
    }
    await commit([this.#headOf(head)])
    this.#head = head
  }

  #recordsOf(states: StateChanges): NewRecord[] {
    const { at, keys } = this.#options
    return states.map(([key, value]) => ({ ...at, key: keys.states + key, value }))
  }

  #headOf(head: Head | null): NewRecord {
    const { at, keys } = this.#options
    return headRecord(at, keys, head === null ? null : JSON.stringify(head))
  }

  #isState(key: Buffer): boolean {
    return key.subarray(0, this.#states.length).equals(this.#states)
  }

  async #find(beat: Heartbeat): Promise<Head | null> {
    const { log, at } = this.#options
    const { first, end } = await log.bounds(at)
    let head: Head | null | undefined
    const look = (records: readonly LogRecord[]) => {
      const found = this.#lastHead(records)
      if (found !== undefined) head = found
    }
    for await (const records of this.#readOn(end, beat)) look(records)
    for (const [from, to] of windowsBack(first, end, firstWindow)) {
      if (head !== undefined) break
      for await (const records of log.read(at, from, to)) {
        look(records)
        await beat()
      }
    }
    return head ?? null
  }

  /** Undefined: none is among them. */
  #lastHead(records: readonly LogRecord[]): Head | null | undefined {
    const found = records.findLast(({ key }) => key?.equals(this.#watermark))
    if (found === undefined) return undefined
    return found.value === null ? null : (JSON.parse(found.value.toString()) as Head)
  }

  /**
   * Reads up to a record that is written for it: all that this lane has ever committed lies before that. The end of the
   * log would not do, since open transactions of other lanes hide what was committed after they began.
   */
  async *#readOn(from: number, beat: Heartbeat): AsyncGenerator<readonly LogRecord[]> {
    const { log, at, keys, commit, newToken } = this.#options
    const token = Buffer.from(newToken())
    await commit([{ ...at, key: keys.owner, value: token }])
    const isToken = ({ key, value }: LogRecord) => key?.equals(this.#owner) && value?.equals(token)
    let next = from
    for (let pauses = 0; pauses < mostPauses; pauses++) {
      const { end } = await log.bounds(at)
      if (end > next) {
        for await (const records of log.read(at, next, end)) {
          const last = records.findIndex(isToken)
          yield last < 0 ? records : records.slice(0, last + 1)
          if (last >= 0) return
          await beat()
        }
        next = end
        pauses = 0
      }
      await sleep(pauseMs)
      if (!(await beat()) && pauses >= mostPausesInChange) break
    }
    const where = `${at.topic}-${at.partition}`
    throw new WeirError(
      'WEIR_LOG_UNAVAILABLE',
      `${where} is hidden from offset ${next} on by a transaction`,
      {
        cure: 'look for a producer that left it open (kafka-transactions.sh find-hanging)',
        retriable: true,
      },
    )
  }
}

/** @param value null: the changelog counts for nothing. */
export function headRecord(at: TopicPartition, { watermark }: LaneKeys, value: string | null): NewRecord {
  return { ...at, key: watermark, value: value === null ? null : Buffer.from(value) }
}

/** Copies: what was fetched is part of larger pieces of memory, which would be kept with it. */
function* slices(states: ReadonlyMap<string, Buffer>): Generator<StateChanges> {
  let slice: [string, Buffer][] = []
  for (const [key, state] of states) {
    slice.push([key, Buffer.from(state)])
    if (slice.length < mostStates) continue
    yield slice
    slice = []
  }
  if (slice.length > 0) yield slice
}
