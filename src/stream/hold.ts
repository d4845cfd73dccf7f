import { WeirError } from '../core/errors.ts'
import type { TransactionalWriter } from '../core/ports.ts'
import type { Aside } from './aside.ts'
import type { Changelog } from './changelog.ts'
import type { LaneStates } from './lane-states.ts'
import type { LaneState } from './partition-lane.ts'
import { type Position, type PositionOptions, readPosition } from './position.ts'

/**
 * The right to write, where the group stands on the log, and all that rests on it: valid until a commit fails. A run keeps
 * the hold that it began with: what it still finds once the lane was let go of dies with that.
 */
export interface Hold {
  readonly writer: TransactionalWriter
  /** Where the group stood when it was fenced. */
  readonly found: Position
  /** Next offset to work on. */
  position: number
  /** Whether the last answers were made without states: nobody waits for them to come back then. */
  isDegraded: boolean
  /** That the position is right is known from elsewhere than the group's offset, which somebody may have reset. */
  isProven: boolean
  /** What is known of the lane's changelog; null while nothing is, or where there is none. */
  changelog: Changelog | null
  /** Null until they are acquired, and while the store cannot be reached. */
  states: LaneStates | null
  /** Of `states`: null unless they miss much, and are or were folded in beside what comes. */
  aside: Aside | null
  state: LaneState
}

export interface HoldOptions extends Omit<PositionOptions, 'answered'> {
  /** How far the outputs on the log answer the partition; null where the lane has none. */
  readonly answered: PositionOptions['answered'] | null
}

/**
 * Fences whoever wrote before; only then the committed offset is final.
 *
 * @throws WeirError WEIR_LOG_HISTORY_GONE or WEIR_LOG_OFFSETS_RESET where the group stands at no place of the log.
 */
export async function takeHold(options: HoldOptions, onFenced: () => Promise<void>): Promise<Hold> {
  const { log, group, topic, id } = options
  const writer = await log.fence(group, { topic, partition: id.partition })
  await onFenced()
  try {
    const found = await readPosition({ log, group, topic, id })
    return {
      writer,
      found,
      position: found.next,
      isProven: false,
      isDegraded: false,
      changelog: null,
      states: null,
      aside: null,
      state: 'running',
    }
  } catch (error) {
    await writer.close()
    throw error
  }
}

/**
 * Compares the position with states that contain the log up to `upTo`. States ahead of it: a rival has taken over and
 * gone on, or somebody set the group back.
 *
 * @param followsStates where the states alone tell the position, it is moved to them.
 * @throws WeirError WEIR_LOG_FENCED or WEIR_LOG_OFFSETS_RESET.
 */
export async function checkPosition(
  { log, group, topic, id }: HoldOptions,
  hold: Hold,
  upTo: number,
  followsStates: boolean,
): Promise<void> {
  const { position } = hold
  if (upTo <= position) return
  const place = { topic, partition: id.partition }
  const at = `${topic}-${id.partition}`
  const [committed, { end }] = await Promise.all([log.committed(group, place), log.bounds(place)])
  if (committed !== null && committed > position) {
    throw new WeirError('WEIR_LOG_FENCED', `another member took over ${at} and has gone on`)
  }
  if (followsStates && upTo <= end) {
    hold.position = upTo
    return
  }
  throw new WeirError(
    'WEIR_LOG_OFFSETS_RESET',
    `the states of ${at} contain the log up to ${upTo}, but group ${group} stands at ${position}`,
    {
      cure: 'somebody reset the offsets: stop the members; `weir reset` shows where the outputs stand, and sets the group there',
    },
  )
}
