import { WeirError } from '../core/errors.ts'
import { clearing, type LaneId, type Log, type StateStore } from '../core/ports.ts'
import type { Changelog, Heartbeat } from './changelog.ts'
import { progressKey } from './entity-updates.ts'

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
  /** Told how many states were restored from the changelog, one that lay there twice perhaps twice. */
  readonly onRestored?: (states: number) => void
}

/**
 * Watermark of a lane while its states are restored from the changelog: what is there is not whole. No snapshot's mark is
 * as low.
 */
export const restoring = Number.MIN_SAFE_INTEGER
/** Of the log behind the changelog, in records: fewer are folded in again faster than all states are read. */
const worthRestoring = 100_000
/** In one call of the store, or one transaction: far below their deadlines. */
export const mostStates = 500

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
   * @param changelog from which they are restored where the store has lost them; null: there is none.
   */
  static async acquire(
    options: LaneStatesOptions,
    position: number | null,
    changelog: Changelog | null,
    beat: Heartbeat,
  ): Promise<LaneStates> {
    const { store, id, newToken } = options
    const token = newToken()
    const watermark = await store.acquire(id, token)
    if (changelog !== null && (await isLost(options, watermark, changelog.upTo))) {
      const states = new LaneStates(options, token, watermark, 0)
      await states.#restore(changelog, beat)
      return states
    }
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
    const byKey = new Map<string, Buffer | null>()
    for (let i = 0; i < keys.length; i++) byKey.set(keys[i] as string, states[i] ?? null)
    return byKey
  }

  /** All that the store has of the lane; some perhaps twice. */
  async *all(): AsyncGenerator<StateChanges> {
    const { store, id } = this.#options
    if (this.#watermark === null) return
    for await (const keys of store.keys(id)) {
      for (let at = 0; at < keys.length; at += mostStates) {
        const states = await this.read(keys.slice(at, at + mostStates))
        yield [...states].flatMap(([key, state]) => (state === null ? [] : [[key, state] as const]))
      }
    }
  }

  /** After it the states contain the log up to `to`. Rejects as `read` does, and then changes nothing. */
  async write(to: number, states: StateChanges): Promise<void> {
    const { store, id } = this.#options
    await store.write(id, this.#token, { from: this.#watermark, to }, states)
    this.#watermark = to
    this.#upTo = to
  }

  async #restore(changelog: Changelog, beat: Heartbeat): Promise<void> {
    let progress: StateChanges = []
    let count = 0
    for await (const states of changelog.states(beat)) {
      const others = states.filter(([key]) => key !== progressKey)
      if (others.length < states.length) progress = states.filter(([key]) => key === progressKey)
      await this.write(restoring, others)
      count += states.length
      await beat()
    }
    // Last: until it is there, whoever looks at these entities takes them for old.
    await this.write(changelog.upTo as number, progress)
    this.#options.onRestored?.(count)
  }
}

/** Whether the states are to be restored: there are none, or not all, or they are far behind those of the changelog. */
async function isLost(
  { log, topic, id }: LaneStatesOptions,
  watermark: number | null,
  upTo: number | null,
): Promise<boolean> {
  if (upTo === null) return false
  if (watermark === null || watermark === restoring) return true
  if (watermark < 0 || watermark >= upTo) return false
  const { first } = await log.bounds({ topic, partition: id.partition })
  return watermark < first || upTo - watermark > worthRestoring
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
  if (watermark === restoring) {
    throw new WeirError(
      'WEIR_STORE_LOADING',
      `the states of ${topic}-${id.partition} were being restored from a changelog that is not to be had`,
      {
        cure: 'set topics.features as it was; or delete the keys of the lane (docs/architecture.md has their names): they are rebuilt from the log',
      },
    )
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
