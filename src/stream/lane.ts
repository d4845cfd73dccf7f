import { isTakenOver, WeirError } from '../core/errors.ts'
import type { LaneKeys } from '../core/lane-keys.ts'
import type { LaneId, LogRecord, NewRecord, Run } from '../core/ports.ts'
import { Aside, sliceRecords } from './aside.ts'
import { Changelog, type Heartbeat } from './changelog.ts'
import { checkPosition, type Hold, type HoldOptions, takeHold } from './hold.ts'
import {
  asLaneError,
  LaneStates,
  type LaneStatesOptions,
  type ReadStates,
  type StateChanges,
} from './lane-states.ts'
import type { LaneState, PartitionLane } from './partition-lane.ts'
import { checkAnswered } from './position.ts'

/** What a chunk of records is answered with. */
export interface Answer {
  readonly records: readonly NewRecord[]
  /** Called once the records are committed: what is counted then has happened. */
  readonly onCommitted?: () => void
}

/** What a chunk of records turns into. */
export interface Worked extends Answer {
  readonly states: StateChanges
}

/** What a kind of lane does with its records. Everything that touches position and ownership is Lane's. */
export interface LaneWork {
  work(records: readonly LogRecord[], read: ReadStates): Promise<Worked>
  /** The same states as `work`, and nothing else: for records whose outputs are on the log already. */
  rebuild(records: readonly LogRecord[], read: ReadStates): Promise<StateChanges>
  /** What to write when states cannot be had in time; absent where nobody waits for the output. */
  degraded?(records: readonly LogRecord[]): Promise<Answer>
  /** Nobody reads the answers: the states alone tell the position, where the group has another or none. */
  readonly followsStates?: boolean
}

/** Steps of the protocol at which tests let a member die. */
export const failpoints = ['fenced', 'acquired', 'read', 'worked', 'committed', 'written'] as const
export type Failpoint = (typeof failpoints)[number]

/** What the time of a chunk goes into. */
export type StageSeconds = Readonly<Partial<Record<'work' | 'commit' | 'write', number>>>

/** Tells what a lane does; adds nothing to it. */
export interface LaneObserver {
  worked?(lane: LaneId, records: readonly LogRecord[], seconds: StageSeconds): void
  rebuilt?(lane: LaneId, records: number): void
  /** So many states were restored from the changelog, perhaps more than once the same. */
  restored?(lane: LaneId, states: number): void
  degraded?(lane: LaneId, records: readonly LogRecord[], seconds: StageSeconds): void
  /** The store is empty and the log begins at this offset only: states miss what was before. */
  historyCut?(lane: LaneId, first: number): void
  /** Ownership, position or state was lost and will be taken up again. */
  lost?(lane: LaneId, cause: unknown): void
  reached?(lane: LaneId, step: Failpoint): void | Promise<void>
}

export interface LaneOptions extends Omit<LaneStatesOptions, 'onHistoryCut' | 'onRestored'>, HoldOptions {
  readonly work: LaneWork
  /** Where states are written to, too; null: nowhere. */
  readonly changelog: { readonly topic: string; readonly keys: LaneKeys } | null
  /** Seconds on any steady clock. */
  readonly now: () => number
  readonly observer: LaneObserver
  /** So many offsets that a member which died left states behind, payments wait for; else they do without meanwhile. */
  readonly mostAwaited?: number
}

/** After a failed attempt to reach the store, the next one waits this long; decisions are degraded meanwhile. */
const storePauseSeconds = 1

/** Half a second of folding. A member that dies leaves less: a chunk. */
const defaultMostAwaited = 5_000

/**
 * The processor of one input partition, and the protocol that makes each record count once (docs/architecture.md):
 *
 * 1. fence: no earlier writer of this partition can commit any more; only then is the committed offset final. Where the
 *    states do not agree with it, the outputs on the log must (position.ts).
 * 2. acquire the states and compare their watermark with the position: behind means that a commit was not followed by
 *    its write, or that the store lost data; the records between are folded in again, without output.
 *    Where it is much, records that come meanwhile are not kept waiting, if the work can do without states.
 * 3. read, work, commit to the log, and only then write the states: the store never runs ahead of the log.
 * 4. any failure drops what is held and starts at 1; the outcome of a commit is never guessed.
 */
