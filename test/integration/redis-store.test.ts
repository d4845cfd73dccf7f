import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { createRedisStore, type RedisStore } from '../../src/adapters/redis-store.ts'
import { type Service, startRedis } from '../helpers/services.ts'

const lane = { kind: 't', partition: 0 } as const
const unavailable = { code: 'WEIR_STORE_UNAVAILABLE', retriable: true }

let redis: Service
let store: RedisStore
const connection: (Error | undefined)[] = []

beforeAll(async () => {
  redis = await startRedis()
  store = open()
  await store.check()
})
afterAll(async () => {
  await store.close()
  await redis.stop()
})

function open(deadlineMs = 1_000): RedisStore {
  const onConnection = (error?: Error): void => void connection.push(error)
  return createRedisStore({ url: `redis://${redis.address}`, prefix: randomUUID(), deadlineMs, onConnection })
}

test('a call past its deadline fails as unavailable, and its write is not reported as done', async () => {
  const impatient = open(100)
  await impatient.check()
  await impatient.acquire(lane, 'a')
  const pid = await redis.pid()
  process.kill(pid, 'SIGSTOP')
  const started = performance.now()
  await expect(
    impatient.write(lane, 'a', { from: null, to: 1 }, [['x', Buffer.from('x')]]),
  ).rejects.toMatchObject(unavailable)
  expect(performance.now() - started).toBeLessThan(1_000)
  process.kill(pid, 'SIGCONT')
  // Whether it was done is settled by the next acquire: both are right, half of it is not.
  await vi.waitFor(() => impatient.acquire(lane, 'b'), 5_000)
  const watermark = await impatient.acquire(lane, 'b')
  expect(await impatient.peek(lane, ['x'])).toEqual([watermark === 1 ? Buffer.from('x') : null])
  await impatient.close()
})

test('a lost connection fails calls at once, and mends itself; scripts are sent anew', async () => {
  await store.acquire(lane, 'a')
  await store.write(lane, 'a', { from: null, to: 1 }, [['x', Buffer.from('one')]])
  await redis.kill()
  await vi.waitFor(() => expect(connection.some((error) => error instanceof Error)).toBe(true), 5_000)
  const started = performance.now()
  await expect(store.read(lane, 'a', 1, ['x'])).rejects.toMatchObject(unavailable)
  await expect(store.acquire(lane, 'b')).rejects.toMatchObject(unavailable)
  expect(performance.now() - started).toBeLessThan(200)
  await redis.restart()
  await vi.waitFor(() => store.read(lane, 'a', 1, ['x']), 10_000)
  await store.write(lane, 'a', { from: 1, to: 2 }, [['x', Buffer.from('two')]])
  expect(await store.read(lane, 'a', 2, ['x'])).toEqual([Buffer.from('two')])
})

test('a server that freezes is told as soon as its connection is given up', async () => {
  const impatient = open(300)
  await impatient.check()
  connection.length = 0
  const pid = await redis.pid()
  process.kill(pid, 'SIGSTOP')
  try {
    await expect(impatient.watermark(lane)).rejects.toMatchObject(unavailable)
    // Ten times the limit; the next connection would be given up as late again.
    await vi.waitFor(() => expect(connection.some((error) => error instanceof Error)).toBe(true), 4_500)
  } finally {
    process.kill(pid, 'SIGCONT')
    await impatient.close()
  }
})

test('check names an eviction policy that would lose states', async () => {
  const evicting = await startRedis({ maxmemory: '100mb', 'maxmemory-policy': 'allkeys-lru' })
  const other = createRedisStore({ url: `redis://${evicting.address}`, prefix: 'p' })
  expect(await other.check()).toEqual([
    { message: expect.stringContaining('allkeys-lru'), cure: expect.stringContaining('noeviction') },
  ])
  expect(await store.check()).toEqual([])
  await other.close()
  await evicting.stop()
})

test('check says so when there is no Redis', async () => {
  const nowhere = createRedisStore({ url: 'redis://127.0.0.1:1', prefix: 'p', deadlineMs: 200 })
  await expect(nowhere.check()).rejects.toMatchObject(unavailable)
  await nowhere.close()
})
