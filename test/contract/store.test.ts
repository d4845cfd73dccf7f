import { inject } from 'vitest'
import { createMemoryStore } from '../../src/adapters/memory-store.ts'
import { createRedisStore } from '../../src/adapters/redis-store.ts'
import { storeSuite } from './store-suite.ts'

storeSuite('the embedded store', async () => createMemoryStore())

storeSuite('Redis', async () => {
  const prefix = `test-${process.pid}-${Date.now()}`
  // A machine that is busy with other tests answers late.
  const store = createRedisStore({ url: inject('redisUrl'), prefix, deadlineMs: 5_000 })
  await store.check()
  return store
})
