import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { createRedisStore, type RedisStore, type RedisStoreOptions } from '../../src/adapters/redis-store.ts'
import type { LaneId } from '../../src/core/ports.ts'
import { Authority } from '../helpers/certificates.ts'
import { RedisCluster } from '../helpers/redis-cluster.ts'
import { type Service, startRedis } from '../helpers/services.ts'
import { localRedis } from '../helpers/services-local.ts'
import { freePort } from '../helpers/services-ready.ts'
import { TlsFront } from '../helpers/tls-front.ts'

const prefix = randomUUID()
/** What docs/security.md tells people to grant, for the keys of this test. */
const rights = [...readFileSync('docs/security.md', 'utf8').matchAll(/^ACL SETUSER weir (.*)$/gm)].map(
  ([, rules]) => String(rules).replace('{weir.', `{${prefix}.`).split(' '),
)
const url = 'redis://localhost:6379'
const unavailable = { code: 'WEIR_STORE_UNAVAILABLE', retriable: true }
const x = [['x', Buffer.from('x')]] as const

let cluster: RedisCluster
let store: RedisStore

beforeAll(async () => {
  cluster = await RedisCluster.start(3, { replicas: 1 })
  store = open()
  await store.check()
})
afterAll(async () => {
  await store.close()
  await cluster.stop()
})

function open(
  clusterNodes: readonly string[] = cluster.addresses,
  options: Partial<RedisStoreOptions> = {},
): RedisStore {
  return createRedisStore({ url, clusterNodes, prefix, deadlineMs: 1_000, ...options })
}

const lane = (partition: number): LaneId => ({ kind: 't', partition })
const keyOf = ({ kind, partition }: LaneId): string => `{${prefix}.${kind}${partition}}`
const lanes = Array.from({ length: 12 }, (_, partition) => lane(partition))

/** Lanes that nobody else uses, by the node that has them. */
async function lanesByNode(): Promise<Map<Service, LaneId[]>> {
  const byNode = new Map<Service, LaneId[]>()
  for (const one of lanes) {
    const owner = await cluster.ownerOf(keyOf(one))
    byNode.set(owner, [...(byNode.get(owner) ?? []), one])
  }
  return byNode
}

/** The primary that has a lane, and one that has not. Before any has died. */
async function ownerAndAnother(one: LaneId): Promise<[owner: Service, another: Service]> {
  const owner = await cluster.ownerOf(keyOf(one))
  return [owner, cluster.nodes.slice(0, 3).find((node) => node !== owner) as Service]
}

async function seconds(work: Promise<unknown>): Promise<number> {
  const begun = performance.now()
  await work
  return (performance.now() - begun) / 1_000
}

test('lanes lie on every primary, and one address is enough to find them all', async () => {
  expect((await lanesByNode()).size).toBe(3)
  const [address = ''] = cluster.addresses
  const other = open([`127.0.0.1:${await freePort()}`, address])
  await other.check()
  for (const one of lanes) {
    await store.acquire(one, 'a')
    await store.write(one, 'a', { from: null, to: 5 }, x)
  }
  for (const one of lanes) expect(await other.watermark(one)).toBe(5)
  await other.close()
})

test('a slot that moves to another server under way costs nothing', async () => {
  const one = lane(100)
  await store.acquire(one, 'a')
  await store.write(one, 'a', { from: null, to: 1 }, x)
  const [, to] = await ownerAndAnother(one)
  // The key is there already, the slot not yet: who asks is sent on for this once (ASK).
  await cluster.move(keyOf(one), to, async () => {
    await store.write(one, 'a', { from: 1, to: 2 }, [['y', Buffer.from('y')]])
    expect(await store.read(one, 'a', 2, ['x', 'y'])).toEqual([Buffer.from('x'), Buffer.from('y')])
  })
  // From now on for good (MOVED).
  await store.write(one, 'a', { from: 2, to: 3 }, [['z', Buffer.from('z')]])
  expect(await store.read(one, 'a', 3, ['x', 'y', 'z'])).toEqual(
    ['x', 'y', 'z'].map((text) => Buffer.from(text)),
  )
  expect(await cluster.ownerOf(keyOf(one))).toBe(to)
})

