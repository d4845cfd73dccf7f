import { type ErrorCode, WeirError } from '../core/errors.ts'
import { clearing, type LaneId } from '../core/ports.ts'
import type { Answered } from '../stream/answered.ts'

/** Where to go on, by partition where offsets are given; null: there nothing is skipped. */
export type SkipTo = 'end' | { readonly time: number } | { readonly offsets: readonly (number | null)[] }

/** What is known of a lane. */
export interface Stand {
  readonly id: LaneId
  readonly topic: string
  /** What the log holds of the partition. */
  readonly first: number
  readonly end: number
  readonly committed: number | null
  readonly watermark: number | null
  readonly answered: Answered
}

/** What becomes of a lane. */
export interface LanePlan {
  readonly lane: LaneId['kind']
  readonly topic: string
  readonly partition: number
  /** Of the group now; null where it has none, as lanes of entity updates never have. */
  readonly position: number | null
  /** Up to where outputs on the log answer the partition; null where none does. */
  readonly answered: number | null
  /** Up to where the states contain the log; null where there are none. */
  readonly states: number | null
  /** Where the group will stand; null: nowhere, it begins with the first record. */
  readonly to: number | null
  /** What will never be decided. */
  readonly skip: { readonly from: number; readonly to: number } | null
  /** Whether the states are deleted, to be made again from what the log holds. */
  readonly clears: boolean
  /** Why not; null where nothing stands against it. */
  readonly refusal: WeirError | null
}

/** @param skipTo where the group goes on, with what lies before left undecided; null: where its outputs say. */
export function planLane(stand: Stand, skipTo: number | null, forgetStates: boolean): LanePlan {
  const { id, topic, committed, watermark, answered, first } = stand
  const proven = provenOf(stand)
  const from = proven ?? first
  const to = skipTo ?? proven ?? (committed === null ? null : first)
  const clears = mustClear(watermark, to ?? first, first)
  return {
    lane: id.kind,
    topic,
    partition: id.partition,
    position: committed,
    answered: answered.next,
    states: watermark,
    to,
    skip: skipTo !== null && skipTo > from ? { from, to: skipTo } : null,
    clears,
    refusal:
      refusalOf(stand, proven, to, skipTo) ??
      (clears && !forgetStates ? keepsStates(stand, to ?? first) : null),
  }
}

/** A lane of entity updates, which has no position but its states'. */
export function planFold(
  id: LaneId,
  topic: string,
  { first, end }: { readonly first: number; readonly end: number },
  watermark: number | null,
  forgetStates: boolean,
): LanePlan {
  const clears = mustClear(watermark, end, first)
  const stand = { id, topic, first, watermark }
  const refusal = isLoading(watermark)
    ? loading(stand)
    : clears && !forgetStates
      ? keepsStates(stand, end)
      : null
  const { partition } = id
  const none = { position: null, answered: null, to: null, skip: null }
  return { lane: id.kind, topic, partition, states: watermark, ...none, clears, refusal }
}

/** Where the group stands, by what it wrote; null where nothing tells, or it never began. */
function provenOf({ answered, committed, watermark, first, end }: Stand): number | null {
  if (answered.next !== null) return answered.next
  const states = watermark !== null && watermark >= 0 && watermark <= end ? watermark : null
  if (answered.decisionsGone) return states === committed ? states : null
  // Nothing was ever answered: loaded from a snapshot, or told to begin here.
  const isPlace = committed !== null && committed >= first && committed <= end
  return states ?? (isPlace ? committed : null)
}

/** The lane's own rule (lane-states.ts): states that run ahead, or whose next record is gone, are of no use to it. */
function mustClear(watermark: number | null, to: number, first: number): boolean {
  if (watermark === null || isLoading(watermark)) return false
  return watermark === clearing || watermark > to || (watermark < first && watermark < to)
}

const isLoading = (watermark: number | null): boolean => watermark !== null && watermark < clearing

function refusalOf(stand: Stand, proven: number | null, to: number | null, skipTo: number | null) {
  const { topic, id, first, end, answered, watermark } = stand
  const at = `${topic}-${id.partition}`
  const flag = id.kind === 't' ? '--skip-to' : '--skip-labels-to'
  const refuse = (code: ErrorCode, message: string, cure: string) => new WeirError(code, message, { cure })
  if (isLoading(watermark)) return loading(stand)
  if (answered.next !== null && answered.next > end) {
    return refuse(
      'WEIR_LOG_OFFSETS_RESET',
      `what was written answers ${at} up to ${answered.next}, but it ends at ${end}: the topic was made anew, and its offsets would name other decisions`,
      'give the new topic and the topics for what is written other names, and the installation another `app` and `group`',
    )
  }
  if (proven === null && answered.decisionsGone && skipTo === null) {
    return refuse(
      'WEIR_LOG_OFFSETS_RESET',
      `all decisions on ${at} were deleted, and group and states do not agree on how far they went`,
      `say where to go on, and declare the rest skipped: ${flag} OFFSET,… --reason TEXT`,
    )
  }
  if (skipTo !== null && skipTo < (proven ?? first)) {
    return refuse(
      'WEIR_CLI_USAGE',
      `${flag} ${skipTo} lies before ${proven ?? first} of ${at}: what lies between would be decided twice`,
      `give ${proven ?? first} or more, or - to skip nothing there`,
    )
  }
  if (skipTo !== null && skipTo > end) {
    return refuse(
      'WEIR_CLI_USAGE',
      `${flag} ${skipTo} is no place on ${at}, which ends at ${end}`,
      `give ${end} at most`,
    )
  }
  if (to !== null && to < first) {
    return refuse(
      'WEIR_LOG_HISTORY_GONE',
      `${at} was answered up to ${to}, but begins at ${first} by now: what lay between was deleted before it was decided`,
      `declare it skipped: ${flag} with ${first} for this partition, and --reason TEXT`,
    )
  }
  return null
}

function loading({ topic, id }: Pick<Stand, 'topic' | 'id'>): WeirError {
  return new WeirError('WEIR_STORE_LOADING', `the states of ${topic}-${id.partition} are half loaded`, {
    cure: 'finish it by `weir state load` with the same file',
  })
}

function keepsStates(
  { topic, id, first, watermark }: Omit<Stand, 'end' | 'committed' | 'answered'>,
  to: number,
) {
  const at = `${topic}-${id.partition}`
  const why = (watermark as number) > to ? `the group stands at ${to}` : `it begins at ${first} by now`
  const left = first === 0 ? 'all of it is there' : `what is left begins at ${first}`
  return new WeirError(
    'WEIR_LOG_HISTORY_GONE',
    watermark === clearing
      ? `deleting the states of ${at} broke off`
      : `the states of ${at} contain the log up to ${watermark}, but ${why}`,
    { cure: `delete them, so that they are made again from the log (${left}): --forget-states` },
  )
}
