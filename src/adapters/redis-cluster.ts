import type { Socket } from 'node:net'
import { Cluster, Redis } from 'ioredis'
import { WeirError } from '../core/errors.ts'
import { coalesced } from './coalesced.ts'
import { unavailable } from './redis-errors.ts'
import { backoff, type ConnectionOptions } from './redis-options.ts'

/** Who has which slots is asked this often: a primary that is frozen tells nobody that another has its keys by now. */
const lookAroundMs = 2_000

export interface ClusterClient {
  readonly cluster: Cluster
  /**
   * Every node that has slots, connected or not.
   *
   * @throws WeirError WEIR_STORE_UNAVAILABLE where some slots are nobody's, or their owner cannot be reached.
   */
  primaries(): readonly Redis[]
  /** Why no node can be reached, which ioredis keeps to itself: what each says to somebody who connects. */
  explain(error: Error): Promise<Error>
  close(): void
}

/** @param nodes `host:port`, some of the cluster. */
export function connectCluster(nodes: readonly string[], redisOptions: ConnectionOptions): ClusterClient {
  const places = nodes.map(placeOf)
  let failures = 0
  const cluster = new Cluster(places, {
    redisOptions,
    scripts: redisOptions.scripts,
    enableOfflineQueue: false,
    // Its own count begins anew with nodes that answer and know of no other.
    clusterRetryStrategy: () => backoff(++failures),
    // A call that was cut off is not sent again, nor one that nobody takes until there is another primary.
    retryDelayOnFailover: 0,
    retryDelayOnClusterDown: 0,
    // What a part of the cluster cannot do, calls tell that need the part.
    enableReadyCheck: false,
    // As it is: a certificate is for the name, not for the address behind it. And at once: a pool that runs empty while
    // a name is looked up would go unnoticed.
    dnsLookup: (name, found) => found(null, name),
  })
  // Before the first call: that would wait for the connection in the node, and all others be refused.
  const connect = (node: Redis) => {
    if (cluster.status === 'ready' && node.status === 'wait') node.connect().catch(() => {})
  }
  cluster.on('+node', (node: Redis) => {
    node.on('connect', () => coalesced(node.stream as Socket))
    // Nobody in ioredis waits for the answer to ASKING: as a rejection without a handler, a refusal or a lost connection
    // would end the process. The call that follows it tells.
    const { asking } = node
    node.asking = () => asking.call(node).catch(() => 'OK')
    // A replica that may be read would answer where no primary is left, with what it had.
    node.readonly = node.readwrite = async () => 'OK'
    connect(node)
  })
  cluster.on('ready', () => {
    if (cluster.nodes().length > 0) failures = 0
    cluster.nodes().forEach(connect)
  })
  const looking = lookAround(cluster)
  const probes = new Set<Redis>()
  return {
    cluster,
    primaries: () => primariesOf(cluster),
    async explain(error) {
      const reasons = await Promise.all(places.map((place) => refusalOf(place, redisOptions, probes)))
      const { lastNodeError } = error as { lastNodeError?: Error | null }
      const known = [...reasons, lastNodeError, error].filter((reason) => reason != null)
      return known.find((reason) => !unavailable(reason).retriable) ?? (known[0] as Error)
    },
    close() {
      looking.stop()
      for (const probe of probes) probe.disconnect()
      cluster.disconnect()
    },
  }
}

/**
 * Asks who has which slots, now and then and soon after a connection was lost. ioredis's own timer for it
 * (`slotsRefreshInterval`) goes on for ever where it is closed while it asks.
 */
function lookAround(cluster: Cluster): { stop(): void } {
  let isStopped = false
  let timer: NodeJS.Timeout | undefined
  let losses = 0
  const lookIn = (ms: number, look: () => void) => {
    clearTimeout(timer)
    if (!isStopped) timer = setTimeout(look, ms).unref()
  }
  const look = () => {
    const lookLater = () => lookIn(lookAroundMs, lookAgain)
    if (cluster.status !== 'ready') return lookLater()
    cluster.refreshSlotsCache((error) => {
      // Back to the nodes of the configuration: all may be elsewhere by now.
      if (error != null && !isStopped && cluster.status === 'ready') cluster.disconnect(true)
      lookLater()
    })
  }
  const lookAgain = () => {
    losses = 0
    look()
  }
  cluster.on('-node', () => lookIn(backoff(++losses), look))
  lookIn(lookAroundMs, look)
  return {
    stop() {
      isStopped = true
      clearTimeout(timer)
    },
  }
}

const slots = 16_384

function primariesOf(cluster: Cluster): Redis[] {
  const connected = new Map(cluster.nodes('master').map((node) => [addressOf(node), node]))
  const owners = new Set<string | undefined>()
  for (let slot = 0; slot < slots; slot++) owners.add(cluster.slots[slot]?.[0])
  return Array.from(owners, (owner) => {
    if (owner === undefined) throw slotless("Some slots of the Redis Cluster are nobody's")
    const node = connected.get(owner)
    if (node === undefined) throw unavailable(new Error('there is no connection'), `Redis ${owner}`)
    return node
  })
}

/** A cluster that is not one, or not yet. @param what begins a sentence. */
export const slotless = (what = 'A node of redis.cluster_nodes knows of no slots'): WeirError =>
  new WeirError('WEIR_STORE_UNAVAILABLE', `${what}.`, {
    cure: 'Form the cluster (`redis-cli --cluster`); a node that does not know its own address needs cluster-announce-ip.',
    retriable: true,
  })

export const addressOf = ({ options: { host, port } }: Redis): string => `${host}:${port}`

/** What a node says to somebody who connects; undefined where it lets them. */
async function refusalOf(
  place: ReturnType<typeof placeOf>,
  options: ConnectionOptions,
  probes: Set<Redis>,
): Promise<Error | undefined> {
  const probe = new Redis({ ...options, ...place, lazyConnect: true, retryStrategy: null })
  probes.add(probe)
  let first: Error | undefined
  probe.on('error', (error) => {
    first ??= error
  })
  await probe.connect().catch(() => {})
  probe.disconnect()
  probes.delete(probe)
  return first
}

/** @param node `host:port`, an IPv6 address in brackets. */
function placeOf(node: string): { host: string; port: number } {
  const at = node.lastIndexOf(':')
  return { host: node.slice(0, at).replace(/^\[(.*)\]$/, '$1'), port: Number(node.slice(at + 1)) }
}
