import { WeirError } from '../core/errors.ts'
import { clearing, type LaneId, type Log, type StateStore } from '../core/ports.ts'

/** Reads states of the lane's own keys. */
export type ReadStates = (keys: readonly string[]) => Promise<ReadonlyMap<string, Buffer | null>>

export type StateChanges = readonly (readonly [key: string, state: Buffer])[]

export interface LaneStatesOptions {
  readonly id: LaneId
  readonly topic: string
  readonly log: Log
  readonly store: StateStore
  /** A fresh owner token, never the same twice. */
  readonly newToken: () => string
  /** Told when the store is empty and the log begins at this offset only: states miss what was before. */
  readonly onHistoryCut: (first: number) => void
}

/** A lane's states in the store, owned from `acquire` until a read or write is refused. */
export class LaneStates {
  readonly #options: LaneStatesOptions
  readonly #token: string
  #watermark: number | null
  #upTo: number

  private constructor(options: LaneStatesOptions, token: string, watermark: number | null, upTo: number) {
    this.#options = options
    this.#token = token
    this.#watermark = watermark
    this.#upTo = upTo
  }

  /**
   * Takes the states over from whoever had them.
   *
   * @param position where the group stands on the log; null when nothing but the watermark tells.
   */
  static async acquire(options: LaneStatesOptions, position: number | null): Promise<LaneStates> {
    const { store, id, newToken } = options
    const token = newToken()
    const watermark = await store.acquire(id, token)
    return new LaneStates(options, token, watermark, await firstMissing(options, watermark, position))
  }

  /** As the store has it; null: it is empty. */
  get watermark(): number | null {
    return this.#watermark
  }

  /** The states contain the log up to here: for an empty store, up to wherever the log begins. */
  get upTo(): number {
    return this.#upTo
  }

  /** Rejects with WEIR_STORE_NOT_OWNER when the states were taken over. */
  readonly read: ReadStates = async (keys) => {
    const { store, id } = this.#options
    const states = await store.read(id, this.#token, this.#watermark, keys)
    return new Map(keys.map((key, i) => [key, states[i] ?? null]))
  }

  /** After it the states contain the log up to `to`. Rejects as `read` does, and then changes nothing. */
  async write(to: number, states: StateChanges): Promise<void> {
    const { store, id } = this.#options
    await store.write(id, this.#token, { from: this.#watermark, to }, states)
    this.#watermark = to
    this.#upTo = to
  }
}

/** Where the states end: at the watermark, or for an empty store wherever the log begins. */
async function firstMissing(
  { log, topic, id, onHistoryCut }: LaneStatesOptions,
  watermark: number | null,
  position: number | null,
): Promise<number> {
  const { first, end } = await log.bounds({ topic, partition: id.partition })
  const limit = position ?? end
  if (watermark === null) {
    if (first > 0) onHistoryCut(first)
    return Math.min(first, limit)
  }
  if (watermark < 0) {
    throw new WeirError(
      'WEIR_STORE_LOADING',
      `the states of ${topic}-${id.partition} are being ${watermark === clearing ? 'cleared' : 'loaded from a snapshot'}, or that broke off`,
      {
        cure: 'wait for `weir state load` or `weir reset`; if it broke off, run it again in the same way',
        retriable: true,
      },
    )
  }
  if (watermark < first && watermark < limit) {
    throw new WeirError(
      'WEIR_LOG_HISTORY_GONE',
      `the states of ${topic}-${id.partition} contain the log up to ${watermark}, but it begins at ${first} by now`,
      {
        cure: 'keep records longer (topics.retention_ms); to start from what is left, stop the members and use `weir reset --forget-states`',
      },
    )
  }
  return watermark
}

/** What makes a lane fail, in words: states that this release cannot read show as a RangeError of the core. */
export function asLaneError(error: unknown, { kind, partition }: LaneId): unknown {
  if (!(error instanceof RangeError)) return error
  return new WeirError(
    'WEIR_STORE_LAYOUT',
    `a state of lane ${kind}${partition} cannot be read: ${error.message}`,
    {
      cure: 'delete the keys of the lane (docs/architecture.md has their names): they are rebuilt from the log',
      cause: error,
    },
  )
}
