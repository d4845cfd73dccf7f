import type { Config } from '../config/schema.ts'
import type { Log, TopicPartition } from '../core/ports.ts'
import { offsetOf, type Position } from './topic-source.ts'
import type { VerifiedRange } from './verdict.ts'

/**
 * What was decided: up to where the group stands. Answers to that are on the log.
 *
 * @param statesAt by partition, up to where a snapshot has the states; absent: they are made from the first record on.
 */
export async function rangesOf(
  log: Pick<Log, 'partitions' | 'bounds' | 'committed' | 'offsetAt'>,
  config: Config,
  from: Position | undefined,
  to: Position | undefined,
  statesAt: readonly number[] | undefined,
): Promise<VerifiedRange[]> {
  const topic = config.topics.transactions
  const ranges: VerifiedRange[] = []
  for (let partition = 0; partition < (await log.partitions(topic)); partition++) {
    const at = { topic, partition }
    const committed = (await log.committed(config.group, at)) ?? 0
    const { first, end } = await log.bounds(at)
    const decided = Math.max(first, Math.min(end, committed))
    const statesFrom = statesAt?.[partition] ?? 0
    ranges.push({
      partition,
      ...(await partOf(log, at, [first, decided], from, to)),
      first,
      states_from: first > statesFrom ? null : statesFrom,
    })
  }
  return ranges
}

/** What is asked for of a partition, as far as it lies within the bounds. */
export async function partOf(
  log: Pick<Log, 'offsetAt'>,
  at: TopicPartition,
  [first, end]: readonly [first: number, end: number],
  from: Position | undefined,
  to: Position | undefined,
): Promise<{ readonly from: number; readonly to: number }> {
  const within = (offset: number) => Math.min(Math.max(offset, first), end)
  const begin = within(await offsetOf(log, at, from, first))
  return { from: begin, to: Math.max(begin, within(await offsetOf(log, at, to, end))) }
}

/** A partition of labels, which are all read. */
export interface LabelRange extends TopicPartition {
  /** As VerifiedRange has it. */
  readonly states_from: number | null
  readonly end: number
}

/** @param statesAt see `rangesOf`. */
export async function labelRangesOf(
  log: Pick<Log, 'partitions' | 'bounds'>,
  { topics }: Config,
  statesAt: readonly number[] | undefined,
): Promise<LabelRange[]> {
  const ranges: LabelRange[] = []
  for (let partition = 0; partition < (await log.partitions(topics.labels)); partition++) {
    const at = { topic: topics.labels, partition }
    const { first, end } = await log.bounds(at)
    const statesFrom = statesAt?.[partition] ?? 0
    ranges.push({ ...at, end, states_from: first > statesFrom ? null : statesFrom })
  }
  return ranges
}
