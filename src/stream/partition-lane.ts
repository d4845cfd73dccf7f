import type { LaneId, Run } from '../core/ports.ts'

/** acquiring: not ready yet. rebuilding: states are behind the log. degraded: states cannot be had. */
export const laneStates = ['acquiring', 'rebuilding', 'running', 'degraded'] as const
export type LaneState = (typeof laneStates)[number]

/** The processor of one input partition. */
export interface PartitionLane {
  readonly id: LaneId
  readonly topic: string
  readonly state: LaneState
  /** Next offset to work on; null while it is not known. */
  readonly position: number | null
  /** Another member has taken it over, and no run has come since: it may be nobody's business here any more. */
  readonly isTaken: boolean
  /** Starts to take the partition over, without waiting. */
  start(): void
  /** See RunHandler.onRun. */
  onRun(run: Run, heartbeat: () => Promise<void>): Promise<number>
  /** Lets go of everything; the next run takes it up again. */
  release(): Promise<void>
}