export class Lane implements PartitionLane {
  readonly #options: LaneOptions
  #taking: Promise<Hold> | null = null
  /** What was taken; null while acquiring. */
  #hold: Hold | null = null
  #storeRetryAt = Number.NEGATIVE_INFINITY
  /** Where the last run was sent to instead of being handled. */
  #jumpedTo: number | null = null
  #isTaken = false
  /** Calls of `start`: each says that the partition is this member's. */
  #starts = 0

  constructor(options: LaneOptions) {
    this.#options = options
  }

  get id(): LaneId {
    return this.#options.id
  }

  get topic(): string {
    return this.#options.topic
  }

  get state(): LaneState {
    return this.#hold?.state ?? 'acquiring'
  }

  /** Next offset to work on; null while acquiring. */
  get position(): number | null {
    return this.#hold?.position ?? null
  }

  get isTaken(): boolean {
    return this.#isTaken
  }

  /**
   * Starts to take the partition over, so that a dead member's open transaction ends at once. Does not wait; to be
   * called again while `state` is acquiring. Does nothing where it has begun.
   */
  start(): void {
    this.#isTaken = false
    this.#starts++
    this.#held().catch((error: unknown) => {
      this.#options.observer.lost?.(this.#options.id, error)
      return this.release()
    })
  }

  /** Handles a run of the partition; see RunHandler.onRun. */
  async onRun({ from, records }: Run, heartbeat: () => Promise<void>): Promise<number> {
    this.#isTaken = false
    const starts = this.#starts
    // One that fails says that the group is changing: the run's own end tells the subscription the same. To give up a
    // take-over for it would begin it anew with every change.
    const beat = () =>
      heartbeat().then(
        () => true,
        () => false,
      )
    let hold: Hold | null = null
    try {
      hold = await this.#held()
      const states = await this.#owned(hold, beat)
      if (states === null) return await this.#degrade(hold, from, records)
      if (await this.#foldsAside(hold, states)) {
        const next = await this.#degrade(hold, from, records)
        // What was just decided is missing too; perhaps no record comes that would bring it to mind.
        if (hold.states === states && hold.aside?.hasEnded === true) this.#beginAside(hold, states)
        return next
      }
      if (states.upTo < hold.position) return await this.#rebuild(hold, states, from, records)
      return await this.#advance(hold, states, from, records)
    } catch (error) {
      this.#options.observer.lost?.(this.#options.id, asLaneError(error, this.#options.id))
      // Unless the group gave it back meanwhile: then it is for this member to take, with or without a record.
      this.#isTaken = isTakenOver(error) && starts === this.#starts
      // Where it was let go of under this run, what is held by now is another's.
      if (hold === null || hold === this.#hold) await this.release()
      throw error
    }
  }

  /** Lets go of everything; the next run takes it up again. */
  async release(): Promise<void> {
    const taking = this.#taking
    this.#taking = null
    this.#hold = null
    const held = await taking?.catch(() => null)
    await held?.writer.close()
  }

  async #held(): Promise<Hold> {
    this.#taking ??= takeHold(this.#options, () => this.#reached('fenced'))
    const taking = this.#taking
    const hold = await taking
    if (this.#taking === taking) this.#hold = hold
    return hold
  }

  /** The states, acquired if need be; null while the store cannot be reached and the work can do without. */
  async #owned(hold: Hold, beat: Heartbeat): Promise<LaneStates | null> {
    if (hold.states !== null) return hold.states
    const canDegrade = this.#options.work.degraded !== undefined
    if (canDegrade && this.#options.now() < this.#storeRetryAt) return null
    hold.changelog ??= await this.#openChangelog(hold, beat)
    if (this.#hold !== hold) {
      const message = `lane ${this.id.kind}${this.id.partition} was let go of under its run`
      throw new WeirError('WEIR_LOG_UNAVAILABLE', message, { retriable: true })
    }
    try {
      hold.states = await this.#acquire(hold, beat)
      await this.#reached('acquired')
      return hold.states
    } catch (error) {
      if (!canDegrade || !isUnavailable(error)) throw error
      this.#storeFailed(hold, error)
      return null
    }
  }

  async #openChangelog(hold: Hold, beat: Heartbeat): Promise<Changelog | null> {
    const { log, id, store, changelog, newToken } = this.#options
    if (changelog === null) return null
    // To open it commits the position once more: it must be right by then. Where the states agree with it, nobody needs
    // to look through the outputs.
    const watermark = await store.watermark(id).catch(() => null)
    if (watermark === hold.position) hold.isProven = true
    await this.#prove(hold)
    hold.state = 'rebuilding'
    const { topic, keys } = changelog
    const commit = (records: readonly NewRecord[]) => hold.writer.commit(records, hold.position)
    const at = { topic, partition: id.partition }
    return Changelog.open({ log, at, keys, commit, newToken }, hold.position, beat)
  }

  async #acquire(hold: Hold, beat: Heartbeat): Promise<LaneStates> {
    const { id, work, observer } = this.#options
    const { changelog } = hold
    const told = {
      onHistoryCut: (first: number) => observer.historyCut?.(id, first),
      onRestored: (count: number) => observer.restored?.(id, count),
    }
    const states = await LaneStates.acquire({ ...this.#options, ...told }, hold.position, changelog, beat)
    await checkPosition(this.#options, hold, states.upTo, work.followsStates ?? false)
    // Two that were written apart and agree are right.
    if (states.watermark === hold.position) hold.isProven = true
    await this.#prove(hold)
    // It has never held these states, or not while others wrote without it.
    const isBehind = changelog !== null && (changelog.upTo === null || changelog.upTo < states.upTo)
    if (isBehind) await changelog.copy(states.upTo, states.all(), beat)
    return states
  }

  /** Asks the outputs on the log, once, where nothing else has shown that the position is right. */
  async #prove(hold: Hold): Promise<void> {
    const { answered } = this.#options
    if (hold.isProven || answered === null) return
    await checkAnswered({ ...this.#options, answered }, hold.found)
    hold.isProven = true
  }

  async #advance(
    hold: Hold,
    states: LaneStates,
    from: number,
    records: readonly LogRecord[],
  ): Promise<number> {
    if (from !== hold.position) return this.#jump(from, hold.position)
    hold.state = 'running'
    const { work, id, now, observer } = this.#options
    const began = now()
    let worked: Worked
    try {
      worked = await work.work(records, this.#reader(states))
    } catch (error) {
      if (work.degraded === undefined || !isUnavailable(error)) throw error
      this.#storeFailed(hold, error)
      return this.#degrade(hold, from, records)
    }
    hold.isDegraded = false
    await this.#reached('worked')
    const workedAt = now()
    const next = await this.#commit(hold, records, worked, worked.states)
    await this.#reached('committed')
    const committedAt = now()
    await this.#writeAfterCommit(hold, states, next, worked.states)
    await this.#reached('written')
    const writtenAt = now()
    observer.worked?.(id, records, {
      work: workedAt - began,
      commit: committedAt - workedAt,
      write: writtenAt - committedAt,
    })
    return next
  }

  /** A write that fails here costs nothing but a rebuild: the log has the records. */
  async #writeAfterCommit(hold: Hold, states: LaneStates, to: number, changes: StateChanges): Promise<void> {
    try {
      await states.write(to, changes)
    } catch (error) {
      if (this.#options.work.degraded === undefined || !isUnavailable(error)) throw error
      this.#storeFailed(hold, error)
    }
  }

  async #rebuild(
    hold: Hold,
    states: LaneStates,
    from: number,
    records: readonly LogRecord[],
  ): Promise<number> {
    if (from !== states.upTo) return this.#jump(from, states.upTo)
    hold.state = 'rebuilding'
    const { work } = this.#options
    const missed = records.filter(({ offset }) => offset < hold.position)
    const to = missed.length < records.length ? hold.position : (records.at(-1) as LogRecord).offset + 1
    try {
      await this.#fold(hold, states, missed, to)
    } catch (error) {
      if (work.degraded === undefined || !isUnavailable(error)) throw error
      // What has come since need not wait for the store: it is decided degraded from the next run on.
      this.#storeFailed(hold, error)
      return hold.position
    }
    if (to === hold.position) hold.state = 'running'
    return to
  }

  /**
   * Whether records are to be answered without states, which are being folded aside; begins that, waits for it where it
   * is soon done, and throws what made it fail. A part of the log that holds no records is left to #rebuild.
   */
  async #foldsAside(hold: Hold, states: LaneStates): Promise<boolean> {
    const { work, mostAwaited = defaultMostAwaited } = this.#options
    // States that are mirrored go through the one writer, which is busy with what comes meanwhile.
    if (work.degraded === undefined || hold.changelog !== null) return false
    for (;;) {
      const { aside } = hold
      const behind = hold.position - states.upTo
      if (isUnavailable(aside?.failure)) {
        this.#storeFailed(hold, aside.failure)
        return true
      }
      if (aside?.failure != null) throw aside.failure
      if (aside === null || aside.hasEnded) {
        if (behind <= (hold.isDegraded ? 0 : mostAwaited) || aside?.from === states.upTo) return false
        this.#beginAside(hold, states)
      } else if (behind > sliceRecords) {
        return true
      } else {
        await aside.ended
      }
    }
  }

  #beginAside(hold: Hold, states: LaneStates): void {
    const { log, topic, id } = this.#options
    const aside = new Aside(
      states,
      log.read({ topic, partition: id.partition }, states.upTo, hold.position),
      (records, to) => this.#fold(hold, states, records, to),
      () => this.#hold === hold && hold.states === states,
    )
    hold.aside = aside
    void aside.ended.then(() => {
      // Perhaps nobody pays who would show that it runs again.
      if (hold.states === states && states.upTo === hold.position) hold.state = 'running'
    })
  }

  async #fold(hold: Hold, states: LaneStates, records: readonly LogRecord[], to: number): Promise<void> {
    const { work, observer, id } = this.#options
    const changes = await work.rebuild(records, this.#reader(states))
    const mirrored = hold.changelog?.records(to, changes)
    if (mirrored !== undefined && mirrored.records.length > 0) {
      await hold.writer.commit(mirrored.records, hold.position)
      mirrored.onCommitted()
    }
    await states.write(to, changes)
    observer.rebuilt?.(id, records.length)
  }

  /** Asks for another place; when a later one comes in answer, perhaps because the log no longer has it. */
  async #jump(from: number, to: number): Promise<number> {
    const again = from > to && this.#jumpedTo === to
    this.#jumpedTo = to
    if (!again) return to
    const { log, topic, id } = this.#options
    const { first } = await log.bounds({ topic, partition: id.partition })
    if (first <= to) return to
    throw new WeirError(
      'WEIR_LOG_HISTORY_GONE',
      `${topic}-${id.partition} begins at ${first}, ${to} is due`,
      {
        cure: 'keep records longer (topics.retention_ms); to go on with what is left, stop the members and use `weir reset`',
      },
    )
  }

  async #degrade(hold: Hold, from: number, records: readonly LogRecord[]): Promise<number> {
    if (from !== hold.position) return this.#jump(from, hold.position)
    await this.#prove(hold)
    const { work, id, now, observer } = this.#options
    const began = now()
    const answer = await (work.degraded as NonNullable<LaneWork['degraded']>)(records)
    hold.state = hold.aside?.hasEnded === false ? 'rebuilding' : 'degraded'
    const workedAt = now()
    const next = await this.#commit(hold, records, answer)
    hold.isDegraded = true
    observer.degraded?.(id, records, { work: workedAt - began, commit: now() - workedAt })
    return next
  }

  /** @param states after the records; absent where nothing is known of them. */
  async #commit(
    hold: Hold,
    records: readonly LogRecord[],
    answer: Answer,
    states?: StateChanges,
  ): Promise<number> {
    const next = (records.at(-1) as LogRecord).offset + 1
    const mirrored = states === undefined ? undefined : hold.changelog?.records(next, states)
    const all = mirrored === undefined ? answer.records : [...answer.records, ...mirrored.records]
    await hold.writer.commit(all, next)
    hold.position = next
    mirrored?.onCommitted()
    answer.onCommitted?.()
    return next
  }

  #reader(states: LaneStates): ReadStates {
    return async (keys) => {
      const read = await states.read(keys)
      await this.#reached('read')
      return read
    }
  }

  #storeFailed(hold: Hold, cause: WeirError): void {
    hold.states = null
    hold.aside = null
    this.#storeRetryAt = this.#options.now() + storePauseSeconds
    this.#options.observer.lost?.(this.#options.id, cause)
  }

  async #reached(step: Failpoint): Promise<void> {
    await this.#options.observer.reached?.(this.#options.id, step)
  }
}

/** States cannot be had, and nobody has taken them over. */
const isUnavailable = (error: unknown): error is WeirError =>
  error instanceof WeirError && (error.code === 'WEIR_STORE_UNAVAILABLE' || error.code === 'WEIR_STORE_GONE')
