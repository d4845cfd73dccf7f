import { WeirError } from '../core/errors.ts'
import type { LaneId, StateStore } from '../core/ports.ts'

interface Lane {
  owner: string | null
  watermark: number | null
  readonly states: Map<string, Buffer>
}

/** The embedded state store: the same checks as the Redis one, in memory. */
export function createMemoryStore(): StateStore {
  const lanes = new Map<string, Lane>()

  function laneOf({ kind, partition }: LaneId): Lane {
    const name = `${kind}${partition}`
    let lane = lanes.get(name)
    if (lane === undefined) {
      lane = { owner: null, watermark: null, states: new Map() }
      lanes.set(name, lane)
    }
    return lane
  }

  function check(id: LaneId, token: string, watermark: number | null): Lane {
    const lane = laneOf(id)
    if (lane.owner === null) {
      throw new WeirError('WEIR_STORE_GONE', `The states of lane ${id.kind}${id.partition} are gone.`, {
        retriable: true,
      })
    }
    if (lane.owner === token && lane.watermark === watermark) return lane
    throw new WeirError(
      'WEIR_STORE_NOT_OWNER',
      `The states of lane ${id.kind}${id.partition} were taken over.`,
    )
  }

  return {
    async acquire(id, token) {
      const lane = laneOf(id)
      lane.owner = token
      return lane.watermark
    },
    async read(id, token, watermark, keys) {
      const { states } = check(id, token, watermark)
      return keys.map((key) => states.get(key) ?? null)
    },
    async write(id, token, move, states) {
      const lane = check(id, token, move.from)
      // A copy: a state as it comes is part of a larger piece of memory.
      for (const [key, state] of states) lane.states.set(key, Buffer.from(state))
      lane.watermark = move.to
    },
    async peek(id, keys) {
      const { states } = laneOf(id)
      return keys.map((key) => states.get(key) ?? null)
    },
    async watermark(id) {
      return laneOf(id).watermark
    },
    async *keys(id) {
      yield [...laneOf(id).states.keys()]
    },
    async clear({ kind, partition }) {
      lanes.delete(`${kind}${partition}`)
    },
    async close() {},
  }
}