test('the rights that the documents grant are enough, and one that lacks is named', async () => {
  const login = { username: 'weir', password: 'PASSWORD' }
  for (const rules of rights) await cluster.onAll((redis) => redis.call('ACL', 'SETUSER', 'weir', ...rules))
  const member = open(cluster.addresses, login)
  await member.check()
  const one = lane(300)
  await member.acquire(one, 'a')
  const [from, to] = await ownerAndAnother(one)
  await cluster.move(keyOf(one), to, () => member.write(one, 'a', { from: null, to: 1 }, x))
  expect(await member.read(one, 'a', 1, ['x'])).toEqual([Buffer.from('x')])

  await cluster.onAll((redis) => redis.call('ACL', 'SETUSER', 'weir', '-asking'))
  await cluster.move(keyOf(one), from, async () => {
    await expect(member.watermark(one)).rejects.toMatchObject(unavailable)
  })
  await member.close()

  await cluster.onAll((redis) => redis.call('ACL', 'SETUSER', 'weir', '-cluster'))
  const blind = open(cluster.addresses, login)
  const named = { code: 'WEIR_STORE_UNAVAILABLE', message: expect.stringMatching(/NOPERM.*cluster/) }
  await expect(blind.check()).rejects.toMatchObject(named)
  await blind.close()
  const stranger = open(cluster.addresses, { ...login, password: 'wrong' })
  await expect(stranger.check()).rejects.toMatchObject({ message: expect.stringContaining('WRONGPASS') })
  await stranger.close()
})

test('by TLS every node is reached so, and a certificate that is not trusted is told', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'weir-cluster-'))
  const authority = new Authority(folder, 'authority')
  // What a node tells clients of itself leads to what is in front of it.
  const announced = [await freePort(), await freePort(), await freePort()]
  const secure = await RedisCluster.start(3, { announced })
  const fronts = await Promise.all(
    announced.map((port, i) => TlsFront.open(port, secure.addresses[i] as string, authority.issue('server'))),
  )
  const behind = announced.map((port) => `127.0.0.1:${port}`)
  const member = open(behind.slice(0, 1), { tls: { ca: readFileSync(authority.ca.certFile, 'utf8') } })
  await member.check()
  for (const one of lanes) {
    await member.acquire(one, 'a')
    await member.write(one, 'a', { from: null, to: 1 }, x)
  }
  for (const front of fronts) expect(front.count()).toBeGreaterThan(0)
  await member.close()

  const mistrustful = open(behind, { tls: {} })
  await expect(mistrustful.check()).rejects.toMatchObject({ message: expect.stringContaining('not trusted') })
  await mistrustful.close()
  for (const front of fronts) await front.close()
  await secure.stop()
  rmSync(folder, { recursive: true })
})

test('a primary that freezes costs its own lanes one wait, the others none; its replica takes over', async () => {
  const [[node, [frozen, second]], [, [other]]] = [...(await lanesByNode())] as [
    [Service, [LaneId, LaneId]],
    [Service, [LaneId]],
  ]
  const member = open()
  await member.check()
  const pid = await node.pid()
  process.kill(pid, 'SIGSTOP')
  try {
    expect(
      await seconds(expect(member.watermark(frozen)).rejects.toMatchObject(unavailable)),
    ).toBeGreaterThan(0.9)
    const again = async () => {
      await expect(member.watermark(frozen)).rejects.toMatchObject(unavailable)
      expect(await member.watermark(other)).toBe(5)
    }
    expect(await seconds(again())).toBeLessThan(0.1)
    await vi.waitFor(async () => expect(await cluster.ownerOf(keyOf(frozen))).not.toBe(node), 20_000)
    // Nobody says so to a member that waits for an answer of the one of before.
    const mended = vi.waitFor(() => member.watermark(frozen), { timeout: 20_000, interval: 50 })
    expect(await seconds(mended)).toBeLessThan(5)
    expect(await mended).toBe(5)
    await vi.waitFor(() => member.acquire(second, 'b'), { timeout: 20_000, interval: 50 })
  } finally {
    process.kill(pid, 'SIGCONT')
    await member.close()
  }
})

test('a write that was cut off is not sent again: the caller asks what came of it', async () => {
  const one = lane(200)
  await store.acquire(one, 'a')
  await store.write(one, 'a', { from: null, to: 1 }, x)
  const node = await cluster.ownerOf(keyOf(one))
  const member = open(cluster.addresses, { deadlineMs: 20_000 })
  await member.check()
  await member.acquire(one, 'b')
  process.kill(await node.pid(), 'SIGSTOP')
  const write = member.write(one, 'b', { from: 1, to: 2 }, x)
  const failed = expect(write).rejects.toMatchObject(unavailable)
  await sleep(100)
  await node.kill()
  expect(await seconds(failed)).toBeLessThan(1)
  await vi.waitFor(() => member.watermark(one), { timeout: 20_000, interval: 50 })
  // Long enough for whoever would have sent it again.
  await sleep(1_000)
  expect(await member.watermark(one)).toBe(1)
  await member.close()
  await node.restart()
})

