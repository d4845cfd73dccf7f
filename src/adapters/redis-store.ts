import { readFileSync } from 'node:fs'
import { Redis, type Result } from 'ioredis'
import { WeirError } from '../core/errors.ts'
import { clearing, type LaneId, type StateStore } from '../core/ports.ts'
import { tlsFailure } from './tls-failure.ts'

const commitScript = readFileSync(new URL('./redis-scripts/commit.lua', import.meta.url), 'utf8')

declare module 'ioredis' {
  interface RedisCommander<Context> {
    /** redis-scripts/commit.lua: its two keys, then its five arguments. */
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
   * Waits for the connection and looks whether its user may do what weir does, and Redis drop states on its own.
   * @returns what is wrong with its configuration, a sentence each; none when all is well.
   */
  check(): Promise<string[]>
}

/** Keys that Redis looks at in one call: well under a millisecond, in which it serves nobody else. */
const scanned = 1_000

/** A connection, encryption and login included, takes at most this long, milliseconds. */
const connectMs = 5_000

/** The state store in Redis: one round trip a call. Connects at once and again for ever, never waits for it. */
export function createRedisStore(options: RedisStoreOptions): RedisStore {
  const redis = connect(options)
  const waitMs = options.deadlineMs ?? 500
  const guard = <T>(call: Promise<T>): Promise<T> => within(waitMs, call)

  const base = ({ kind, partition }: LaneId): string => `{${options.prefix}.${kind}${partition}}`

  /** Of keys that begin so, many at a time. */
  async function* names(start: string): AsyncGenerator<string[]> {
    let cursor = '0'
    do {
      const [next, found] = await guard(redis.scan(cursor, 'MATCH', `${start}*`, 'COUNT', scanned))
      cursor = next
      if (found.length > 0) yield found
    } while (cursor !== '0')
  }

  return {
    async acquire(lane, token) {
      // One connection runs them in this order: once the token is ours, nobody moves the watermark.
      const [, watermark] = await guard(
        Promise.all([redis.set(`${base(lane)}:own`, token), redis.get(`${base(lane)}:wm`)]),
      )
      return watermark === null ? null : Number(watermark)
    },

    async read(lane, token, watermark, keys) {
      const states = `${base(lane)}:s:`
      const all = [`${base(lane)}:own`, `${base(lane)}:wm`]
      for (const key of keys) all.push(states + key)
      const values = await guard(redis.mgetBuffer(all))
      const [own, found] = values
      if (own?.toString() !== token || (found == null ? null : Number(found)) !== watermark)
        throw notOwner(lane)
      return values.slice(2)
    },

    async write(lane, token, { from, to }, states) {
      const own = `${base(lane)}:own`
      const done = await guard(
        redis.weirCommit(
          own,
          `${base(lane)}:wm`,
          token,
          from === null ? '' : String(from),
          String(to),
          `${base(lane)}:s:`,
          packStates(states),
        ),
      )
      if (done !== 1) throw notOwner(lane)
    },

    async peek(lane, keys) {
      if (keys.length === 0) return []
      const states = `${base(lane)}:s:`
      return guard(redis.mgetBuffer(keys.map((key) => states + key)))
    },

    async watermark(lane) {
      const watermark = await guard(redis.get(`${base(lane)}:wm`))
      return watermark === null ? null : Number(watermark)
    },

    async *keys(lane) {
      const states = `${base(lane)}:s:`
      for await (const found of names(states)) yield found.map((name) => name.slice(states.length))
    },

    async clear(lane, token) {
      const [own, watermark] = [`${base(lane)}:own`, `${base(lane)}:wm`]
      await guard(Promise.all([redis.set(own, token), redis.set(watermark, String(clearing))]))
      for await (const states of names(`${base(lane)}:s:`)) await guard(redis.del(...states))
      await guard(redis.del(watermark, own))
    },

    async check() {
      await ready(redis)
      const lane = base({ kind: 't', partition: 0 })
      const [own, watermark, states] = [`${lane}:own`, `${lane}:wm`, `${lane}:s:`]
      // Each command once, none of which changes anything: a right that lacks shows now, not in degraded decisions.
      await guard(redis.get(watermark))
      await guard(redis.mget(own, watermark))
      await guard(redis.set(`${lane}:none`, '', 'XX'))
      await guard(redis.weirCommit(own, watermark, 'nobody', '', '0', states, packStates([])))
      return evictionOf(await guard(redis.info('memory')))
    },

    async close() {
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
    scripts: { weirCommit: { lua: commitScript, numberOfKeys: 2 } },
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(tls === undefined ? {} : { tls }),
  })
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

function evictionOf(info: string): string[] {
  const field = (name: string): string => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1] ?? ''
  if (field('maxmemory') === '0' || field('maxmemory_policy') === 'noeviction') return []
  return [
    `Redis has maxmemory ${field('maxmemory')} with maxmemory-policy ${field('maxmemory_policy')} and will drop states when it is full; set noeviction.`,
  ]
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

/** A timer that comes later than this was held up by work in this process, milliseconds. */
const heldUpMs = 10

/**
 * The call's result, or WEIR_STORE_UNAVAILABLE past the deadline. Time during which this process was too busy to read
 * the answer does not count: a chunk is worked on without a pause, and Redis is not to blame for that.
 */
function within<T>(deadlineMs: number, call: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    let timer: NodeJS.Timeout
    const wait = (ms: number) => {
      const due = performance.now() + ms
      timer = setTimeout(() => {
        const lateMs = performance.now() - due
        if (lateMs > heldUpMs) wait(lateMs)
        else reject(unavailable(new Error(`no answer within ${deadlineMs} ms`)))
      }, ms)
    }
    wait(deadlineMs)
    call.then(resolve, (error: unknown) => reject(unavailable(error))).finally(() => clearTimeout(timer))
  })
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

function notOwner({ kind, partition }: LaneId): WeirError {
  return new WeirError('WEIR_STORE_NOT_OWNER', `The states of lane ${kind}${partition} were taken over.`)
}
