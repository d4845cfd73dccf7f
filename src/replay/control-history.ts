import type { Codec } from '../adapters/avro.ts'
import { applyControl, type ControlReader, type ControlState } from '../core/control.ts'
import type { Log } from '../core/ports.ts'
import type { Control } from '../core/types.ts'
import { checkRecords } from '../stream/decoded.ts'

interface Change {
  readonly offset: number
  readonly control: Control | null
}

/** All changes of a control topic, to tell what decided when it had been read up to some offset. */
export class ControlHistory {
  readonly #changes: readonly Change[]

  private constructor(changes: readonly Change[]) {
    this.#changes = changes
  }

  static async read(
    log: Pick<Log, 'bounds' | 'read'>,
    topic: string,
    codec: Codec<Control>,
  ): Promise<ControlHistory> {
    const at = { topic, partition: 0 }
    const { end } = await log.bounds(at)
    const changes: Change[] = []
    // From 0, not from what is left: rules of which a part is gone are other rules.
    if (end > 0) {
      for await (const records of log.read(at, 0, end)) {
        const checked = await checkRecords(codec, records)
        records.forEach(({ offset }, i) => {
          const one = checked[i]
          changes.push({ offset, control: one?.ok ? one.value : null })
        })
      }
    }
    return new ControlHistory(changes)
  }

  /** The same changes, read against one set of features and one model. */
  timeline(initial: ControlState, reader: ControlReader): Timeline {
    return new Timeline(this.#changes, initial, reader)
  }
}

/** What decided at any offset of the control topic. Goes on from the nearest that was asked for before. */
export class Timeline {
  readonly #changes: readonly Change[]
  readonly #reader: ControlReader
  /** Ascending by offset. */
  readonly #known: ControlState[]

  constructor(changes: readonly Change[], initial: ControlState, reader: ControlReader) {
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
