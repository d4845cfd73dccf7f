import { setTimeout as sleep } from 'node:timers/promises'
import { createKafkaClient } from '../src/adapters/kafka-client.ts'
import type { Arena, Turn } from './arena.ts'
import type { Running } from './contestant.ts'
import { Processes } from './family-usage.ts'

const parties = ['application', 'broker', 'redis'] as const
type PerParty = Readonly<Record<(typeof parties)[number], number>>

/** What a contestant did with the backlog. */
export interface Measured {
  readonly events_per_second: number
  /** CPU seconds for 100,000 payments. */
  readonly cpu_s_per_100k: number
  readonly broker_cpu_s_per_100k: number
  readonly redis_cpu_s_per_100k: number
  readonly rss_mib: number
  /** The measured part, microseconds on the clock of `process.hrtime`. */
  readonly window: { readonly from: number; readonly to: number }
}

interface Look {
  /** Microseconds. */
  readonly at: number
  /** Payments behind the group's position. */
  readonly payments: number
  /** Moves whenever the group got on with anything, topics of its own included. */
  readonly moved: number
  readonly cpu: PerParty
  readonly rss: number
}

/**
 * Until then everything warms up: connections, the first pages of the store, and for longest the compilers, which work
 * on weir for some 100,000 payments.
 */
const warmUp = 0.5
const lookEveryMs = 200
/** Nothing has moved for so long: the work is done. */
const quietUs = 3_000_000

/**
 * Watches a contestant go through the backlog: from the look at which a half of it was done to the look at which
 * nothing moved any more. So start-up, and the wait for silence, count for nothing.
 *
 * @param relays see `reckon`.
 */
export async function measureBacklog(
  arena: Arena,
  { config, name }: Turn,
  running: Running,
  { events, relays }: { readonly events: number; readonly relays: boolean },
): Promise<Measured> {
  const admin = createKafkaClient({ brokers: config.kafka.brokers }, { retries: 12 }).admin()
  await admin.connect()
  const { transactions } = config.topics
  const pids: Readonly<Record<(typeof parties)[number], readonly number[]>> = {
    application: [running.pid],
    broker: [await arena.kafka.pid()],
    redis: await Promise.all(arena.redis.map((server) => server.pid())),
  }

  /** A broker that has just begun knows groups only after a while, and the client does not wait for that. */
  const positions = async (tries = 50): ReturnType<typeof admin.fetchOffsets> => {
    try {
      // Of all its topics: those inside of a contestant, too.
      return await admin.fetchOffsets({ groupId: name })
    } catch (error) {
      if (tries === 0) throw error
      await sleep(lookEveryMs)
      return positions(tries - 1)
    }
  }

  const look = async (): Promise<Look> => {
    const found = await positions()
    const processes = new Processes()
    const cpuOf = (party: (typeof parties)[number]) =>
      pids[party].reduce((sum, pid) => sum + processes.cpuSeconds(pid), 0)
    const sumOf = (topics: typeof found) =>
      topics
        .flatMap(({ partitions }) => partitions)
        .reduce((sum, { offset }) => sum + Math.max(0, Number(offset)), 0)
    return {
      at: performance.now() * 1_000 + clockStartUs,
      payments: sumOf(found.filter(({ topic }) => topic === transactions)),
      moved: sumOf(found),
      cpu: Object.fromEntries(parties.map((party) => [party, cpuOf(party)])) as PerParty,
      rss: processes.residentMiB(running.pid),
    }
  }

  try {
    const looks = await Promise.race([running.failed, untilQuiet(look, events)])
    return reckon(looks, events, relays)
  } finally {
    await admin.disconnect()
  }
}

/** `performance.now()` counts from the start of this process, the profiler from that of the machine. */
const clockStartUs = Number(process.hrtime.bigint()) / 1_000 - performance.now() * 1_000

/** Nothing has moved for so long, and the work is not done. */
const stuckUs = 120_000_000

/** All looks until nothing has moved for a while. */
async function untilQuiet(look: () => Promise<Look>, events: number): Promise<Look[]> {
  const looks = [await look()]
  let lastMove = looks[0] as Look
  for (;;) {
    const now = await look()
    looks.push(now)
    if (now.moved > lastMove.moved) lastMove = now
    else if (now.payments >= events && now.at - lastMove.at > quietUs) return looks
    if (now.at - lastMove.at > stuckUs) throw new Error(`stuck at ${now.payments} of ${events} payments`)
    await sleep(lookEveryMs)
  }
}

/**
 * From the look at which a half of the work was done to the last at which something had moved.
 *
 * @param relays whether payments lie on topics of the contestant's own between input and decision: then what is done is
 * told from how far it got with all topics.
 */
function reckon(looks: readonly Look[], events: number, relays: boolean): Measured {
  const { moved } = looks.at(-1) as Look
  const done = (look: Look) => (relays ? (look.moved / moved) * events : look.payments)
  const first = looks.find((look) => done(look) >= warmUp * events) as Look
  const last = looks.find((look) => look.moved === moved) as Look
  const decided = looks.find((look) => done(look) >= events) as Look
  const payments = done(last) - done(first)
  if (payments < events / 4) throw new Error('too few payments for a measurement: raise --events')
  const per100k = (party: (typeof parties)[number]) =>
    ((last.cpu[party] - first.cpu[party]) / payments) * 100_000
  return {
    events_per_second: (payments / (decided.at - first.at)) * 1e6,
    cpu_s_per_100k: per100k('application'),
    broker_cpu_s_per_100k: per100k('broker'),
    redis_cpu_s_per_100k: per100k('redis'),
    rss_mib: Math.max(...looks.filter(({ at }) => at >= first.at && at <= last.at).map(({ rss }) => rss)),
    window: { from: first.at, to: last.at },
  }
}
