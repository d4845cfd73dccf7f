import { readFileSync } from 'node:fs'
import type { RedisOptions, Result } from 'ioredis'
import type { WeirError } from '../core/errors.ts'

const commitScript = readFileSync(new URL('./redis-scripts/commit.lua', import.meta.url), 'utf8')
const scripts = { weirCommit: { lua: commitScript, numberOfKeys: 1 } }

declare module 'ioredis' {
  interface RedisCommander<Context> {
    /** redis-scripts/commit.lua: its key, then its four arguments. */
    weirCommit(...keysAndArguments: (string | Buffer)[]): Result<number, Context>
  }
}

export interface RedisClientOptions {
  /** One server: `redis://` or, with TLS, `rediss://` host:port/database. */
  readonly url: string
  /** Of a Redis Cluster some nodes, `host:port`, which tell of the others; `url` is not heeded then. */
  readonly clusterNodes?: readonly string[]
  readonly username?: string
  readonly password?: string
  /** PEM texts. Without `ca` the system's authorities are trusted. */
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string }
  /** Milliseconds after which a call is given up, its outcome unknown. Default 500. */
  readonly deadlineMs?: number
  /** Told when the connection is ready (no error) and each time that it is lost or cannot be made. */
  readonly onConnection?: (error?: WeirError) => void
}

/** A connection, encryption and login included, takes at most this long, milliseconds. */
export const connectMs = 5_000

/** Milliseconds before so many-th try to connect again. */
export const backoff = (times: number): number => Math.min(25 * 2 ** Math.min(times, 8), 2_000)

/** What holds of every connection. */
export const connectionOptions = ({ username, password, tls, deadlineMs = 500 }: RedisClientOptions) =>
  ({
    protocol: 2,
    scripts,
    // A peer that went away without a word: drop the connection rather than time out call by call.
    socketTimeout: 10 * deadlineMs,
    connectTimeout: connectMs,
    // A call that was cut off is the caller's to judge: it acquires the lane again.
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(tls === undefined ? {} : { tls }),
  }) satisfies RedisOptions

export type ConnectionOptions = ReturnType<typeof connectionOptions>
