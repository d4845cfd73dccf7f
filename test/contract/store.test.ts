import { afterAll, beforeAll, inject } from 'vitest'
import { createCachedStore } from '../../src/adapters/cached-store.ts'
import { createMemoryStore } from '../../src/adapters/memory-store.ts'
import { createRedisStore } from '../../src/adapters/redis-store.ts'
import { RedisCluster } from '../helpers/redis-cluster.ts'
import { storeSuite } from './store-suite.ts'

storeSuite('the embedded store', async () => createMemoryStore())

storeSuite('the embedded store behind a cache', async () => createCachedStore(createMemoryStore(), 1024))

storeSuite('Redis', openRedis)

storeSuite('Redis behind a cache', async () => createCachedStore(await openRedis(), 1024 * 1024))

let cluster: RedisCluster
beforeAll(async () => {
  cluster = await RedisCluster.start(3)
})
afterAll(() => cluster.stop())

storeSuite('a Redis Cluster', () => openRedis(cluster.addresses))

async function openRedis(clusterNodes: readonly string[] = []) {
  const prefix = `test-${process.pid}-${Date.now()}`
  // A machine that is busy with other tests answers late.
  const store = createRedisStore({ url: inject('redisUrl'), clusterNodes, prefix, deadlineMs: 5_000 })
  await store.check()
  return store
}
