import { WeirError } from '../core/errors.ts'
import type { LaneId, LogRecord, NewRecord, Run, TransactionalWriter } from '../core/ports.ts'
import { Aside, sliceRecords } from './aside.ts'
import {
  asLaneError,
  LaneStates,
  type LaneStatesOptions,
  type ReadStates,
  type StateChanges,
} from './lane-states.ts'
import type { LaneState, PartitionLane } from './partition-lane.ts'
import { checkAnswered, type Position, type PositionOptions, readPosition } from './position.ts'

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
  degraded?(lane: LaneId, records: readonly LogRecord[], seconds: StageSeconds): void
  /** The store is empty and the log begins at this offset only: states miss what was before. */
  historyCut?(lane: LaneId, first: number): void
  /** Ownership, position or state was lost and will be taken up again. */
  lost?(lane: LaneId, cause: unknown): void
  reached?(lane: LaneId, step: Failpoint): void | Promise<void>
}

export interface LaneOptions extends Omit<LaneStatesOptions, 'onHistoryCut'>, PositionOptions {
  readonly work: LaneWork
  /** Seconds on any steady clock. */
  readonly now: () => number
  readonly observer: LaneObserver
  /** So many offsets that a member which died left states behind, payments wait for; else they do without meanwhile. */
  readonly mostAwaited?: number
}

