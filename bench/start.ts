import { parseArgs } from 'node:util'
import { grouped, note, print, printTable } from '../src/cli/output.ts'
import { cpuSeconds, residentMiB } from '../test/helpers/process-usage.ts'
import { freePort } from '../test/helpers/services-ready.ts'
import { createTopics, openArena, prepareTurn, type Turn } from './arena.ts'
import { start } from './contestant.ts'
import { spread } from './median.ts'
import { decided, isReady, until } from './member.ts'
import { whole } from './options.ts'
import { fillBacklog } from './payments.ts'

const usage = `npm run bench -- start [options]

  --events N     payments decided before, so that the store is warm (20000)
  --rounds N     starts (7)
  --json         the results as one line of JSON, last
  --help`

const partitions = 4
const lookEveryMs = 10

/** Of a member, when it was ready. */
interface Started {
  /** Seconds since its process was started. */
  readonly ready_s: number
  readonly cpu_s: number
  readonly rss_mib: number
}

/** How long a member takes from the start of its process until it is ready, where the store has all states. */
export async function benchStart(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      events: { type: 'string', default: '20000' },
      rounds: { type: 'string', default: '7' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return print(usage)
  const [events, rounds] = [whole('events', values.events), whole('rounds', values.rounds)]
  const arena = await openArena()
  try {
    const names = { name: 'weir', input: 'payments', httpPort: await freePort() }
    const turn = prepareTurn(arena, { batch: 2_000, partitions }, names)
    await createTopics(turn)
    note(`deciding ${grouped(events)} payments`)
    await fillBacklog(turn, { events, seed: 1, customers: 2_000, file: undefined, map: undefined })
    await withMember(turn, (url) => until(async () => (await decided(url)) >= events))
    const found: Started[] = []
    for (let round = 0; round < rounds; round++) {
      const began = performance.now()
      const started = await withMember(turn, async (url, pid) => {
        await until(() => isReady(url), lookEveryMs)
        const ready_s = (performance.now() - began) / 1_000
        return { ready_s, cpu_s: cpuSeconds(pid), rss_mib: residentMiB(pid) }
      })
      found.push(started)
    }
    const of = (field: keyof Started) => found.map((one) => one[field])
    printTable(
      ['READY AFTER S', 'CPU S', 'RSS MIB'],
      [[spread(of('ready_s'), 2), spread(of('cpu_s'), 2), spread(of('rss_mib'), 0)]],
    )
    if (values.json) print(JSON.stringify({ starts: found }))
  } finally {
    await arena.stop()
  }
}

async function withMember<T>(turn: Turn, use: (url: string, pid: number) => Promise<T>): Promise<T> {
  const running = await start('weir', turn, 'live')
  try {
    return await Promise.race([running.failed, use(`http://127.0.0.1:${turn.config.http.port}`, running.pid)])
  } finally {
    await running.stop()
  }
}
