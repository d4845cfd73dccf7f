import { readFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { Redis, type Result } from 'ioredis'
import { WeirError } from '../core/errors.ts'
import type { LaneId, StateStore } from '../core/ports.ts'
import { coalesced } from './coalesced.ts'
import { Deadline } from './deadline.ts'
import { tlsFailure } from './tls-failure.ts'

const commitScript = readFileSync(new URL('./redis-scripts/commit.lua', import.meta.url), 'utf8')

declare module 'ioredis' {
  interface RedisCommander<Context> {
    /** redis-scripts/commit.lua: its key, then its four arguments. */
    weirCommit(...keysAndArguments: (string | Buffer)[]): Result<number, Context>
  }
}

export interface RedisStoreOptions {
  /** `redis://` or, with TLS, `rediss://` host:port/database. */
  readonly url: string
  /** Start of every key, ahead of lane kind and partition: see the key layout in docs/architecture.md. */
  readonly prefix: string
  readonly username?: string
  readonly password?: string
  /** PEM texts. Without `ca` the system's authorities are trusted. */
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string }
  /** Milliseconds after which a call is given up, its outcome unknown. Default 500. */
  readonly deadlineMs?: number
  /** Told when the connection is ready (no error) and each time that it is lost or cannot be made. */
  readonly onConnection?: (error?: WeirError) => void
}

