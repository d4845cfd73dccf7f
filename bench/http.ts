import { setTimeout as sleep } from 'node:timers/promises'
import { build, type Histogram } from 'hdr-histogram-js'
import type { RedisStore } from '../src/adapters/redis-store.ts'
import { openStore } from '../src/apps/connect.ts'
import { note, print, printTable } from '../src/cli/output.ts'
import { loadFeatures } from '../src/config/definitions.ts'
import { partitionOf } from '../src/core/partition.ts'
import type { Transaction } from '../src/core/types.ts'
import { cpuSeconds } from '../test/helpers/process-usage.ts'
import { freePort } from '../test/helpers/services-ready.ts'
import { createTopics, openArena, prepareTurn, type Turn } from './arena.ts'
import { start } from './contestant.ts'
import type { HttpBenchOptions } from './http-options.ts'
import { decided, isReady, until } from './member.ts'
import { fillBacklog, payments } from './payments.ts'

const warmUpSeconds = 5
const idleSeconds = 5
const partitions = 4

/** Milliseconds, and CPU of the member in microseconds a request. */
interface Round {
  readonly score_p50_ms: number
  readonly score_p99_ms: number
  readonly store_p50_ms: number
  readonly store_p99_ms: number
  /** Of those that were answered. */
  readonly cpu_us: number
  /** Answered with 503: more in hand than `http.concurrent_scores`. */
  readonly refused: number
}

/**
 * Asks a member for scores at a fixed rate, and Redis for the same customers' states beside it, from this process: what
 * the machine does to one it does to the other.
 */
export async function benchHttp(options: HttpBenchOptions): Promise<void> {
  const arena = await openArena()
  try {
    const names = { name: 'weir', input: 'payments', httpPort: await freePort() }
    const turn = prepareTurn(arena, { batch: 2_000, partitions }, names)
    await createTopics(turn)
    const running = await start('weir', turn, 'live')
    try {
      const rounds = await Promise.race([running.failed, measure(turn, running.pid, options)])
      report(rounds)
      if (options.json) print(JSON.stringify({ rounds }))
    } finally {
      await running.stop()
    }
  } finally {
    await arena.stop()
  }
}

async function measure(turn: Turn, pid: number, options: HttpBenchOptions): Promise<Round[]> {
  const url = `http://127.0.0.1:${turn.config.http.port}`
  await until(() => isReady(url))
  const common = { file: undefined, map: undefined, ...options }
  await fillBacklog(turn, common)
  await until(async () => (await decided(url)) >= options.events)
  const all: Transaction[] = []
  for await (const payment of payments(common, options.events)) all.push(payment)
  const store = openStore(turn.config, loadFeatures(turn.config.features), () => {})
  try {
    const idle = await cpuOver(pid, () => sleep(idleSeconds * 1_000))
    await load(url, store, all, { ...options, seconds: warmUpSeconds })
    const rounds: Round[] = []
    for (let round = 0; round < options.rounds; round++) {
      let found: Omit<Round, 'cpu_us'> | undefined
      const used = await cpuOver(pid, async () => {
        found = await load(url, store, all, options)
      })
      const { refused, ...times } = found as Omit<Round, 'cpu_us'>
      const answered = options.rate - refused / options.seconds
      rounds.push({ ...times, cpu_us: Math.round(((used - idle) * 1e6) / answered), refused })
      note(`round ${round + 1}: ${JSON.stringify(rounds.at(-1))}`)
    }
    return rounds
  } finally {
    await store.close()
  }
}

/** One request of each at its time, whether or not the one before was answered. */
async function load(
  url: string,
  store: RedisStore,
  all: readonly Transaction[],
  { rate, seconds }: Pick<HttpBenchOptions, 'rate' | 'seconds'>,
): Promise<Omit<Round, 'cpu_us'>> {
  const [score, round] = [histogram(), histogram()]
  const began = performance.now()
  const waiting: Promise<void>[] = []
  let refused = 0
  for (let i = 0; i < rate * seconds; i++) {
    const due = began + (i * 1_000) / rate
    if (due > performance.now()) await sleep(due - performance.now())
    const payment = { ...(all[i % all.length] as Transaction), transaction_id: `asked-${i}` }
    waiting.push(
      timed(score, async () => {
        const isAnswered = await ask(url, payment)
        if (!isAnswered) refused++
        return isAnswered
      }),
    )
    const { customer_id } = payment
    const lane = { kind: 't', partition: partitionOf(customer_id, partitions) } as const
    waiting.push(timed(round, async () => (await store.peek(lane, [customer_id])).length === 1))
  }
  await Promise.all(waiting)
  const at = (of: Histogram, share: number) => of.getValueAtPercentile(share) / 1_000
  return {
    score_p50_ms: at(score, 50),
    score_p99_ms: at(score, 99),
    store_p50_ms: at(round, 50),
    store_p99_ms: at(round, 99),
    refused,
  }
}

/** @returns whether it was answered, not refused for load. */
async function ask(url: string, payment: Transaction): Promise<boolean> {
  const response = await fetch(`${url}/v1/score?record_timestamp=${payment.event_time}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(payment),
  })
  const text = await response.text()
  if (response.status === 503) return false
  if (response.status !== 200) throw new Error(`POST /v1/score: ${response.status} ${text}`)
  return true
}

/** What is refused has no time. */
async function timed(to: Histogram, work: () => Promise<boolean>): Promise<void> {
  const began = performance.now()
  if (!(await work())) return
  to.recordValue(Math.max(1, Math.round((performance.now() - began) * 1_000)))
}

const histogram = () => build({ highestTrackableValue: 60_000_000, numberOfSignificantValueDigits: 3 })

/** CPU seconds a second that a process takes while something is done. */
async function cpuOver(pid: number, work: () => Promise<unknown>): Promise<number> {
  const [before, began] = [cpuSeconds(pid), performance.now()]
  await work()
  return (cpuSeconds(pid) - before) / ((performance.now() - began) / 1_000)
}

function report(rounds: readonly Round[]): void {
  printTable(
    ['ROUND', 'SCORE P50 MS', 'P99', 'STORE P50 MS', 'P99', 'P99 ON TOP', 'CPU US/REQUEST', 'REFUSED'],
    rounds.map((round, i) => {
      const { score_p50_ms, score_p99_ms, store_p50_ms, store_p99_ms, cpu_us, refused } = round
      const times = [score_p50_ms, score_p99_ms, store_p50_ms, store_p99_ms, score_p99_ms - store_p99_ms]
      return [String(i + 1), ...times.map((ms) => ms.toFixed(2)), String(cpu_us), String(refused)]
    }),
    'numbers',
  )
}
