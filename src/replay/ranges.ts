import type { Config } from '../config/schema.ts'
import type { Log } from '../core/ports.ts'
import type { RangeReader } from './payments.ts'
import type { VerifiedRange } from './verdict.ts'

/** A place on the log: an offset of each partition, or the first record from a moment on, epoch milliseconds. */
export type Place = { readonly offset: number } | { readonly time: number }

/** What was decided: up to where the group stands. Answers to that are on the log. */
export async function rangesOf(
  log: Pick<Log, 'partitions' | 'bounds' | 'committed'> & Pick<RangeReader, 'offsetAt'>,
  config: Config,
  from: Place | undefined,
  to: Place | undefined,
): Promise<VerifiedRange[]> {
  const topic = config.topics.transactions
  const ranges: VerifiedRange[] = []
  for (let partition = 0; partition < (await log.partitions(topic)); partition++) {
    const at = { topic, partition }
    const committed = (await log.committed(config.group, at)) ?? 0
    const { first, end } = await log.bounds(at)
    const decided = Math.max(first, Math.min(end, committed))
    const offsetOf = async (place: Place | undefined, otherwise: number): Promise<number> => {
      if (place === undefined) return otherwise
      const offset = 'offset' in place ? place.offset : await log.offsetAt(at, place.time)
      return Math.min(Math.max(offset, first), decided)
    }
    const range = { partition, from: await offsetOf(from, first), to: await offsetOf(to, decided), first }
    ranges.push({ ...range, to: Math.max(range.from, range.to) })
  }
  return ranges
}