export interface RedisStore extends StateStore {
  /**
   * Waits for the connection, tries what weir's user must be allowed, and looks whether Redis can be relied on: that it
   * drops nothing on its own and takes writes.
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

/** A connection, encryption and login included, takes at most this long, milliseconds. */
const connectMs = 5_000

/** Fields of the hash that holds a lane; those of states begin with `state`. */
const field = { owner: 'own', watermark: 'wm', state: 's:' }
const stateField = (key: string): string => field.state + key

/**
 * The state store in Redis: one key a lane, so that Redis has all of it or nothing (docs/decisions/0027), and one round
 * trip a call. Connects at once and again for ever, never waits for it.
 */
export function createRedisStore(options: RedisStoreOptions): RedisStore {
  const redis = connect(options)
  const deadline = new Deadline(options.deadlineMs ?? 500, () => redis.ping())
  const guard = <T>(call: () => Promise<T>): Promise<T> =>
    deadline.within(call).catch((error: unknown) => Promise.reject(unavailable(error)))

  const keyOf = ({ kind, partition }: LaneId): string => `{${options.prefix}.${kind}${partition}}`
  const watermarkOf = async (lane: LaneId): Promise<number | null> => {
    const watermark = await redis.hget(keyOf(lane), field.watermark)
    return watermark === null ? null : Number(watermark)
  }

  // An array, not arguments: there may be more of them than a call can have.
  const fieldsOf = (lane: LaneId, fields: readonly string[]) =>
    guard(() => redis.callBuffer('HMGET', [keyOf(lane), ...fields])) as Promise<(Buffer | null)[]>

  return {
    async acquire(lane, token) {
      // One connection runs them in this order: once the token is ours, nobody moves the watermark.
      const take = () => Promise.all([redis.hset(keyOf(lane), field.owner, token), watermarkOf(lane)])
      const [, watermark] = await guard(take)
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
      const done = await guard(() =>
        redis.weirCommit(keyOf(lane), token, expected, String(to), packStates(states)),
      )
      if (done === goneAnswer) throw gone(lane)
      if (done !== 1) throw notOwner(lane)
    },

    async peek(lane, keys) {
      if (keys.length === 0) return []
      return fieldsOf(lane, keys.map(stateField))
    },

    watermark: (lane) => guard(() => watermarkOf(lane)),

    async *keys(lane) {
      let cursor = '0'
      do {
        const [next, found] = await guard(() =>
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
      await guard(() => redis.del(keyOf(lane)))
    },

    async check() {
      await ready(redis)
      const lane = { kind: 't', partition: 0 } as const
      // Each command once, none of which changes anything: a right that lacks shows now, not in degraded decisions.
      await guard(() => redis.ping())
      await guard(() => watermarkOf(lane))
      await fieldsOf(lane, [field.owner])
      await guard(() => redis.weirCommit(keyOf(lane), 'nobody', '', '0', packStates([])))
      return findingsOf(await guard(() => redis.info()))
    },

    async close() {
      deadline.close()
      redis.disconnect()
    },
  }
}

function connect(options: RedisStoreOptions): Redis {
  const { url, username, password, tls, deadlineMs = 500, onConnection } = options
  const redis = new Redis(url, {
    protocol: 2,
    // A peer that went away without a word: drop the connection rather than time out call by call.
    socketTimeout: 10 * deadlineMs,
    connectTimeout: connectMs,
    enableOfflineQueue: false,
    // A call that was cut off is the caller's to judge: it acquires the lane again.
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    retryStrategy: (times) => Math.min(25 * 2 ** Math.min(times, 8), 2_000),
    // Behind the address there is another server by now, or will be: the primary of before is a replica.
    reconnectOnError: ({ message }) => message.startsWith('READONLY'),
    scripts: { weirCommit: { lua: commitScript, numberOfKeys: 1 } },
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(tls === undefined ? {} : { tls }),
  })
  redis.on('connect', () => coalesced(redis.stream as Socket))
  redis.on('ready', () => onConnection?.())
  redis.on('error', (error: Error) => onConnection?.(unavailable(error)))
  return redis
}

/** Resolves when commands can be sent; rejects with what the first attempt to connect came to. */
async function ready(redis: Redis): Promise<void> {
  if (redis.status === 'ready') return
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const fail = (error: Error) => reject(unavailable(error))
  const timer = setTimeout(() => fail(new Error(`no connection within ${connectMs} ms`)), connectMs)
  redis.once('ready', resolve).once('error', fail)
  await promise.finally(() => {
    clearTimeout(timer)
    redis.off('ready', resolve).off('error', fail)
  })
}

function findingsOf(info: string): StoreFinding[] {
  const field = (name: string): string => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1] ?? ''
  const most = Number(field('maxmemory'))
  const policy = field('maxmemory_policy')
  const findings: StoreFinding[] = []
  if (most > 0 && policy !== 'noeviction') {
    findings.push({
      message: `Redis has maxmemory ${most} with maxmemory-policy ${policy} and will drop states when it is full.`,
      cure: 'CONFIG SET maxmemory-policy noeviction',
    })
  }
  // What replicas and the append-only file wait for does not count.
  const used = Number(field('used_memory')) - Number(field('mem_not_counted_for_evict'))
  if (most > 0 && policy === 'noeviction' && used >= most) {
    findings.push({
      message: `Redis is full and takes no states: it uses all of maxmemory ${most}.`,
      cure: 'CONFIG SET maxmemory to what the machine has, or take from Redis what is not of weir',
    })
  }
  if (field('role') === 'slave' && field('slave_read_only') !== '0') {
    findings.push({
      message: `Redis is a read-only replica of ${field('master_host')}:${field('master_port')} and takes no states.`,
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

/** What a person has to mend: who weir says it is, and what its user may do. */
const denied = /^(WRONGPASS|NOAUTH|NOPERM)/

/** What ioredis says to a call while it connects; why it has to is told to `onConnection`. */
const unconnected = /^(Stream isn't writeable|Reached the max retries per request)/

/** Any failure as one of ours; retriable unless a certificate, the login or a right is the reason. */
function unavailable(cause: unknown): WeirError {
  const why = cause instanceof Error ? cause.message : String(cause)
  const tls = tlsFailure(cause, 'redis')
  if (tls !== undefined) {
    const { reason, cure } = tls
    return new WeirError('WEIR_STORE_UNAVAILABLE', `Redis cannot be reached: ${reason}.`, { cure, cause })
  }
  if (denied.test(why)) {
    const cure = why.startsWith('NOPERM')
      ? 'Give the user of redis.username the rights of docs/security.md.'
      : 'Correct redis.username and redis.password.'
    return new WeirError('WEIR_STORE_UNAVAILABLE', `Redis refused it: ${why}`, { cure, cause })
  }
  const said = unconnected.test(why) ? 'there is no connection' : why
  return new WeirError('WEIR_STORE_UNAVAILABLE', `Redis did not answer: ${said}`, { retriable: true, cause })
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
