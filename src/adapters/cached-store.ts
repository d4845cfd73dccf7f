import { BufferPool } from '../core/buffer-pool.ts'
import { type ErrorCode, WeirError } from '../core/errors.ts'
import { PackedStates } from '../core/packed-states.ts'
import type { LaneId, StateStore } from '../core/ports.ts'

/**
 * A store that remembers the states of the lanes that this process owns. Every read still asks the store beneath for
 * owner and watermark, in the same call as for what is not remembered: as long as both are what they were when a state
 * was written or read, the state is too. So a remembered state is never served after a takeover, a restored dump or a
 * store that lost its data.
 *
 * @param mostBytes of the states remembered of all lanes together; what was not used for longest is forgotten.
 */
export function createCachedStore<S extends StateStore>(store: S, mostBytes: number): S {
  const lanes = new Map<string, LaneCache>()
  const pool = new BufferPool()
  let youngBytes = 0
  const grew = (bytes: number): void => {
    youngBytes += bytes
    if (youngBytes < mostBytes / 2) return
    youngBytes = 0
    for (const cache of lanes.values()) cache.age()
  }
  const nameOf = ({ kind, partition }: LaneId): string => `${kind}${partition}`

  /** Rejects as `store.read` does. */
  async function read(lane: LaneId, cache: LaneCache, keys: readonly string[]): Promise<(Buffer | null)[]> {
    const { token, watermark } = cache
    const states: (Buffer | null)[] = []
    const missing: string[] = []
    const places: number[] = []
    for (const key of keys) {
      const state = cache.get(key, pool) ?? null
      if (state === null) {
        missing.push(key)
        places.push(states.length)
      }
      states.push(state)
    }
    const found = await store.read(lane, token, watermark, missing)
    const isCurrent = cache.watermark === watermark
    for (let i = 0; i < missing.length; i++) {
      const state = found[i] ?? null
      states[places[i] as number] = state
      if (state !== null && isCurrent) cache.remember(missing[i] as string, state)
    }
    return states
  }

  const cached: StateStore = {
    async acquire(lane, token) {
      lanes.delete(nameOf(lane))
      const watermark = await store.acquire(lane, token)
      lanes.set(nameOf(lane), new LaneCache(token, watermark, grew))
      return watermark
    },

    async read(lane, token, watermark, keys) {
      const cache = lanes.get(nameOf(lane))
      if (cache?.token !== token || cache.watermark !== watermark) {
        return store.read(lane, token, watermark, keys)
      }
      return read(lane, cache, keys)
    },

    async write(lane, token, move, states) {
      const name = nameOf(lane)
      const cache = lanes.get(name)
      // Until it is known to be written, nothing is known of the lane.
      lanes.delete(name)
      await store.write(lane, token, move, states)
      if (cache?.token !== token || cache.watermark !== move.from || lanes.has(name)) return
      lanes.set(name, cache)
      cache.watermark = move.to
      for (const [key, state] of states) cache.remember(key, state)
    },

    async peek(lane, keys) {
      const cache = lanes.get(nameOf(lane))
      if (cache === undefined) return store.peek(lane, keys)
      try {
        return await read(lane, cache, keys)
      } catch (error) {
        if (error instanceof WeirError && isLost.has(error.code)) return store.peek(lane, keys)
        throw error
      }
    },

    watermark: (lane) => store.watermark(lane),
    keys: (lane) => store.keys(lane),
    async clear(lane) {
      lanes.delete(nameOf(lane))
      await store.clear(lane)
    },
    close: () => store.close(),
  }
  return { ...store, ...cached }
}

/** The lane is no longer as it is remembered. */
const isLost: ReadonlySet<ErrorCode> = new Set(['WEIR_STORE_NOT_OWNER', 'WEIR_STORE_GONE'])

/** Of states: what one takes at most is half of it. */
const slabBytes = 128 * 1024

/** Larger states are not remembered: */
const mostStateBytes = slabBytes / 4
/** this stands in their place, so that no earlier one does. */
const notRemembered = Buffer.alloc(0)

/**
 * States of one lane at its watermark. Two generations: what the older has and nobody asked for goes at once, and its
 * memory is the next one's. Left to the garbage collector, it would pile up to many times of what is remembered.
 */
class LaneCache {
  readonly token: string
  watermark: number | null
  readonly #grew: (bytes: number) => void
  #young = new PackedStates(slabBytes)
  #old = new PackedStates(slabBytes)

  /** @param grew told by how much what is young has grown; may call `age`. */
  constructor(token: string, watermark: number | null, grew: (bytes: number) => void) {
    this.token = token
    this.watermark = watermark
    this.#grew = grew
  }

  /** A copy from `pool`: the place of a state changes with the next one that is remembered. */
  get(key: string, pool: BufferPool): Buffer | undefined {
    const young = this.#young.copy(key, pool)
    const state = young ?? this.#old.copy(key, pool)
    if (state === undefined || state.length === 0) return undefined
    if (young === undefined) this.remember(key, state)
    return state
  }

  remember(key: string, state: Buffer): void {
    const before = this.#young.bytes
    this.#young.set(key, state.length > mostStateBytes ? notRemembered : state)
    this.#grew(this.#young.bytes - before)
  }

  age(): void {
    const forgotten = this.#old.clear(this.#young.bytes)
    this.#old = this.#young
    this.#young = forgotten
  }
}
