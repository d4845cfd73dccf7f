import { WeirError } from '../core/errors.ts'
import type { TopicPartition } from '../core/ports.ts'

/**
 * Of a range that was asked for.
 *
 * @param first what is left begins there; null where that is not known.
 */
export function historyGone(
  { topic, partition }: TopicPartition,
  from: number,
  first: number | null,
): WeirError {
  const left = first === null ? '' : `, what is left begins at ${first}`
  return new WeirError(
    'WEIR_LOG_HISTORY_GONE',
    `Partition ${partition} of ${topic} no longer has offset ${from}${left}: it was deleted.`,
    { cure: 'Read from a later offset or time; to keep more, raise the retention of the topic.' },
  )
}
