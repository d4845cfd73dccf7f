import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import type { Service } from '../../test/helpers/services.ts'
import { localRedis } from '../../test/helpers/services-local.ts'
import type { Fault, Outcome } from '../fault.ts'
import { type Loss, rate, runLosses } from '../outages.ts'
import { openScene, reachedOf, say } from '../scene.ts'
import { SlowProxy } from '../slow-proxy.ts'

/** How late the replica hears of writes when its primary dies. */
const lagMs = 1_500

/** The address that members know, whatever server is behind it; each of these has its own link for a replica. */
class Servers {
  readonly all: Service[] = []
  readonly links: SlowProxy[] = []
  proxy!: SlowProxy
  current!: Service
  /** Records that the states lacked when another server took over, all times together. */
  behind = 0

  async open(): Promise<Service> {
    this.current = await this.add()
    this.proxy = await SlowProxy.open(this.current.address)
    return {
      ...this.current,
      address: this.proxy.address,
      kill: () => this.current.kill(),
      stop: () => this.stop(),
    }
  }

  async add(): Promise<Service> {
    const server = await localRedis({})
    this.all.push(server)
    return server
  }

  async stop(): Promise<void> {
    for (const proxy of [this.proxy, ...this.links]) proxy.close()
    await Promise.all(this.all.map((server) => server.stop()))
  }

  /** A new server that follows the current one over a link of its own, and has all that it has. */
  async follow(): Promise<{ readonly replica: Service; readonly link: SlowProxy }> {
    const [replica, link] = [await this.add(), await SlowProxy.open(this.current.address)]
    this.links.push(link)
    const [host = '', port = ''] = link.address.split(':')
    await using(replica, async (redis) => {
      await redis.replicaof(host, port)
      while (!/master_link_status:up/.test(await redis.info('replication'))) await sleep(50)
    })
    return { replica, link }
  }

  /** From now on this one is behind the address, the one of before is dead. */
  async takeOver(successor: Service, promote: boolean): Promise<void> {
    const before = await using(this.current, (redis) => reachedOf([redis]))
    await this.current.kill()
    if (promote) await using(successor, (redis) => redis.replicaof('NO', 'ONE'))
    const after = await using(successor, (redis) => reachedOf([redis]))
    this.behind += before - after
    say(`the states are ${before - after} records behind`)
    this.current = successor
    this.proxy.moveTo(successor.address)
  }
}

async function using<T>({ address }: Service, work: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis(`redis://${address}`)
  try {
    return await work(redis)
  } finally {
    redis.disconnect()
  }
}

/** A copy of what Redis has is put away, and put in its place later, when members have gone on. */
function restored(servers: Servers, seconds: number): Loss {
  let copy: Service
  return {
    name: 'restored',
    seconds,
    async take() {
      copy = (await servers.follow()).replica
      await using(copy, (redis) => redis.replicaof('NO', 'ONE'))
    },
    giveBack: () => servers.takeOver(copy, false),
  }
}

/** The primary dies while its replica lags, and the replica becomes the primary. */
function promoted(servers: Servers): Loss {
  let replica: Service
  return {
    name: 'promoted',
    seconds: 3,
    async take() {
      const followed = await servers.follow()
      replica = followed.replica
      followed.link.delayMs = lagMs
    },
    giveBack: () => servers.takeOver(replica, true),
  }
}

export const redisBehind: Fault = {
  name: 'redis-behind',
  promise:
    'states that are behind (a dump of 10 s ago put back, a replica promoted that lagged) are made up for from the log; nothing is decided on them before',
  times: { whole: 5, short: 1 },
  async run({ seed, times }): Promise<Outcome> {
    const servers = new Servers()
    const scene = await openScene({ arrivalTimes: true, startStore: () => servers.open() })
    try {
      const losses = Array.from({ length: times }, () => [
        restored(servers, times > 1 ? 10 : 5),
        promoted(servers),
      ])
      const outcome = await runLosses(scene, seed, losses.flat())
      const { figures, breaches } = outcome
      const least = (rate / 3) * losses.length * 2
      return {
        ...outcome,
        figures: { ...figures, behind_records: servers.behind },
        breaches:
          servers.behind >= least
            ? breaches
            : [
                ...breaches,
                `the states were ${servers.behind} records behind, ${least} were due: it proved little`,
              ],
      }
    } finally {
      await scene.stop()
    }
  },
}