test('connections that break are made again before the next call', async () => {
  const one = lane(400)
  await store.acquire(one, 'a')
  await cluster.onAll((redis) => redis.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes'))
  // So long a lane waits before it tries again.
  await sleep(1_000)
  await store.acquire(one, 'b')
  await store.write(one, 'b', { from: null, to: 1 }, x)
  expect(await store.read(one, 'b', 1, ['x'])).toEqual([Buffer.from('x')])
})

test('a process whose store is closed while it looks around ends', async () => {
  const pids = await Promise.all(cluster.nodes.map((node) => node.pid()))
  const program = `
    import { createRedisStore } from './src/adapters/redis-store.ts'
    const store = createRedisStore(${JSON.stringify({ url, clusterNodes: cluster.addresses, prefix })})
    await store.check()
    console.log('open')
    // No node answers by now, and it has asked.
    setTimeout(() => store.close(), 2_500)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', program])
  const exited = once(child, 'exit')
  try {
    await once(child.stdout, 'data')
    for (const pid of pids) process.kill(pid, 'SIGSTOP')
    expect(await seconds(Promise.race([exited, sleep(20_000)]))).toBeLessThan(15)
    expect(child.exitCode).toBe(0)
  } finally {
    for (const pid of pids) process.kill(pid, 'SIGCONT')
    child.kill('SIGKILL')
  }
})

test('a replica that knows of no primary answers nothing', async () => {
  // Of one primary nobody can be voted into its place.
  const pair = await RedisCluster.start(1, { replicas: 1 })
  const member = open(pair.addresses)
  await member.check()
  await member.acquire(lane(0), 'a')
  await member.write(lane(0), 'a', { from: null, to: 1 }, x)
  await (pair.nodes[0] as Service).kill()
  for (let tries = 0; tries < 30; tries++) {
    await expect(member.watermark(lane(0))).rejects.toMatchObject(unavailable)
    await expect(member.check()).rejects.toMatchObject(unavailable)
    await sleep(50)
  }
  await member.close()
  await pair.stop()
})

test('a primary that is away is named, whatever lanes it has', async () => {
  const partial = await RedisCluster.start(3, { settings: { 'cluster-require-full-coverage': 'no' } })
  const member = open(partial.addresses)
  await member.check()
  const dead = partial.nodes[2] as Service
  await dead.kill()
  for (let tries = 0; tries < 20; tries++) {
    await expect(member.check()).rejects.toMatchObject({
      ...unavailable,
      message: expect.stringContaining(dead.address),
    })
    await sleep(100)
  }
  await dead.restart()
  await vi.waitFor(async () => expect(await member.check()).toEqual([]), 10_000)
  await member.close()
  await partial.stop()
})

test('nodes that do not know each other are told from a cluster', async () => {
  const lonely = await localRedis({ 'cluster-enabled': 'yes' })
  const told: (string | undefined)[] = []
  const member = open([lonely.address], { onConnection: (error) => void told.push(error?.message) })
  await expect(member.check()).rejects.toMatchObject({ cure: expect.stringContaining('redis-cli --cluster') })
  await sleep(500)
  expect(told.length).toBeLessThan(8)
  expect(told.every((message) => message?.includes('knows of no slots'))).toBe(true)
  await member.close()
  await lonely.stop()
})

test('what is wrong is said of the server that it is wrong of', async () => {
  const evicting = await RedisCluster.start(1, {
    settings: { maxmemory: '100mb', 'maxmemory-policy': 'allkeys-lru' },
  })
  const [address = ''] = evicting.addresses
  const other = open([address])
  expect(await other.check()).toEqual([
    { message: expect.stringContaining(`Redis ${address} has`), cure: expect.stringContaining('noeviction') },
  ])
  await other.close()
  await evicting.stop()
})

test('a single server in the place of a cluster is told from one that is away, and so is the reverse', async () => {
  const single = await startRedis()
  const one = open([single.address])
  const misplaced = { code: 'WEIR_STORE_UNAVAILABLE', cure: expect.stringContaining('redis.url') }
  await expect(one.check()).rejects.toMatchObject(misplaced)
  await one.close()
  await single.stop()

  const [address = ''] = cluster.addresses
  const node = createRedisStore({ url: `redis://${address}`, prefix })
  expect(await node.check()).toEqual([
    {
      message: expect.stringContaining('Redis Cluster'),
      cure: expect.stringContaining('redis.cluster_nodes'),
    },
  ])
  await node.close()

  const nowhere = open([`127.0.0.1:${await freePort()}`])
  await expect(nowhere.check()).rejects.toMatchObject({
    ...unavailable,
    message: expect.stringContaining('ECONNREFUSED'),
  })
  await nowhere.close()
})
