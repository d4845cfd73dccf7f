import { WeirError } from '../core/errors.ts'
import type { LaneId, LogRecord, NewRecord, Run } from '../core/ports.ts'
import type { LaneObserver } from './lane.ts'
import {
  asLaneError,
  LaneStates,
  type LaneStatesOptions,
  type ReadStates,
  type StateChanges,
} from './lane-states.ts'
import type { LaneState, PartitionLane } from './partition-lane.ts'

/** What is folded into states, and what could not be. */
export interface Folded {
  readonly states: StateChanges
  readonly deadLetters: readonly NewRecord[]
  /** Called once the states are written. */
  readonly onWritten?: () => void
}

export interface FoldLaneOptions extends Omit<LaneStatesOptions, 'onHistoryCut'> {
  readonly fold: (records: readonly LogRecord[], read: ReadStates) => Promise<Folded>
  /** Seconds on any steady clock. */
  readonly now: () => number
  readonly observer: LaneObserver
}

/**
 * The processor of an input partition that only feeds states. It writes nothing that others read, so it needs no
 * transaction and no committed offset: states and watermark move together in the store, and the watermark is the
 * position. What an owner that lost the lane still tries to write is refused by its token. Its dead letters, which
 * only a foreign producer on an internal topic can cause, come at least once.
 */
export class FoldLane implements PartitionLane {
  readonly #options: FoldLaneOptions
  #states: LaneStates | null = null

  constructor(options: FoldLaneOptions) {
    this.#options = options
  }

  get id(): LaneId {
    return this.#options.id
  }

  get topic(): string {
    return this.#options.topic
  }

  get state(): LaneState {
    return 'running'
  }

  get position(): number | null {
    return this.#states?.upTo ?? null
  }

  start(): void {}

  async onRun({ from, records }: Run): Promise<number> {
    const { log, id, fold, now, observer } = this.#options
    try {
      this.#states ??= await this.#acquire()
      const states = this.#states
      if (from !== states.upTo) return states.upTo
      const began = now()
      const folded = await fold(records, states.read)
      if (folded.deadLetters.length > 0) await log.append(folded.deadLetters)
      const next = (records.at(-1) as LogRecord).offset + 1
      const foldedAt = now()
      await states.write(next, folded.states)
      folded.onWritten?.()
      observer.worked?.(id, records, { work: foldedAt - began, write: now() - foldedAt })
      return next
    } catch (error) {
      this.#states = null
      observer.lost?.(id, asLaneError(error, id))
      throw error
    }
  }

  /** `start` does nothing: there is nothing to take back. */
  readonly isTaken = false

  async release(): Promise<void> {
    this.#states = null
  }

  async #acquire(): Promise<LaneStates> {
    const { observer, id, log, topic } = this.#options
    const onHistoryCut = (first: number) => observer.historyCut?.(id, first)
    const states = await LaneStates.acquire({ ...this.#options, onHistoryCut }, null, null, async () => true)
    const { end } = await log.bounds({ topic, partition: id.partition })
    if (states.upTo <= end) return states
    throw new WeirError(
      'WEIR_LOG_OFFSETS_RESET',
      `the states of ${topic}-${id.partition} contain the log up to ${states.upTo}, but it ends at ${end}`,
      {
        cure: 'the topic was made anew: give the installation another `app`, or stop the members and use `weir reset --forget-states`',
      },
    )
  }
}
