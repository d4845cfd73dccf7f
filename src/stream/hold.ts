import { WeirError } from '../core/errors.ts'
import type { LaneId, Log, TransactionalWriter } from '../core/ports.ts'
import type { Changelog } from './changelog.ts'

/** The right to write, and where the group stands on the log: valid until a commit fails. */
export interface Hold {
  readonly writer: TransactionalWriter
  /** Next offset to work on. */
  position: number
  /** What is known of the lane's changelog; null while nothing is, or where there is none. */
  changelog: Changelog | null
}

export interface HoldOptions {
  readonly log: Log
  readonly group: string
  readonly topic: string
  readonly id: LaneId
}

/**
 * Fences whoever wrote before; only then the committed offset is final.
 *
 * @throws WeirError WEIR_LOG_HISTORY_GONE or WEIR_LOG_OFFSETS_RESET where the group stands at no place of the log.
 */
export async function takeHold(
  { log, group, topic, id }: HoldOptions,
  onFenced: () => Promise<void>,
): Promise<Hold> {
  const at = { topic, partition: id.partition }
  const writer = await log.fence(group, at)
  await onFenced()
  const [committed, bounds] = await Promise.all([log.committed(group, at), log.bounds(at)])
  const position = committed ?? bounds.first
  if (position < bounds.first) {
    await writer.close()
    throw new WeirError(
      'WEIR_LOG_HISTORY_GONE',
      `group ${group} stands at offset ${position} of ${topic}-${id.partition}, which begins at ${bounds.first} by now: what lay between was never decided`,
      {
        cure: 'keep records longer (topics.retention_ms); to go on with what is left, move the offsets of the group',
      },
    )
  }
  if (position > bounds.end) {
    await writer.close()
    throw new WeirError(
      'WEIR_LOG_OFFSETS_RESET',
      `group ${group} stands at offset ${position} of ${topic}-${id.partition}, which ends at ${bounds.end}`,
      {
        cure: 'the topic was made anew: give the installation another `app` and `group`, or reset its offsets',
      },
    )
  }
  return { writer, position, changelog: null }
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
    { cure: 'somebody reset the offsets: set them back, or give the installation another `app`' },
  )
}
