import { loadFeatures } from '../../src/config/definitions.ts'
import { statesPrefix } from '../../src/core/lane-keys.ts'
import { RedisCluster } from '../../test/helpers/redis-cluster.ts'
import type { Service } from '../../test/helpers/services.ts'
import type { Fault } from '../fault.ts'
import { type Loss, runLosses } from '../outages.ts'
import { openScene, type Scene, say } from '../scene.ts'

/** Longer than the others take to notice that a primary is away, and to put another in its place. */
const awaySeconds = 6

/** What befalls a cluster: each primary that is hit is one that has states of customers. */
function losses(cluster: RedisCluster, { config }: Scene, times: number): Loss[] {
  const prefix = statesPrefix(config.app, loadFeatures(config.features).layoutHash)
  const { partitions } = config.topics
  const keyOf = (partition: number) => `{${prefix}.t${partition % partitions}}`
  let hit: Service
  const next = async (i: number) => {
    hit = await cluster.ownerOf(keyOf(i))
    say(`hits ${hit.address}`)
  }
  const round = (i: number): Loss[] => [
    {
      name: 'primary_killed',
      seconds: awaySeconds,
      take: async () => {
        await next(i)
        await hit.kill()
      },
      giveBack: () => hit.restart(),
    },
    {
      name: 'primary_frozen',
      seconds: awaySeconds,
      take: async () => {
        await next(i + 1)
        process.kill(await hit.pid(), 'SIGSTOP')
      },
      giveBack: async () => void process.kill(await hit.pid(), 'SIGCONT'),
    },
    {
      name: 'slots_moved',
      seconds: 1,
      // Nothing is away: who asks is sent on.
      leastDegraded: 0,
      take: () => moveAll(cluster, partitions, keyOf),
      giveBack: () => moveAll(cluster, partitions, keyOf),
    },
  ]
  return Array.from({ length: times }, (_, i) => round(2 * i)).flat()
}

/** Moves each lane of customers to the primary of the next one. */
async function moveAll(
  cluster: RedisCluster,
  partitions: number,
  keyOf: (partition: number) => string,
): Promise<void> {
  for (let partition = 0; partition < partitions; partition++) {
    const [from, to] = [await cluster.ownerOf(keyOf(partition)), await cluster.ownerOf(keyOf(partition + 1))]
    if (from === to) continue
    await cluster.move(keyOf(partition), to)
    say(`lane ${partition} moved from ${from.address} to ${to.address}`)
  }
}

export const redisCluster: Fault = {
  name: 'redis-cluster',
  promise:
    'a Redis Cluster whose primaries die, freeze or give slots away: every payment is decided in time, on exact states once another primary has them',
  times: { whole: 5, short: 1 },
  async run({ seed, times }) {
    let cluster: RedisCluster | undefined
    const scene = await openScene({
      arrivalTimes: true,
      async startStore() {
        cluster = await RedisCluster.start(3, { replicas: 1 })
        const [first] = cluster.nodes as [Service]
        return {
          ...first,
          address: cluster.addresses.join(','),
          stop: () => (cluster as RedisCluster).stop(),
        }
      },
    })
    try {
      return await runLosses(scene, seed, losses(cluster as RedisCluster, scene, times))
    } finally {
      await scene.stop()
    }
  },
}
