import type { Socket } from 'node:net'
import { type Cluster, Redis } from 'ioredis'
import type { WeirError } from '../core/errors.ts'
import { coalesced } from './coalesced.ts'
import { connectCluster, slotless } from './redis-cluster.ts'
import { unavailable } from './redis-errors.ts'
import { backoff, connectionOptions, connectMs, type RedisClientOptions } from './redis-options.ts'

/** One server or a cluster of them, behind the same commands: in a cluster the key of a command tells whose it is. */
export interface RedisClient {
  readonly redis: Redis | Cluster
  readonly isCluster: boolean
  /** Resolves when commands can be sent; rejects with what the first attempt to connect came to. */
  ready(): Promise<void>
  /** All that take writes. @throws WeirError WEIR_STORE_UNAVAILABLE where one of a cluster is not there. */
  primaries(): readonly Redis[]
  close(): void
}

/** Connects at once and again for ever, never waits for it. */
export function connectRedis(options: RedisClientOptions): RedisClient {
  const { clusterNodes = [], onConnection } = options
  const ofCluster =
    clusterNodes.length === 0 ? null : connectCluster(clusterNodes, connectionOptions(options))
  const redis = ofCluster?.cluster ?? connectServer(options)
  let isClosed = false
  const waiting = new Set<(error?: WeirError) => void>()
  const tell = (error?: WeirError) => {
    if (isClosed) return
    onConnection?.(error)
    for (const settle of waiting) settle(error)
  }
  redis.on('ready', () => tell(ofCluster?.cluster.nodes().length === 0 ? slotless() : undefined))
  let isExplaining = false
  redis.on('error', async (error: Error) => {
    if (ofCluster === null) return tell(unavailable(error))
    if (isExplaining) return
    isExplaining = true
    const cause = await ofCluster.explain(error)
    isExplaining = false
    // Meanwhile it may have come about.
    if (redis.status !== 'ready') tell(unavailable(cause))
  })
  return {
    redis,
    isCluster: ofCluster !== null,
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
    primaries: () => ofCluster?.primaries() ?? [redis as Redis],
    close() {
      isClosed = true
      if (ofCluster === null) redis.disconnect()
      else ofCluster.close()
    },
  }
}

function connectServer(options: RedisClientOptions): Redis {
  const redis = new Redis(options.url, {
    ...connectionOptions(options),
    enableOfflineQueue: false,
    retryStrategy: backoff,
    // Behind the address there is another server by now, or will be: the primary of before is a replica.
    reconnectOnError: ({ message }) => message.startsWith('READONLY'),
  })
  redis.on('connect', () => coalesced(redis.stream as Socket))
  return redis
}
