import type { Redis } from 'ioredis'
import { WeirError } from '../core/errors.ts'
import type { LaneId, StateStore } from '../core/ports.ts'
import { Deadline, limited } from './deadline.ts'
import { connectRedis } from './redis-client.ts'
import { addressOf } from './redis-cluster.ts'
import { unavailable } from './redis-errors.ts'
import type { RedisClientOptions } from './redis-options.ts'

export interface RedisStoreOptions extends RedisClientOptions {
  /** Start of every key, ahead of lane kind and partition: see the key layout in docs/architecture.md. */
  readonly prefix: string
}

export interface RedisStore extends StateStore {
  /**
   * Waits for the connection, tries what weir's user must be allowed, and looks whether Redis can be relied on: that it
   * drops nothing on its own and takes writes; of a cluster, every primary.
   * @returns what is wrong with it; none when all is well.
   */
  check(): Promise<StoreFinding[]>
}

export interface StoreFinding {
  /** A sentence. */
  readonly message: string
  readonly cure: string
}

/** States that Redis looks at in one call, of a kilobyte each: well under a millisecond, in which it serves nobody else. */
const scanned = 500

/** Fields of the hash that holds a lane; those of states begin with `state`. */
const field = { owner: 'own', watermark: 'wm', state: 's:' }
const stateField = (key: string): string => field.state + key

/**
 * The state store in Redis: one key a lane, so that Redis has all of it or nothing (docs/decisions/0027), and one round
 * trip a call. Connects at once and again for ever, never waits for it. In a cluster the lanes lie on all primaries.
 */
export function createRedisStore(options: RedisStoreOptions): RedisStore {
  const { prefix, deadlineMs = 500 } = options
  const client = connectRedis(options)
  const { redis, isCluster } = client

  const keyOf = ({ kind, partition }: LaneId): string => `{${prefix}.${kind}${partition}}`
  const watermarkOf = async (lane: LaneId): Promise<number | null> => {
    const watermark = await redis.hget(keyOf(lane), field.watermark)
    return watermark === null ? null : Number(watermark)
  }

  // Of a cluster one server may be away and the others not: each lane finds out for itself.
  const deadlines = new Map<string, Deadline>()
  const deadlineOf = (lane: LaneId): Deadline => {
    const whose = isCluster ? keyOf(lane) : ''
    let deadline = deadlines.get(whose)
    if (deadline === undefined) {
      deadline = new Deadline(deadlineMs, () => watermarkOf(lane))
      deadlines.set(whose, deadline)
    }
    return deadline
  }
  const guard = <T>(lane: LaneId, call: () => Promise<T>): Promise<T> =>
    deadlineOf(lane)
      .within(call)
      .catch((error: unknown) => Promise.reject(unavailable(error)))

  // An array, not arguments: there may be more of them than a call can have.
  const fieldsOf = (lane: LaneId, fields: readonly string[]) =>
    guard(lane, () => redis.callBuffer('HMGET', [keyOf(lane), ...fields])) as Promise<(Buffer | null)[]>

  return {
    async acquire(lane, token) {
      // One connection runs them in this order: once the token is ours, nobody moves the watermark.
      const take = () => Promise.all([redis.hset(keyOf(lane), field.owner, token), watermarkOf(lane)])
      const [, watermark] = await guard(lane, take)
      return watermark
    },

    async read(lane, token, watermark, keys) {
      const all = [field.owner, field.watermark]
      for (const key of keys) all.push(stateField(key))
      const values = await fieldsOf(lane, all)
      const [own, found] = values
      if (own == null) throw gone(lane)
      if (own.toString() !== token || (found == null ? null : Number(found)) !== watermark)
        throw notOwner(lane)
      return values.slice(2)
    },

    async write(lane, token, { from, to }, states) {
      const expected = from === null ? '' : String(from)
      const done = await guard(lane, () =>
        redis.weirCommit(keyOf(lane), token, expected, String(to), packStates(states)),
      )
      if (done === goneAnswer) throw gone(lane)
      if (done !== 1) throw notOwner(lane)
    },

    async peek(lane, keys) {
      if (keys.length === 0) return []
      return fieldsOf(lane, keys.map(stateField))
    },

    watermark: (lane) => guard(lane, () => watermarkOf(lane)),

    async *keys(lane) {
      let cursor = '0'
      do {
        const [next, found] = await guard(lane, () =>
          redis.hscanBuffer(keyOf(lane), cursor, 'MATCH', `${field.state}*`, 'COUNT', scanned),
        )
        cursor = String(next)
        // Names and values in turn.
        const names = found.filter((_, i) => i % 2 === 0)
        if (names.length > 0) yield names.map((name) => String(name).slice(field.state.length))
      } while (cursor !== '0')
    },

    async clear(lane) {
      // One key: gone at once and whole.
      await guard(lane, () => redis.del(keyOf(lane)))
    },

    async check() {
      await client.ready()
      const looks = client.primaries().map(look)
      return (await Promise.all(looks)).flat()
    },

    async close() {
      for (const deadline of deadlines.values()) deadline.close()
      client.close()
    },
  }

  async function look(server: Redis): Promise<StoreFinding[]> {
    const name = isCluster ? `Redis ${addressOf(server)}` : 'Redis'
    const answer = <T>(call: Promise<T>): Promise<T> =>
      limited(deadlineMs, call).catch((error: unknown) => Promise.reject(unavailable(error, name)))
    const findings = findingsOf(await answer(server.info()), name, isCluster)
    if (findings.length > 0) return findings
    // Each command once, none of which changes anything: a right that lacks shows now, not in degraded decisions.
    const key = keyOf({ kind: 't', partition: 0 })
    const tries: (() => Promise<unknown>)[] = [
      () => server.hget(key, field.watermark),
      () => server.hmget(key, field.owner),
      () => server.weirCommit(key, 'nobody', '', '0', packStates([])),
    ]
    // Whether it is allowed, a server of a cluster says before it says that the key is another's.
    for (const attempt of tries) await answer(attempt().catch(unlessMoved))
    return []
  }
}

