import type { Codec } from '../adapters/avro.ts'
import { applyControl, type ControlChange, type ControlReader, type ControlState } from '../core/control.ts'
import type { Log } from '../core/ports.ts'
import type { Control } from '../core/types.ts'
import { readChanges } from '../stream/control-changes.ts'

/** All changes of a control topic, to tell what decided when it had been read up to some offset. */
export class ControlHistory {
  readonly #changes: readonly ControlChange[]

  private constructor(changes: readonly ControlChange[]) {
    this.#changes = changes
  }

  static async read(
    log: Pick<Log, 'bounds' | 'read'>,
    topic: string,
    codec: Codec<Control>,
  ): Promise<ControlHistory> {
    const changes: ControlChange[] = []
    // From 0, not from what is left: rules of which a part is gone are other rules.
    for await (const some of readChanges(log, topic, codec, 0)) changes.push(...some)
    return new ControlHistory(changes)
  }

  /** The same changes, read against one set of features and one model. */
  timeline(initial: ControlState, reader: ControlReader): Timeline {
    return new Timeline(this.#changes, initial, reader)
  }
}

/** What decided at any offset of the control topic. Goes on from the nearest that was asked for before. */
export class Timeline {
  readonly #changes: readonly ControlChange[]
  readonly #reader: ControlReader
  /** Ascending by offset. */
  readonly #known: ControlState[]

  constructor(changes: readonly ControlChange[], initial: ControlState, reader: ControlReader) {
    this.#changes = changes
    this.#reader = reader
    this.#known = [initial]
  }

  /** Null where the topic does not reach that far. */
  at(offset: number): ControlState | null {
    const place = this.#known.findLastIndex((state) => state.offset <= offset)
    const nearest = this.#known[place] as ControlState
    if (nearest.offset === offset) return nearest
    const between = this.#changes.filter(
      (change) => change.offset >= nearest.offset && change.offset < offset,
    )
    // What was refused then is refused again: it changed nothing.
    const state = applyControl(nearest, between, this.#reader, () => {})
    if (state.offset !== offset) return null
    this.#known.splice(place + 1, 0, state)
    return state
  }
}
