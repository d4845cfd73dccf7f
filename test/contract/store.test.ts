import { inject } from 'vitest'
import { createCachedStore } from '../../src/adapters/cached-store.ts'
import { createMemoryStore } from '../../src/adapters/memory-store.ts'
import { createRedisStore } from '../../src/adapters/redis-store.ts'
import { storeSuite } from './store-suite.ts'

storeSuite('the embedded store', async () => createMemoryStore())

storeSuite('the embedded store behind a cache', async () => createCachedStore(createMemoryStore(), 1024))

storeSuite('Redis', openRedis)

storeSuite('Redis behind a cache', async () => createCachedStore(await openRedis(), 1024 * 1024))

async function openRedis() {
  const prefix = `test-${process.pid}-${Date.now()}`
  // A machine that is busy with other tests answers late.
  const store = createRedisStore({ url: inject('redisUrl'), prefix, deadlineMs: 5_000 })
  await store.check()
  return store
}
