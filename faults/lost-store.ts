import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import type { Connection } from '../src/apps/connect.ts'
import type { Config } from '../src/config/schema.ts'
import type { LogRecord } from '../src/core/ports.ts'
import { cpuSeconds } from '../test/helpers/process-usage.ts'
import type { MemberProcess } from './member-process.ts'
import { laneKinds, laneTopics, readKeys } from './verifier/evidence.ts'

/** For anything that is waited for. */
const mostMs = 600_000

/** What a loss came to. */
export interface Cost {
  /** States that were there before and must be there again. */
  readonly states: number
  /** Keys that are missing, too many, or of another value. */
  readonly differing: readonly string[]
  /** Seconds until the states of customers were whole again. */
  readonly customersSeconds: number
  /** Seconds until all were. */
  readonly seconds: number
  /** CPU seconds of the member until then. */
  readonly cpuSeconds: number
}

/** An installation of one partition, whose store can be lost. */
export class LosableStore {
  readonly #config: Config
  readonly #connection: Connection
  readonly #redis: Redis

  constructor(config: Config, connection: Connection) {
    this.#config = config
    this.#connection = connection
    this.#redis = new Redis(config.redis.url)
  }

  close(): void {
    this.#redis.disconnect()
  }

  async size(): Promise<number> {
    return (await this.#states()).size
  }

  /** Resolves when every record is in the states. */
  async rest(): Promise<void> {
    const begun = performance.now()
    while (!(await this.#isAtRest())) {
      if (performance.now() - begun > mostMs) throw new Error('the states are not whole after ten minutes')
      await sleep(100)
    }
  }

  /**
   * Loses all that the store holds, under a member at rest, and waits until the states are whole again.
   *
   * @param member who does it, by then.
   * @param onRestoring called when they are being restored from the changelog.
   */
  async lose(member: () => MemberProcess, onRestoring: () => Promise<void> = async () => {}): Promise<Cost> {
    // What is measured begins with a member that holds its lanes.
    await this.#nudge()
    await this.rest()
    const [before, wanted] = [await this.#states(), await this.#watermarks()]
    const used = cpuSeconds(member().pid)
    await this.#redis.flushall()
    const begun = performance.now()
    await this.#nudge()
    let [told, customersSeconds] = [false, 0]
    for (;;) {
      const found = await this.#watermarks()
      const seconds = (performance.now() - begun) / 1_000
      if (!told && (found[0] as number) < 0) {
        told = true
        await onRestoring()
      }
      const isWhole = wanted.map((upTo, i) => (found[i] as number) >= upTo)
      if (isWhole[0] && customersSeconds === 0) customersSeconds = seconds
      if (isWhole.every(Boolean)) {
        const cpu = cpuSeconds(member().pid) - used
        await this.rest()
        const after = await this.#states()
        const names = new Set([...before.keys(), ...after.keys()])
        const differing = [...names].filter((name) => before.get(name) !== after.get(name))
        return { states: before.size, differing, customersSeconds, seconds, cpuSeconds: cpu }
      }
      if (seconds * 1_000 > mostMs)
        throw new Error(`the lanes stand at ${found} after ten minutes, not ${wanted}`)
      await sleep(2)
    }
  }

  /** A record for each lane, since a lane looks after its states when it has one. None of them changes a state. */
  async #nudge(): Promise<void> {
    const { log, contracts } = this.#connection
    const { transactions, labels, entity_updates } = this.#config.topics
    const nothing = {
      source_kind: 'l',
      source_partition: 0,
      source_offset: 0,
      time: 0,
      deltas: [],
    } as const
    const to = { partition: 0, key: null }
    await log.append([
      { ...to, topic: transactions, value: Buffer.from('not a payment') },
      // The label that came last changes nothing when it comes again.
      { ...to, topic: labels, ...(await this.#lastLabel()) },
      { ...to, topic: entity_updates, value: contracts.entityUpdates.encode(nothing) },
    ])
  }

  async #lastLabel(): Promise<Pick<LogRecord, 'key' | 'value' | 'timestamp'>> {
    const { log } = this.#connection
    const at = { topic: this.#config.topics.labels, partition: 0 }
    const { end } = await log.bounds(at)
    for await (const [record] of log.read(at, end - 1, end)) {
      if (record !== undefined) return { key: record.key, value: record.value, timestamp: record.timestamp }
    }
    throw new Error('the history has no label: it needs more events')
  }

  async #isAtRest(): Promise<boolean> {
    const { log } = this.#connection
    const watermarks = await this.#watermarks()
    for (const [i, kind] of laneKinds.entries()) {
      const at = { topic: this.#config.topics[laneTopics[kind]], partition: 0 }
      const watermark = watermarks[i] as number
      if (!(watermark >= 0)) return false
      const { end } = await log.bounds(at)
      for await (const records of log.read(at, watermark, end)) if (records.length > 0) return false
    }
    return true
  }

  /** By lane, in the order of laneKinds; NaN where there is none. */
  async #watermarks(): Promise<number[]> {
    const lanes = await this.#redis.keys('*')
    return Promise.all(
      laneKinds.map(async (kind) => {
        const lane = lanes.find((one) => one.endsWith(`.${kind}0}`))
        const watermark = lane === undefined ? null : await this.#redis.hget(lane, 'wm')
        return watermark === null ? Number.NaN : Number(watermark)
      }),
    )
  }

  /** Every state, as hexadecimal digits by key. */
  async #states(): Promise<ReadonlyMap<string, string>> {
    const states = new Map<string, string>()
    for (const [name, value] of await readKeys(this.#config)) {
      if (name.includes('}:s:')) states.set(name, value.toString('hex'))
    }
    return states
  }
}
