import type { Codec } from '../adapters/avro.ts'
import {
  applyControl,
  type ControlReader,
  type ControlState,
  controlled,
  initialControl,
  type RefusedChange,
} from '../core/control.ts'
import type { ActiveSet } from '../core/decide.ts'
import type { Log } from '../core/ports.ts'
import type { Control } from '../core/types.ts'
import { readChanges } from './control-changes.ts'

export interface ControlFollowerOptions {
  readonly log: Pick<Log, 'bounds' | 'read'>
  /** Of one partition. */
  readonly topic: string
  readonly codec: Codec<Control>
  readonly reader: ControlReader
  /** What decides where the topic has said nothing. */
  readonly base: ActiveSet & Pick<ControlState, 'rules'>
  readonly observer: ControlObserver
}

/** Told of changes; adds nothing to them. */
export interface ControlObserver {
  controlChanged?(state: ControlState): void
  controlRefused?(refused: RefusedChange): void
  /** The topic could not be read; what was read last decides on. */
  controlFailed?(cause: unknown): void
}

/**
 * Follows the control topic, each member for itself: all of it before the first decision, later what has come since.
 * A change makes a new active set, which the next chunk takes; decisions name the offset that had been read.
 */
export class ControlFollower {
  readonly #options: ControlFollowerOptions
  #state: ControlState
  #active: ActiveSet
  #looking: Promise<void> | null = null

  private constructor(options: ControlFollowerOptions) {
    this.#options = options
    this.#state = initialControl(options.base)
    this.#active = controlled(options.base, this.#state)
  }

  /** Reads what there is. Rejects with WEIR_LOG_* where it cannot be had: rules and lists unknown are not none. */
  static async open(options: ControlFollowerOptions): Promise<ControlFollower> {
    const follower = new ControlFollower(options)
    await follower.#read()
    return follower
  }

  /** What decides now. */
  get active(): ActiveSet {
    return this.#active
  }

  get state(): ControlState {
    return this.#state
  }

  /** Reads what has come since; at once where a look is under way. Never rejects. */
  look(): Promise<void> {
    this.#looking ??= this.#read()
      .catch((error: unknown) => this.#options.observer.controlFailed?.(error))
      .finally(() => {
        this.#looking = null
      })
    return this.#looking
  }

  async #read(): Promise<void> {
    const { log, topic, codec, reader, base, observer } = this.#options
    let state = this.#state
    for await (const changes of readChanges(log, topic, codec, state.offset)) {
      state = applyControl(state, changes, reader, (refused) => observer.controlRefused?.(refused))
    }
    if (state === this.#state) return
    this.#state = state
    this.#active = controlled(base, state)
    observer.controlChanged?.(state)
  }
}
