import { setTimeout as sleep } from 'node:timers/promises'
import { WeirError } from '../core/errors.ts'
import type { LaneId, Log } from '../core/ports.ts'
import type { Answered } from './answered.ts'

export interface PositionOptions {
  readonly id: LaneId
  readonly topic: string
  readonly group: string
  readonly log: Log
  /** How far the outputs on the log answer the partition. */
  readonly answered: () => Promise<Answered>
}

/** Where a group stands on a partition, read after the fence: final. */
export interface Position {
  /** Null where the group has none. */
  readonly committed: number | null
  /** Where it goes on. */
  readonly next: number
}

/**
 * Where to go on: at the committed offset, without one at the first that is there.
 *
 * @throws WeirError WEIR_LOG_HISTORY_GONE, WEIR_LOG_OFFSETS_RESET where that is no place on the log.
 */
export async function readPosition({ log, group, topic, id }: PositionOptions): Promise<Position> {
  const at = { topic, partition: id.partition }
  const [committed, bounds] = await Promise.all([log.committed(group, at), log.bounds(at)])
  const next = committed ?? bounds.first
  if (next < bounds.first) {
    throw new WeirError(
      'WEIR_LOG_HISTORY_GONE',
      `group ${group} stands at offset ${next} of ${topic}-${id.partition}, which begins at ${bounds.first} by now: what lay between was never decided`,
      {
        cure: 'keep records longer (topics.retention_ms); to go on with what is left, stop the members and declare the rest skipped: `weir reset`',
      },
    )
  }
  if (next > bounds.end) {
    throw new WeirError(
      'WEIR_LOG_OFFSETS_RESET',
      `group ${group} stands at offset ${next} of ${topic}-${id.partition}, which ends at ${bounds.end}`,
      {
        cure: 'the topic was made anew: give it, the `app` and the `group` other names, or, if the outputs were made anew too, stop the members and use `weir reset`',
      },
    )
  }
  return { committed, next }
}

/** A place that was just committed may not be seen everywhere yet: so often, so many milliseconds apart. */
const looks = { most: 8, pauseMs: 250 }

/**
 * Whether the outputs on the log agree with the position: what was answered is not answered again, and nothing is left
 * out. Asked where the store cannot vouch for it: states elsewhere, empty or out of reach.
 *
 * @throws WeirError WEIR_LOG_OFFSETS_RESET where they do not, WEIR_LOG_FENCED where another member has gone on.
 */
export async function checkAnswered(options: PositionOptions, { committed, next }: Position): Promise<void> {
  const { answered, group, topic, id, log } = options
  let found = await answered()
  // A dead member's open transaction hides what others wrote behind it, until it is fenced.
  for (let look = 1; look < looks.most && (await isAhead(options, next, found)); look++) {
    await sleep(looks.pauseMs)
    found = await answered()
  }
  const contradiction = await contradictionOf(options, { committed, next }, found)
  if (contradiction === null) return
  // Read before the outputs: a rival may have taken over since, and gone on.
  if ((await log.committed(group, { topic, partition: id.partition })) !== committed) {
    throw new WeirError(
      'WEIR_LOG_FENCED',
      `another member took over ${topic}-${id.partition} and has gone on`,
    )
  }
  const cure =
    'somebody reset or deleted the offsets, or they expired: stop the members; `weir reset` shows where the outputs stand, and sets the group there'
  throw new WeirError('WEIR_LOG_OFFSETS_RESET', contradiction, { cure })
}

async function contradictionOf(
  options: PositionOptions,
  { committed, next }: Position,
  found: Answered,
): Promise<string | null> {
  const { group, topic, id } = options
  const at = `${topic}-${id.partition}`
  const stands = `group ${group} ${committed === null ? `has no position on ${at}` : `stands at offset ${next} of ${at}`}`
  if (found.next === null) {
    if (committed !== null || !found.decisionsGone) return null
    return `${stands}, whose decisions were deleted: how far they went cannot be told`
  }
  if (committed === null || next < found.next) {
    return `${stands}, but what it wrote answers the partition up to ${found.next}: it would be decided again`
  }
  if (!(await isAhead(options, next, found))) return null
  return `${stands}, but what it wrote answers the partition only up to ${found.next}: the rest would never be decided`
}

/** Whether records lie between the last answer and the position. */
async function isAhead(
  { log, topic, id }: PositionOptions,
  position: number,
  { next, lettersGone }: Answered,
): Promise<boolean> {
  if (next === null || next >= position || lettersGone) return false
  const at = { topic, partition: id.partition }
  const { first } = await log.bounds(at)
  for await (const records of log.read(at, Math.max(first, next), position))
    if (records.length > 0) return true
  return false
}