/** The right to write, and where the group stands on the log: valid until a commit fails. */
interface Hold {
  readonly writer: TransactionalWriter
  /** Where the group stood when it was fenced. */
  readonly found: Position
  /** Next offset to work on. */
  position: number
  /** Whether the last answers were made without states: nobody waits for them to come back then. */
  isDegraded: boolean
  /** That the position is right is known from elsewhere than the group's offset, which somebody may have reset. */
  isProven: boolean
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
  #hold: Promise<Hold> | null = null
  #states: LaneStates | null = null
  #storeRetryAt = Number.NEGATIVE_INFINITY
  #state: LaneState = 'acquiring'
  #position: number | null = null
  /** Where the last run was sent to instead of being handled. */
  #jumpedTo: number | null = null
  #aside: Aside | null = null

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
    return this.#state
  }

  /** Next offset to work on; null while acquiring. */
  get position(): number | null {
    return this.#position
  }

  /**
   * Starts to take the partition over, so that a dead member's open transaction ends at once. Does not wait; to be
   * called again while `state` is acquiring. Does nothing where it has begun.
   */
  start(): void {
    this.#held().catch((error: unknown) => {
      this.#options.observer.lost?.(this.#options.id, error)
      return this.release()
    })
  }

  /** Handles a run of the partition; see RunHandler.onRun. */
  async onRun({ from, records }: Run): Promise<number> {
    try {
      const hold = await this.#held()
      const states = await this.#owned(hold)
      if (states === null) return await this.#degrade(hold, from, records)
      if (await this.#foldsAside(hold, states)) {
        const next = await this.#degrade(hold, from, records)
        // What was just decided is missing too; perhaps no record comes that would bring it to mind.
        if (this.#states === states && this.#aside?.hasEnded === true) this.#beginAside(hold, states)
        return next
      }
      if (states.upTo < hold.position) return await this.#rebuild(hold, states, from, records)
      return await this.#advance(hold, states, from, records)
    } catch (error) {
      this.#options.observer.lost?.(this.#options.id, asLaneError(error, this.#options.id))
      await this.release()
      throw error
    }
  }

  /** Lets go of everything; the next run takes it up again. */
  async release(): Promise<void> {
    const hold = this.#hold
    this.#hold = null
    this.#states = null
    this.#aside = null
    this.#position = null
    this.#state = 'acquiring'
    const held = await hold?.catch(() => null)
    await held?.writer.close()
  }

  #held(): Promise<Hold> {
    this.#hold ??= this.#fence()
    return this.#hold
  }

  async #fence(): Promise<Hold> {
    const { log, group, topic, id } = this.#options
    const writer = await log.fence(group, { topic, partition: id.partition })
    await this.#reached('fenced')
    let found: Position
    try {
      found = await readPosition(this.#options)
    } catch (error) {
      await writer.close()
      throw error
    }
    const position = found.next
    this.#position = position
    this.#state = 'running'
    return { writer, found, position, isProven: false, isDegraded: false }
  }

  /** The states, acquired if need be; null while the store cannot be reached and the work can do without. */
  async #owned(hold: Hold): Promise<LaneStates | null> {
    const { position } = hold
    if (this.#states !== null) return this.#states
    const { id, now, work, observer } = this.#options
    const canDegrade = work.degraded !== undefined
    if (canDegrade && now() < this.#storeRetryAt) return null
    try {
      const states = await LaneStates.acquire(
        { ...this.#options, onHistoryCut: (first) => observer.historyCut?.(id, first) },
        position,
      )
      await this.#checkPosition(states, position)
      // Two that were written apart and agree are right.
      if (states.watermark === position) hold.isProven = true
      await this.#prove(hold)
      this.#states = states
      await this.#reached('acquired')
      return this.#states
    } catch (error) {
      if (!canDegrade || !isUnavailable(error)) throw error
      this.#storeFailed(error)
      return null
    }
  }

  /** States ahead of the position: a rival has taken over and gone on, or somebody set the group back. */
  async #checkPosition({ upTo }: LaneStates, position: number): Promise<void> {
    if (upTo <= position) return
    const { log, topic, id, group } = this.#options
    const at = `${topic}-${id.partition}`
    const committed = await log.committed(group, { topic, partition: id.partition })
    if (committed !== null && committed > position) {
      throw new WeirError('WEIR_LOG_FENCED', `another member took over ${at} and has gone on`)
    }
    throw new WeirError(
      'WEIR_LOG_OFFSETS_RESET',
      `the states of ${at} contain the log up to ${upTo}, but group ${group} stands at ${position}`,
      {
        cure: 'somebody reset the offsets: stop the members; `weir reset` shows where the outputs stand, and sets the group there',
      },
    )
  }

  /** Asks the outputs on the log, once, where nothing else has shown that the position is right. */
  async #prove(hold: Hold): Promise<void> {
    if (hold.isProven) return
    await checkAnswered(this.#options, hold.found)
    hold.isProven = true
  }

  async #advance(
    hold: Hold,
    states: LaneStates,
    from: number,
    records: readonly LogRecord[],
  ): Promise<number> {
    if (from !== hold.position) return this.#jump(from, hold.position)
    this.#state = 'running'
    const { work, id, now, observer } = this.#options
    const began = now()
    let worked: Worked
    try {
      worked = await work.work(records, this.#reader(states))
    } catch (error) {
      if (work.degraded === undefined || !isUnavailable(error)) throw error
      this.#storeFailed(error)
      return this.#degrade(hold, from, records)
    }
    hold.isDegraded = false
    await this.#reached('worked')
    const workedAt = now()
    const next = await this.#commit(hold, records, worked)
    await this.#reached('committed')
    const committedAt = now()
    await this.#writeAfterCommit(states, next, worked.states)
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
  async #writeAfterCommit(states: LaneStates, to: number, changes: StateChanges): Promise<void> {
    try {
      await states.write(to, changes)
    } catch (error) {
      if (this.#options.work.degraded === undefined || !isUnavailable(error)) throw error
      this.#storeFailed(error)
    }
  }

  async #rebuild(
    hold: Hold,
    states: LaneStates,
    from: number,
    records: readonly LogRecord[],
  ): Promise<number> {
    if (from !== states.upTo) return this.#jump(from, states.upTo)
    this.#state = 'rebuilding'
    const { work } = this.#options
    const missed = records.filter(({ offset }) => offset < hold.position)
    const to = missed.length < records.length ? hold.position : (records.at(-1) as LogRecord).offset + 1
    try {
      await this.#fold(states, missed, to)
    } catch (error) {
      if (work.degraded === undefined || !isUnavailable(error)) throw error
      // What has come since need not wait for the store: it is decided degraded from the next run on.
      this.#storeFailed(error)
      return hold.position
    }
    if (to === hold.position) this.#state = 'running'
    return to
  }

  /**
   * Whether records are to be answered without states, which are being folded aside; begins that, waits for it where it
   * is soon done, and throws what made it fail. A part of the log that holds no records is left to #rebuild.
   */
  async #foldsAside(hold: Hold, states: LaneStates): Promise<boolean> {
    const { work, mostAwaited = defaultMostAwaited } = this.#options
    if (work.degraded === undefined) return false
    for (;;) {
      const aside = this.#aside?.states === states ? this.#aside : null
      const behind = hold.position - states.upTo
      if (isUnavailable(aside?.failure)) {
        this.#storeFailed(aside.failure)
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
      (records, to) => this.#fold(states, records, to),
      () => this.#states === states,
    )
    this.#aside = aside
    void aside.ended.then(() => {
      // Perhaps nobody pays who would show that it runs again.
      if (this.#states === states && states.upTo === hold.position) this.#state = 'running'
    })
  }

  async #fold(states: LaneStates, records: readonly LogRecord[], to: number): Promise<void> {
    const { work, observer, id } = this.#options
    await states.write(to, await work.rebuild(records, this.#reader(states)))
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
    this.#state = this.#aside?.hasEnded === false ? 'rebuilding' : 'degraded'
    const workedAt = now()
    const next = await this.#commit(hold, records, answer)
    hold.isDegraded = true
    observer.degraded?.(id, records, { work: workedAt - began, commit: now() - workedAt })
    return next
  }

  async #commit(hold: Hold, records: readonly LogRecord[], answer: Answer): Promise<number> {
    const next = (records.at(-1) as LogRecord).offset + 1
    await hold.writer.commit(answer.records, next)
    hold.position = next
    this.#position = next
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

  #storeFailed(cause: WeirError): void {
    this.#states = null
    this.#aside = null
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
