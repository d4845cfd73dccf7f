import { setTimeout as sleep } from 'node:timers/promises'
import { type Connection, withConnection } from '../../src/apps/connect.ts'
import { createTopicSink } from '../../src/cli/sink.ts'
import type { Config } from '../../src/config/schema.ts'
import { type Generated, generate } from '../../src/generator/generate.ts'
import { Breaches, breachesOf, type Fault } from '../fault.ts'
import { type Cost, LosableStore } from '../lost-store.ts'
import { MemberProcess } from '../member-process.ts'
import { judge, openScene, type Scene, say } from '../scene.ts'

/** The long history has so many times the events of the short one, of the same customers. */
const longer = 4
const customers = 2_000
/** What a partition must be rebuilt at from its log, events a second of CPU: neighbours on the machine do not count. */
const leastRate = 10_000
/** Thousands of events of the short history. Of a smaller one, figures tell more of the beginning than of the states. */
const whole = 50
const silent = { add() {}, reach() {}, stop: () => ({ count: 0, seconds: 0 }) }

/** Sends so many of the payments, with their labels, as fast as the broker takes them. */
async function feed(
  connection: Connection,
  config: Config,
  items: Iterator<Generated>,
  payments: number,
): Promise<void> {
  const sink = await createTopicSink(connection, config.topics, { rate: 0, progress: silent })
  for (let sent = 0; sent < payments; ) {
    const item = items.next().value as Generated
    if (item.kind === 'label') await sink.label(item.label, item.time)
    if (item.kind !== 'transaction') continue
    await sink.transaction(item.transaction, item.time)
    sent++
  }
  await sink.close()
}

/** Waits until the broker has compacted what it will. Resolves with the number of records that are left. */
async function compaction({ log }: Connection, config: Config): Promise<number> {
  const at = { topic: config.topics.features as string, partition: 0 }
  const count = async () => {
    const { first, end } = await log.bounds(at)
    let records = 0
    for await (const some of log.read(at, first, end)) records += some.length
    return records
  }
  for (let before = await count(); ; ) {
    await sleep(6_000)
    const now = await count()
    if (now === before) return now
    before = now
  }
}

interface Losses {
  /** How often a member was killed in the midst of it. */
  readonly killed: number
  readonly changelog: Cost
  readonly log: Cost
}

/** Loses the store three times: with the changelog, with it and a member that dies meanwhile, and without. */
async function lose({ env }: Scene, store: LosableStore, member: MemberProcess): Promise<Losses> {
  let [current, killed] = [member, 0]
  const told = (way: string, cost: Cost): Cost => {
    say(`${way}: ${cost.states} states whole after ${cost.seconds.toFixed(2)} s`)
    if (cost.differing.length === 0) return cost
    throw new Error(
      `${way}: ${cost.differing.length} states differ from those before, ${cost.differing[0]} for one`,
    )
  }
  const changelog = told('from the changelog', await store.lose(() => current))
  const die = async () => {
    current.signal('SIGKILL')
    await current.exit()
    current = new MemberProcess(env)
    killed++
  }
  told('from the changelog, by the heir of one that died', await store.lose(() => current, die))
  await current.stop()

  current = new MemberProcess({ ...env, WEIR_TOPICS__FEATURES: 'null' })
  const log = told('from the log', await store.lose(() => current))
  await current.stop()
  return { killed, changelog, log }
}

const round = (seconds: number): number => Math.round(seconds * 100) / 100

const figuresOf = (history: string, events: number, records: number, { changelog, log }: Losses) => ({
  [`${history}_events`]: events,
  [`${history}_states`]: changelog.states,
  [`${history}_changelog_records`]: records,
  [`${history}_changelog_s`]: round(changelog.seconds),
  [`${history}_changelog_cpu_s`]: round(changelog.cpuSeconds),
  [`${history}_log_s`]: round(log.seconds),
  [`${history}_log_cpu_s`]: round(log.cpuSeconds),
  [`${history}_log_events_per_s`]: Math.round(events / log.customersSeconds),
  [`${history}_log_events_per_cpu_s`]: Math.round(events / log.cpuSeconds),
})

/** Two histories one after the other on one installation, and what it costs to lose its store after each. */
async function bothHistories(
  scene: Scene,
  connection: Connection,
  seed: number,
  [short, long]: [number, number],
) {
  const { config, env } = scene
  const items = generate({ seed, events: Number.MAX_SAFE_INTEGER, customers })[Symbol.iterator]()
  const store = new LosableStore(config, connection)
  const grow = async (payments: number) => {
    const member = new MemberProcess(env)
    await feed(connection, config, items, payments)
    await store.rest()
    const records = await compaction(connection, config)
    return { records, ...(await lose(scene, store, member)) }
  }
  try {
    return [await grow(short), await grow(long - short)] as const
  } finally {
    store.close()
  }
}

export const changelog: Fault = {
  name: 'changelog',
  promise:
    'a lost Redis comes back byte for byte, from the log at 10,000 events a second or from the changelog at a cost that follows the states, and so it does where a member dies meanwhile',
  times: { whole, short: 5 },
  async run({ seed, times }) {
    const scene = await openScene({
      kafka: { 'log.cleaner.backoff.ms': '1000' },
      // One partition, so that what is measured is of one.
      env: {
        WEIR_TOPICS__PARTITIONS: '1',
        WEIR_TOPICS__FEATURES: 'weir.features.v1',
        WEIR_CHUNK__MAX_RECORDS: '2000',
      },
    })
    const [short, long] = [times * 1_000, times * 1_000 * longer]
    try {
      const [before, after] = await withConnection(scene.config, (connection) =>
        bothHistories(scene, connection, seed, [short, long]),
      )
      const killed = before.killed + after.killed
      const figures = {
        killed_while_restoring: killed,
        ...figuresOf('short', short, before.records, before),
        ...figuresOf('long', long, after.records, after),
      }
      const breaches = new Breaches()
      breaches.must(killed === 2, `${killed} members were killed while restoring, not 2`)
      if (times >= whole) {
        const rate = long / after.log.cpuSeconds
        breaches.must(rate >= leastRate, `rebuilt at ${rate} events/s, ${leastRate} were promised`)
        const [few, many] = [before.changelog.cpuSeconds, after.changelog.cpuSeconds]
        breaches.must(many <= 2 * few, `the changelog took ${few} s, and ${many} s after the long history`)
      }
      const verdict = await judge(scene.config)
      return { injected: 6, verdict, figures, breaches: [...breachesOf(verdict), ...breaches.all] }
    } finally {
      await scene.stop()
    }
  },
}