const unlessMoved = (error: Error): void => {
  if (!error.message.startsWith('MOVED ')) throw error
}

/** @param name as a sentence begins with it. */
function findingsOf(info: string, name: string, isCluster: boolean): StoreFinding[] {
  const field = (name: string): string => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1] ?? ''
  if (!isCluster && field('cluster_enabled') === '1') {
    const message = 'redis.url is a node of a Redis Cluster, which need not have all keys.'
    const cure = 'name some nodes of the cluster in redis.cluster_nodes, and leave redis.url out'
    return [{ message, cure }]
  }
  const most = Number(field('maxmemory'))
  const policy = field('maxmemory_policy')
  const findings: StoreFinding[] = []
  if (most > 0 && policy !== 'noeviction') {
    findings.push({
      message: `${name} has maxmemory ${most} with maxmemory-policy ${policy} and will drop states when it is full.`,
      cure: 'CONFIG SET maxmemory-policy noeviction',
    })
  }
  // What replicas and the append-only file wait for does not count.
  const used = Number(field('used_memory')) - Number(field('mem_not_counted_for_evict'))
  if (most > 0 && policy === 'noeviction' && used >= most) {
    findings.push({
      message: `${name} is full and takes no states: it uses all of maxmemory ${most}.`,
      cure: 'CONFIG SET maxmemory to what the machine has, or take from Redis what is not of weir',
    })
  }
  // In a cluster it has just become one, and whoever took its place is found.
  if (!isCluster && field('role') === 'slave' && field('slave_read_only') !== '0') {
    findings.push({
      message: `${name} is a read-only replica of ${field('master_host')}:${field('master_port')} and takes no states.`,
      cure: 'give redis.url the primary, or make this one the primary: REPLICAOF NO ONE',
    })
  }
  return findings
}

/**
 * One argument for all states: half of the client's CPU of one argument each.
 * Lengths are 32 bits, big-endian, as redis-scripts/commit.lua reads them.
 */
function packStates(states: readonly (readonly [key: string, state: Buffer])[]): Buffer {
  let size = 0
  for (const [key, state] of states) size += 8 + Buffer.byteLength(key) + state.length
  const packed = Buffer.allocUnsafe(size)
  let at = 0
  for (const [key, state] of states) {
    const keyBytes = packed.write(key, at + 4)
    packed.writeUInt32BE(keyBytes, at)
    packed.writeUInt32BE(state.length, at + 4 + keyBytes)
    at += 8 + keyBytes
    at += state.copy(packed, at)
  }
  return packed
}

/** What redis-scripts/commit.lua answers when there is no owner. */
const goneAnswer = -1

function gone({ kind, partition }: LaneId): WeirError {
  const message = `The states of lane ${kind}${partition} are gone from Redis.`
  return new WeirError('WEIR_STORE_GONE', message, { retriable: true })
}

function notOwner({ kind, partition }: LaneId): WeirError {
  return new WeirError('WEIR_STORE_NOT_OWNER', `The states of lane ${kind}${partition} were taken over.`)
}
