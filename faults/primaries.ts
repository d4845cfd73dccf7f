import type { Redis } from 'ioredis'
import { connectRedis } from '../src/adapters/redis-client.ts'
import type { Config } from '../src/config/schema.ts'

/** Connects to what holds the states, one server or the primaries of a cluster, for the time that `work` takes. */
export async function withPrimaries<T>(
  { redis: { url, cluster_nodes } }: Pick<Config, 'redis'>,
  work: (servers: readonly Redis[]) => Promise<T>,
): Promise<T> {
  const client = connectRedis({ url, clusterNodes: cluster_nodes })
  try {
    await client.ready()
    return await work(client.primaries())
  } finally {
    client.close()
  }
}
