import { readFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { Cluster, Redis, type RedisOptions, type Result } from 'ioredis'
import type { WeirError } from '../core/errors.ts'
import { coalesced } from './coalesced.ts'
import { unavailable } from './redis-errors.ts'

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

/** One server or a cluster of them, behind the same commands: in a cluster the key of a command tells whose it is. */
export interface RedisClient {
  readonly redis: Redis | Cluster
  readonly isCluster: boolean
  /** Resolves when commands can be sent; rejects with what the first attempt to connect came to. */
  ready(): Promise<void>
  /** Those that take writes, as far as they are known. */
  primaries(): readonly Redis[]
}

/** A connection, encryption and login included, takes at most this long, milliseconds. */
const connectMs = 5_000

/** A primary that is frozen tells nobody that another has its keys by now: the others are asked this often. */
const lookAroundMs = 2_000

const backoff = (times: number): number => Math.min(25 * 2 ** Math.min(times, 8), 2_000)

/** Connects at once and again for ever, never waits for it. */
export function connectRedis(options: RedisClientOptions): RedisClient {
  const { clusterNodes = [], onConnection } = options
  const isCluster = clusterNodes.length > 0
  const redis = isCluster ? connectCluster(clusterNodes, options) : connectServer(options)
  const waiting = new Set<(error?: WeirError) => void>()
  const tell = (error?: WeirError) => {
    onConnection?.(error)
    for (const settle of waiting) settle(error)
  }
  redis.on('ready', () => tell())
  redis.on('error', async (error: Error) => {
    const cause = isCluster ? await reasonOf(error, clusterNodes, options) : error
    // Meanwhile it may have come about.
    if (redis.status !== 'ready') tell(unavailable(cause))
  })
  return {
    redis,
    isCluster,
    async ready() {
      if (redis.status === 'ready') return
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      const settle = (error?: WeirError) => (error === undefined ? resolve() : reject(error))
      const late = () => settle(unavailable(new Error(`no connection within ${connectMs} ms`)))
      const timer = setTimeout(late, connectMs)
      waiting.add(settle)
      await promise.finally(() => {
        clearTimeout(timer)
        waiting.delete(settle)
      })
    },
    primaries: () => (redis instanceof Redis ? [redis] : redis.nodes('master')),
  }
}

/** What holds of every connection. */
const common = ({ username, password, tls, deadlineMs = 500 }: RedisClientOptions) =>
  ({
    protocol: 2,
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

function connectServer(options: RedisClientOptions): Redis {
  const redis = new Redis(options.url, {
    ...common(options),
    scripts,
    enableOfflineQueue: false,
    retryStrategy: backoff,
    // Behind the address there is another server by now, or will be: the primary of before is a replica.
    reconnectOnError: ({ message }) => message.startsWith('READONLY'),
  })
  redis.on('connect', () => coalesced(redis.stream as Socket))
  return redis
}

function connectCluster(nodes: readonly string[], options: RedisClientOptions): Cluster {
  const cluster = new Cluster(nodes.map(placeOf), {
    redisOptions: common(options),
    scripts,
    enableOfflineQueue: false,
    clusterRetryStrategy: backoff,
    slotsRefreshInterval: lookAroundMs,
    // Nor is a call sent again here that was cut off; or that nobody takes until there is another primary.
    retryDelayOnFailover: 0,
    retryDelayOnClusterDown: 0,
    // What a part of the cluster cannot do, calls tell that need the part.
    enableReadyCheck: false,
    // As it is: a certificate is for the name, not for the address behind it.
    dnsLookup: (name, found) => found(null, name),
  })
  cluster.on('+node', (node: Redis) => {
    node.on('connect', () => coalesced(node.stream as Socket))
    // Nobody in ioredis waits for the answer to ASKING: as a rejection without a handler, a refusal or a lost connection
    // would end the process. The call that follows it tells.
    const { asking } = node
    node.asking = () => asking.call(node).catch(() => 'OK')
  })
  return cluster
}

function placeOf(node: string): { host: string; port: number } {
  const { hostname, port } = new URL(`redis://${node}`)
  return { host: hostname.replace(/^\[(.*)\]$/, '$1'), port: Number(port) }
}

/** Why a cluster cannot be reached, which its client does not tell: what one node says to somebody who connects. */
async function reasonOf(error: Error, nodes: readonly string[], options: RedisClientOptions): Promise<Error> {
  const node = new Redis({
    ...placeOf(nodes[0] as string),
    ...common(options),
    lazyConnect: true,
    retryStrategy: null,
  })
  let reason: Error | undefined
  node.on('error', (first) => {
    reason ??= first
  })
  await node.connect().catch(() => {})
  node.disconnect()
  return reason ?? (error as { lastNodeError?: Error }).lastNodeError ?? error
}
