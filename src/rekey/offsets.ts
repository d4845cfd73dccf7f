import type { Codec } from '../adapters/avro.ts'
import type { CompiledFeatures } from '../core/features/compile.ts'
import { hash53 } from '../core/hash.ts'
import type { PackedStates } from '../core/packed-states.ts'
import type { Log, LogRecord } from '../core/ports.ts'
import type { Transaction } from '../core/types.ts'
import { originOf } from './place.ts'
import { refused } from './states.ts'

/**
 * Added to the offset of a kept payment whose record the old log has lost, so that it has none in the new topic: a
 * duplicate of it then names a place that no topic reaches, and less this number the one in the old topic.
 */
const lostRecord = 2 ** 52

/** Where the moved history ends in a partition of a new topic, and the latest event time before that. */
export interface HistoryEnd {
  readonly position: number
  readonly time: number
}

/** Makes every kept payment one whose record is lost; `relocate` then gives those that were moved their offsets. */
export function detach(customers: PackedStates, { customerState: state }: CompiledFeatures): void {
  for (const key of [...customers.keys()]) {
    const { events } = state.open(customers.get(key) as Buffer)
    for (let i = 0; i < events.size; i++) events.offset[i] = (events.offset[i] as number) + lostRecord
    customers.set(key, state.pack())
  }
}

/**
 * Reads the history that was moved to a partition of the new transactions topic, and gives kept payments the offsets
 * that their records have there: a duplicate names the first payment by its place.
 *
 * @throws WeirError WEIR_REKEY_REFUSED where records of others lie within the history.
 */
export async function relocate(
  log: Log,
  { from, to, partition }: { readonly from: string; readonly to: string; readonly partition: number },
  codec: Codec<Transaction>,
  customers: PackedStates,
  { customerState: state }: CompiledFeatures,
): Promise<HistoryEnd> {
  let time = 0
  const position = await throughHistory(log, { from, to, partition }, async (records) => {
    for (const [i, checked] of (await codec.decode(records)).entries()) {
      if (!checked.ok) continue
      const { customer_id, transaction_id, event_time } = checked.value
      time = Math.max(time, event_time)
      const packed = customers.get(customer_id)
      if (packed === undefined) continue
      const record = records[i] as LogRecord
      const { events } = state.open(packed)
      const id = hash53(transaction_id)
      const before = lostRecord + (originOf(record, from) as number)
      for (let kept = 0; kept < events.size; kept++) {
        if (events.id[kept] !== id || events.offset[kept] !== before) continue
        events.offset[kept] = record.offset
        customers.set(customer_id, state.pack())
        break
      }
    }
  })
  return { position, time }
}

/** Reads what was moved to a partition, and returns the offset after it. @throws as `relocate`. */
export async function throughHistory(
  log: Log,
  { from, to, partition }: { readonly from: string; readonly to: string; readonly partition: number },
  use: (records: readonly LogRecord[]) => Promise<void> | void,
): Promise<number> {
  const at = { topic: to, partition }
  const { first, end } = await log.bounds(at)
  let [position, foreign] = [first, -1]
  for await (const records of log.read(at, first, end)) {
    const history = records.filter((record) => originOf(record, from) !== null)
    foreign = records.find((record) => originOf(record, from) === null && foreign < 0)?.offset ?? foreign
    position = (history.at(-1)?.offset ?? position - 1) + 1
    if (foreign >= 0 && foreign < position) {
      throw refused(
        `${to}-${partition} has a record at offset ${foreign} that was sent there before the history of ${from}`,
        'stop the producers of the new topics until rekey is done, and begin again with another --suffix',
      )
    }
    await use(history)
  }
  return position
}
