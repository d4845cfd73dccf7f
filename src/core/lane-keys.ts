import type { LaneId } from './ports.ts'

/** The keys of a lane: in Redis and in the changelog the same, with the same values. */
export interface LaneKeys {
  readonly owner: string
  readonly watermark: string
  /** Begins the key of each state. */
  readonly states: string
}

/**
 * Start of every key of an installation: another layout of states, or another `app`, has other keys.
 *
 * @param layoutHash of the compiled features.
 */
export const statesPrefix = (app: string, layoutHash: string): string => `${app}.${layoutHash}`

/** All keys of a lane have its hash tag, so that Redis keeps them in one slot. */
export function laneKeys(prefix: string, { kind, partition }: LaneId): LaneKeys {
  const base = `{${prefix}.${kind}${partition}}`
  return { owner: `${base}:own`, watermark: `${base}:wm`, states: `${base}:s:` }
}
