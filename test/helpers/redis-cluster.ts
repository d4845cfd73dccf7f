import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import type { Service, Settings } from './services.ts'
import { localRedis } from './services-local.ts'
import { freePort } from './services-ready.ts'

const slots = 16_384

/** A node's peers speak to it on a port this much higher. */
const busOffset = 10_000

/** Another node takes the place of a primary that has been silent for this long, and some more. */
const nodeTimeoutMs = 1_500

interface ClusterOptions {
  readonly replicas?: number
  readonly settings?: Settings
  readonly announced?: readonly number[]
}

/** Servers of a Redis Cluster as processes of this machine; a container would be known to others by a name of its own. */
export class RedisCluster {
  /** Primaries first, then the replicas of each in turn: whose place is whose changes as they die. */
  readonly nodes: readonly Service[]

  private constructor(nodes: readonly Service[]) {
    this.nodes = nodes
  }

  /**
   * @param replicas of each primary.
   * @param announced the ports by which clients reach nodes that have something in front of them.
   */
  static async start(
    primaries: number,
    { replicas = 0, settings = {}, announced = [] }: ClusterOptions = {},
  ): Promise<RedisCluster> {
    const count = primaries * (1 + replicas)
    const options = {
      ...settings,
      'cluster-enabled': 'yes',
      'cluster-node-timeout': `${nodeTimeoutMs}`,
      // One that is alone is told by nobody.
      'cluster-announce-ip': '127.0.0.1',
    }
    const nodes = await Promise.all(
      Array.from({ length: count }, async (_, i) => {
        const port = announced[i]
        return localRedis(
          port === undefined ? options : { ...options, 'cluster-announce-port': `${port}` },
          await portWithBus(),
        )
      }),
    )
    const cluster = new RedisCluster(nodes)
    try {
      await cluster.#form(primaries)
    } catch (error) {
      await cluster.stop()
      throw error
    }
    return cluster
  }

  get addresses(): string[] {
    return this.nodes.map(({ address }) => address)
  }

  /** The node that has a key, as most see it: one that was away for a while may still think that it is itself. */
  async ownerOf(key: string): Promise<Service> {
    const asking = this.nodes.map((node) =>
      asked(node, (redis) => ownerPort(redis, key)).catch(() => undefined),
    )
    const votes = new Map<Service, number>()
    for (const port of await Promise.all(asking)) {
      const owner = this.nodes.find(({ address }) => address.endsWith(`:${port}`))
      if (owner !== undefined) votes.set(owner, (votes.get(owner) ?? 0) + 1)
    }
    const [most] = [...votes].sort(([, a], [, b]) => b - a)
    if (most === undefined) throw new Error(`nobody has ${key}`)
    return most[0]
  }

  async onAll(work: (redis: Redis) => Promise<unknown>): Promise<void> {
    for (const node of this.nodes) await asked(node, work)
  }

  /** Moves a slot with the key in it, as a resharding does: for a while it is neither here nor there. */
  async move(key: string, to: Service, meanwhile: () => Promise<void> = async () => {}): Promise<void> {
    const from = await this.ownerOf(key)
    const slot = await asked(from, (redis) => redis.cluster('KEYSLOT', key))
    const [source, target] = [await idOf(from), await idOf(to)]
    const [host = '', port = ''] = to.address.split(':')
    await asked(to, (redis) => redis.cluster('SETSLOT', slot, 'IMPORTING', source))
    await asked(from, (redis) => redis.cluster('SETSLOT', slot, 'MIGRATING', target))
    await asked(from, (redis) => redis.migrate(host, port, key, 0, 5_000))
    await meanwhile()
    for (const node of [to, from]) {
      await asked(node, (redis) => redis.cluster('SETSLOT', slot, 'NODE', target))
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop()))
  }

  async #form(primaries: number): Promise<void> {
    const [first, ...others] = this.nodes as [Service, ...Service[]]
    const [host = '', port = ''] = first.address.split(':')
    for (const [i, node] of this.nodes.entries()) {
      await asked(node, async (redis) => {
        await redis.cluster('SET-CONFIG-EPOCH', i + 1)
        if (i < primaries) await redis.cluster('ADDSLOTS', slotsOf(i, primaries))
      })
    }
    for (const node of others) await asked(node, (redis) => redis.cluster('MEET', host, port))
    await this.#until((info) => info.includes(`cluster_known_nodes:${this.nodes.length}\r`))
    for (const [i, node] of this.nodes.entries()) {
      if (i < primaries) continue
      const id = await idOf(this.nodes[i % primaries] as Service)
      await asked(node, (redis) => redis.cluster('REPLICATE', id))
    }
    await this.#until((info) => info.includes('cluster_state:ok'))
    for (const node of this.nodes.slice(primaries)) {
      await until(async () =>
        /master_link_status:up/.test(await asked(node, (redis) => redis.info('replication'))),
      )
    }
  }

  async #until(holds: (info: string) => boolean): Promise<void> {
    for (const node of this.nodes) {
      await until(async () => holds(String(await asked(node, (redis) => redis.cluster('INFO')))))
    }
  }
}

async function ownerPort(redis: Redis, key: string): Promise<number | undefined> {
  const slot = await redis.cluster('KEYSLOT', key)
  const range = (await redis.cluster('SLOTS')).find(([from, to]) => from <= slot && slot <= to)
  return range?.[2]?.[1]
}

/** How a member reaches a store: one server, or the nodes of a cluster as a list. */
export const storeVariables = (address: string): Record<string, string> =>
  address.includes(',') ? { WEIR_REDIS__CLUSTER_NODES: address } : { WEIR_REDIS__URL: `redis://${address}` }

const idOf = async (node: Service): Promise<string> =>
  String(await asked(node, (redis) => redis.cluster('MYID')))

async function asked<T>({ address }: Service, ask: (redis: Redis) => Promise<T>): Promise<T> {
  // One that a test has frozen is passed over.
  const redis = new Redis(`redis://${address}`, { retryStrategy: null, commandTimeout: 1_000 })
  redis.on('error', () => {})
  try {
    return await ask(redis)
  } finally {
    redis.disconnect()
  }
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let left = 600; !(await holds()); left--) {
    if (left === 0) throw new Error('the nodes of a Redis Cluster did not find together within a minute')
    await sleep(100)
  }
}

/** The slots of one of so many primaries. */
function slotsOf(i: number, primaries: number): number[] {
  const [from, to] = [i, i + 1].map((n) => Math.floor((n * slots) / primaries)) as [number, number]
  return Array.from({ length: to - from }, (_, n) => from + n)
}

/** The port for its peers must be one, too. */
async function portWithBus(): Promise<number> {
  for (;;) {
    const port = await freePort()
    if (port + busOffset < 65_536) return port
  }
}
