import type { Codec } from '../adapters/avro.ts'
import { entityHome } from '../core/enrich.ts'
import { entityKey } from '../core/parties.ts'
import type { Headers, NewRecord } from '../core/ports.ts'
import type { EntityDelta, EntityUpdate } from '../core/types.ts'

/** Where an update comes from: all of EntityUpdate but the deltas. */
export type UpdateSource = Omit<EntityUpdate, 'deltas'>

/** In one record, so that no record comes near the size that brokers accept (1 MiB by default). */
const mostDeltas = 1_000

/** Key of an entity lane under which it keeps how far it has folded each partition of transactions. */
export const progressKey = '~progress'

/**
 * The way to the entities of all partitions: one record a partition of entities and chunk. Remembers what was sent,
 * so that a reader can tell how far behind the folded values are.
 */
export class EntityUpdates {
  readonly partitions: number
  readonly #topic: string
  readonly #codec: Codec<EntityUpdate>
  /** Latest time sent, by `home` then by partition of transactions. */
  readonly #sent = new Map<string, number>()

  constructor(topic: string, partitions: number, codec: Codec<EntityUpdate>) {
    this.#topic = topic
    this.partitions = partitions
    this.#codec = codec
  }

  /**
   * The records that carry a chunk's deltas, each to the partition of its entities.
   *
   * @param receipt headers that tell what the chunk answers; with them there is a record even where there is no delta.
   */
  records(source: UpdateSource, deltas: readonly EntityDelta[], receipt?: Headers): NewRecord[] {
    const homes = new Map<number, EntityDelta[]>()
    if (receipt !== undefined && deltas.length === 0) homes.set(source.source_partition % this.partitions, [])
    for (const delta of deltas) {
      const home = entityHome(entityKey(delta.kind, delta.key), this.partitions)
      const there = homes.get(home)
      if (there === undefined) homes.set(home, [delta])
      else there.push(delta)
    }
    const records: NewRecord[] = []
    for (const [home, there] of homes) {
      if (source.source_kind === 't') this.#remember(home, source)
      for (let at = 0; at < Math.max(1, there.length); at += mostDeltas) {
        const value = this.#codec.encode({ ...source, deltas: there.slice(at, at + mostDeltas) })
        const record = { topic: this.#topic, partition: home, key: null, value }
        records.push(receipt === undefined ? record : { ...record, headers: receipt })
      }
    }
    return records
  }

  /**
   * How far the entities of `home` are behind what was sent to them, milliseconds of event time; 0 at best. A member
   * that has sent nothing there yet does not know what others did, and goes by the time of the chunk.
   */
  ageMs(home: number, partition: number, foldedUpTo: number | null, chunkTime: number): number {
    const sent = this.#sent.get(`${home}/${partition}`)
    if (sent !== undefined) return Math.max(0, sent - (foldedUpTo ?? 0))
    return foldedUpTo === null ? 0 : Math.max(0, chunkTime - foldedUpTo)
  }

  #remember(home: number, { source_partition, time }: UpdateSource): void {
    const key = `${home}/${source_partition}`
    this.#sent.set(key, Math.max(time, this.#sent.get(key) ?? time))
  }
}

/** Latest event time folded from a partition of transactions; null when none was. */
export function progressOf(packed: Buffer | null, partition: number): number | null {
  if (packed === null || packed.length < (partition + 1) * 8) return null
  return packed.readDoubleLE(partition * 8) || null
}

/** The progress after folding updates. */
export function withProgress(packed: Buffer | null, updates: readonly EntityUpdate[]): Buffer {
  const most = Math.max(-1, ...updates.map(({ source_partition }) => source_partition))
  const progress = Buffer.alloc(Math.max(packed?.length ?? 0, (most + 1) * 8))
  packed?.copy(progress)
  for (const { source_kind, source_partition, time } of updates) {
    if (source_kind !== 't') continue
    const at = source_partition * 8
    progress.writeDoubleLE(Math.max(time, progress.readDoubleLE(at)), at)
  }
  return progress
}
