import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { openContracts } from '../src/apps/connect.ts'
import { grouped, note, print } from '../src/cli/output.ts'
import { freePort } from '../test/helpers/services-ready.ts'
import { type Arena, createTopics, openArena, prepareTurn, type Turn } from './arena.ts'
import { measureBacklog } from './backlog.ts'
import { type Running, start, startReplay } from './contestant.ts'
import { benchExplain, explainUsage } from './explain.ts'
import { benchGpu } from './gpu.ts'
import { gpuUsage, readGpuOptions } from './gpu-options.ts'
import { benchHttp } from './http.ts'
import { httpUsage, readHttpOptions } from './http-options.ts'
import { type Latency, measureLatency } from './latency.ts'
import { type BenchOptions, type ContestantName, isWeir, readOptions, usage } from './options.ts'
import { checkOutputs } from './outputs.ts'
import { fillBacklog } from './payments.ts'
import { printProfile } from './profile.ts'
import { benchReplay } from './replay.ts'
import { readReplayOptions, replayUsage } from './replay-options.ts'
import { printResults, printResultsJson, type Result } from './report.ts'
import { benchRules } from './rules.ts'

/** Until a replay has loaded its model and reads. */
const replayStartMs = 4_000

const results = join(import.meta.dirname, 'results')

async function main(options: BenchOptions): Promise<void> {
  const arena = await openArena()
  try {
    const bench = new Bench(arena, options)
    await bench.fill()
    const found = new Map(options.contestants.map((name) => [name, bench.begin()]))
    for (let round = 1; round <= options.rounds; round++) {
      for (const [name, { turns }] of found) turns.push(await bench.backlogTurn(name, round))
    }
    for (const rate of options.rates) {
      for (const [name, { latency }] of found) latency.set(rate, await bench.latencyTurn(name, rate))
      if (options.beside > 0 && found.has('weir')) await bench.besideReplay(rate)
    }
    printResults(found)
    if (options.json) printResultsJson(found)
  } finally {
    await arena.stop()
  }
}

class Bench {
  readonly #arena: Arena
  readonly #options: BenchOptions
  #events = 0

  constructor(arena: Arena, options: BenchOptions) {
    this.#arena = arena
    this.#options = options
  }

  begin() {
    return { turns: [] as Result['turns'][number][], latency: new Map<number, Latency>() }
  }

  async fill(): Promise<void> {
    note(`writing ${grouped(this.#options.events)} payments`)
    this.#events = await fillBacklog(await this.#prepare('load', 'backlog'), this.#options)
  }

  /** One contestant, once over the whole backlog. */
  async backlogTurn(name: ContestantName, round: number): Promise<Result['turns'][number]> {
    const turn = await this.#prepare(`${name}.${round}`, 'backlog')
    const profiles = this.#options.profile ? join(results, `${Date.now()}`) : undefined
    if (profiles !== undefined) mkdirSync(profiles, { recursive: true })
    const { window, ...measured } = await withContestant(start(name, turn, profiles), (running) =>
      measureBacklog(this.#arena, turn, running, this.#events),
    )
    const { batch } = await checkOutputs(turn, await codecOf(name, turn), this.#events)
    note(
      `${turn.name}: ${measured.events_per_second.toFixed(0)} events/s, ${measured.cpu_s_per_100k.toFixed(2)} CPU s per 100,000`,
    )
    if (profiles !== undefined && isWeir(name)) printProfile(profiles, window)
    return { ...measured, batch }
  }

  async latencyTurn(name: ContestantName, rate: number, run = `at-${rate}`): Promise<Latency> {
    const turn = await this.#prepare(`${name}.${run}`, `live.${name}.${run}`)
    const latency = await withContestant(start(name, turn), async (running) =>
      measureLatency(turn, running, await codecOf(name, turn), rate, this.#options),
    )
    note(`${turn.name}: p50 ${latency.p50_ms} ms, p99 ${latency.p99_ms} ms`)
    return latency
  }

  /** The latency of weir while a replay reads the backlog from the same broker, on the same machine. */
  async besideReplay(rate: number): Promise<void> {
    const backlog = await this.#prepare('replay', 'backlog')
    const out = mkdtempSync(join(tmpdir(), 'weir-bench-'))
    const replay = startReplay(backlog, this.#options.beside, out)
    try {
      await Promise.race([replay.failed, sleep(replayStartMs)])
      note(`beside a replay at ${grouped(this.#options.beside)} payments/s:`)
      await Promise.race([replay.failed, this.latencyTurn('weir', rate, `beside-${rate}`)])
    } finally {
      await replay.stop()
      rmSync(out, { recursive: true })
    }
  }

  async #prepare(name: string, input: string): Promise<Turn> {
    const turn = prepareTurn(this.#arena, this.#options, { name, input, httpPort: await freePort() })
    await createTopics(turn)
    return turn
  }
}

async function withContestant<T>(running: Running, use: (running: Running) => Promise<T>): Promise<T> {
  try {
    return await use(running)
  } finally {
    await running.stop()
  }
}

/** weir writes decisions, the floors pass payments on. */
async function codecOf(name: ContestantName, { config }: Turn) {
  const { decisions, transactions } = await openContracts(config)
  return isWeir(name) ? decisions : transactions
}

try {
  const [part, ...args] = process.argv.slice(2)
  if (part === 'replay') {
    const options = readReplayOptions(args)
    if (options === 'help') print(replayUsage)
    else await benchReplay(options)
  } else if (part === 'explain') {
    if (args.includes('--help')) print(explainUsage)
    else await benchExplain(args)
  } else if (part === 'gpu') {
    const options = readGpuOptions(args)
    if (options === 'help') print(gpuUsage)
    else await benchGpu(options)
  } else if (part === 'rules') {
    await benchRules(args)
  } else if (part === 'http') {
    const options = readHttpOptions(args)
    if (options === 'help') print(httpUsage)
    else await benchHttp(options)
  } else {
    const options = readOptions(process.argv.slice(2))
    if (options === 'help') print(usage)
    else await main(options)
  }
} catch (error) {
  note(`error: ${(error as Error).message}`)
  process.exitCode = 1
}
