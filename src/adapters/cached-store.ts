import { type ErrorCode, WeirError } from '../core/errors.ts'
import type { LaneId, StateStore } from '../core/ports.ts'

/**
 * A store that remembers the states of the lanes that this process owns. Every read still asks the store beneath for
 * owner and watermark, in the same call as for what is not remembered: as long as both are what they were when a state
 * was written or read, the state is too. So a remembered state is never served after a takeover, a restored dump or a
 * store that lost its data.
 *
 * @param mostBytes of states remembered, divided among the lanes; what was not used for longest is forgotten.
 */
export function createCachedStore<S extends StateStore>(store: S, mostBytes: number): S {
  const lanes = new Map<string, LaneCache>()
  const nameOf = ({ kind, partition }: LaneId): string => `${kind}${partition}`

  /** Rejects as `store.read` does. */
  async function read(lane: LaneId, cache: LaneCache, keys: readonly string[]): Promise<(Buffer | null)[]> {
    const { token, watermark } = cache
    const states = keys.map((key) => cache.get(key))
    const missing = keys.filter((_, i) => states[i] === undefined)
    const found = await store.read(lane, token, watermark, missing)
    const isCurrent = cache.watermark === watermark
    let next = 0
    return states.map((state, i) => {
      if (state !== undefined) return state
      const value = found[next++] ?? null
      // A copy: what a client read is part of a larger piece of memory, which would be kept with it.
      if (value !== null && isCurrent) cache.remember(keys[i] as string, Buffer.from(value))
      return value
    })
  }

  const cached: StateStore = {
    async acquire(lane, token) {
      lanes.delete(nameOf(lane))
      const watermark = await store.acquire(lane, token)
      lanes.set(nameOf(lane), new LaneCache(token, watermark, () => mostBytes / lanes.size))
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

/** States of one lane at its watermark. Two generations: what the older has and nobody asked for goes at once. */
class LaneCache {
  readonly token: string
  watermark: number | null
  readonly #mostBytes: () => number
  #young = new Map<string, Buffer>()
  #old = new Map<string, Buffer>()
  #bytes = 0

  constructor(token: string, watermark: number | null, mostBytes: () => number) {
    this.token = token
    this.watermark = watermark
    this.#mostBytes = mostBytes
  }

  get(key: string): Buffer | undefined {
    const state = this.#young.get(key)
    if (state !== undefined) return state
    const older = this.#old.get(key)
    if (older !== undefined) this.remember(key, older)
    return older
  }

  remember(key: string, state: Buffer): void {
    const known = this.#young.get(key)
    this.#bytes += state.length + (known === undefined ? key.length : -known.length)
    this.#young.set(key, state)
    if (this.#bytes < this.#mostBytes() / 2) return
    this.#old = this.#young
    this.#young = new Map()
    this.#bytes = 0
  }
}
