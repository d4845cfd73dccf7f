import type { Codec } from '../adapters/avro.ts'
import { type Contracts, caseActionCodec } from '../adapters/avro-contracts.ts'
import type { Config } from '../config/schema.ts'
import type { CaseAction } from '../core/cases.ts'
import type { Log, TopicPartition } from '../core/ports.ts'
import { checkRecords } from '../stream/decoded.ts'
import { openSchemas } from './connect.ts'

/** What the fraud team works with: topics alone, so that any other tool can do the same. */
export interface Desk {
  readonly config: Config
  readonly log: Pick<Log, 'partitions' | 'bounds' | 'offsetAt' | 'read' | 'append'>
  readonly contracts: Pick<Contracts, 'transactions' | 'labels' | 'decisions' | 'alerts'>
  readonly actions: Codec<CaseAction>
}

export async function openDesk(
  config: Config,
  { log, contracts }: Pick<Desk, 'log' | 'contracts'>,
): Promise<Desk> {
  return {
    config,
    log,
    contracts,
    actions: await caseActionCodec(openSchemas(config), config.topics.case_actions),
  }
}

/** A value of a topic, and where it lies. */
export interface Found<T> extends TopicPartition {
  readonly value: T
  /** Record timestamp, epoch milliseconds. */
  readonly timestamp: number
}

/** Which part of a topic: record timestamps in epoch milliseconds. */
export interface Since {
  readonly from: number
  /** Not part of it; the end when absent. */
  readonly to?: number
  /** All when absent. */
  readonly partition?: number
  /** Offsets that are part of it whatever their timestamps, which need not rise along the log; with `partition` only. */
  readonly including?: readonly number[]
  /** Records read at most; all when absent. */
  readonly most?: number
  /** Told when more lay there. */
  readonly onCut?: () => void
}

/** What can be read of a topic, partition after partition in the order of the log; what cannot is left out. */
export async function* readSince<T>(
  { log }: Pick<Desk, 'log'>,
  topic: string,
  codec: Codec<T>,
  { from, to, partition: only, including = [], most = Number.POSITIVE_INFINITY, onCut }: Since,
): AsyncGenerator<readonly Found<T>[], void, undefined> {
  const partitions = await log.partitions(topic)
  let left = most
  for (let partition = only ?? 0; partition < (only === undefined ? partitions : only + 1); partition++) {
    const at = { topic, partition }
    const { first, end } = await log.bounds(at)
    const named = including.filter((offset) => offset >= first && offset < end)
    const begin = Math.max(first, Math.min(await log.offsetAt(at, from), ...named))
    const last = Math.max(to === undefined ? end : await log.offsetAt(at, to), ...named.map((one) => one + 1))
    const stop = Math.min(last, begin + left)
    if (stop < last) onCut?.()
    left -= Math.max(0, stop - begin)
    const beyond = named.filter((offset) => offset >= stop).map((offset) => [offset, offset + 1] as const)
    for (const [start, next] of [[begin, stop] as const, ...beyond]) {
      for await (const records of log.read(at, start, next)) {
        const checked = await checkRecords(codec, records)
        yield checked.flatMap((one, i) =>
          one.ok ? [{ ...at, value: one.value, timestamp: records[i]?.timestamp ?? 0 }] : [],
        )
      }
    }
  }
}

/** All of it at once. */
export async function readAllSince<T>(
  desk: Pick<Desk, 'log'>,
  topic: string,
  codec: Codec<T>,
  since: Since,
): Promise<Found<T>[]> {
  const all: Found<T>[] = []
  for await (const some of readSince(desk, topic, codec, since)) all.push(...some)
  return all
}
