import type { Codec } from '../adapters/avro.ts'
import type { ControlChange } from '../core/control.ts'
import { WeirError } from '../core/errors.ts'
import type { Log } from '../core/ports.ts'
import type { Control } from '../core/types.ts'
import { checkRecords } from './decoded.ts'

/**
 * The changes of a control topic with offsets in [`from`, end as it is now), in order, some at a time. Rejects with
 * WEIR_LOG_HISTORY_GONE where the topic ends before `from`: it was made anew, and is another one.
 */
export async function* readChanges(
  log: Pick<Log, 'bounds' | 'read'>,
  topic: string,
  codec: Codec<Control>,
  from: number,
): AsyncGenerator<readonly ControlChange[], void, undefined> {
  const at = { topic, partition: 0 }
  const { end } = await log.bounds(at)
  if (from === end) return
  if (from > end) {
    throw new WeirError(
      'WEIR_LOG_HISTORY_GONE',
      `${topic} ends at ${end}, and was read up to ${from} before`,
      {
        cure: 'Restart the members once the topic holds all changes again: publish rules, policy and lists.',
      },
    )
  }
  for await (const records of log.read(at, from, end)) {
    const checked = await checkRecords(codec, records)
    yield records.map(({ offset }, i) => {
      const one = checked[i]
      return { offset, control: one?.ok ? one.value : null }
    })
  }
}
