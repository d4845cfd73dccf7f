import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Codec } from '../src/adapters/avro.ts'
import { openContracts } from '../src/apps/connect.ts'
import { grouped, note, print } from '../src/cli/output.ts'
import { freePort } from '../test/helpers/services-ready.ts'
import { type Arena, createTopics, openArena, prepareTurn, type Turn } from './arena.ts'
import { measureBacklog } from './backlog.ts'
import { Comparison } from './comparison.ts'
import { type Running, start, startReplay } from './contestant.ts'
import { benchExplain, explainUsage } from './explain.ts'
import { benchGpu } from './gpu.ts'
import { gpuUsage, readGpuOptions } from './gpu-options.ts'
import { benchHttp } from './http.ts'
import { httpUsage, readHttpOptions } from './http-options.ts'
import { type Latency, measureLatency } from './latency.ts'
import { aboutOf, type BenchOptions, type ContestantName, isWeir, readOptions, usage } from './options.ts'
import { type Answer, checkOutputs } from './outputs.ts'
import { fillBacklog, payments } from './payments.ts'
import { pictureOf } from './picture.ts'
import { printProfile } from './profile.ts'
import { type Reference, referenceFor } from './reference.ts'
import { benchReplay } from './replay.ts'
import { readReplayOptions, replayUsage } from './replay-options.ts'
import { printResults, type Result, type Results, resultsOf } from './report.ts'
import { benchRules } from './rules.ts'
import { benchScale } from './scale.ts'
import { benchSizes } from './sizes.ts'
import { benchStart } from './start.ts'

/** Until a replay has loaded its model and reads. */
const replayStartMs = 4_000

const results = join(import.meta.dirname, 'results')

async function main(options: BenchOptions): Promise<void> {
  const arena = await openArena(options)
  try {
    const bench = new Bench(arena, options)
    await bench.fill()
    const found = new Map(options.contestants.map((name) => [name, bench.begin(name)]))
    for (let round = 1; round <= options.rounds; round++) {
      for (const [name, { turns }] of found) turns.push(await bench.backlogTurn(name, round))
    }
    for (const rate of options.rates) {
      for (const [name, { latency }] of found) latency.set(rate, await bench.latencyTurn(name, rate))
      if (options.beside > 0 && found.has('weir')) await bench.besideReplay(rate)
    }
    printResults(found)
    keep(found)
    if (options.json) print(JSON.stringify(resultsOf(found)))
  } finally {
    await arena.stop()
  }
}

/** The figures as a file, and as a picture. */
function keep(found: Results): void {
  mkdirSync(results, { recursive: true })
  const path = join(results, `live-${Date.now()}`)
  writeFileSync(`${path}.json`, `${JSON.stringify(resultsOf(found))}\n`)
  writeFileSync(`${path}.svg`, pictureOf(found))
  note(`${path}.json and .svg have the figures`)
}

class Bench {
  readonly #arena: Arena
  readonly #options: BenchOptions
  #events = 0
  #reference: Reference | undefined

  constructor(arena: Arena, options: BenchOptions) {
    this.#arena = arena
    this.#options = options
  }

  begin(name: ContestantName) {
    return {
      events: this.#eventsOf(name),
      turns: [] as Result['turns'][number][],
      latency: new Map<number, Latency | null>(),
    }
  }

  /** Writes a backlog of each length that a contestant asks for, and decides the longest to compare with. */
  async fill(): Promise<void> {
    const names = this.#options.contestants
    this.#events = await this.#write('backlog', Math.max(...names.map((name) => aboutOf(name).most)))
    for (const most of new Set(names.map((name) => this.#eventsOf(name)))) {
      if (most < this.#events) await this.#write(`backlog-${most}`, most)
    }
    note('deciding them by replay, to compare with')
    const { config } = await this.#prepare('reference', 'backlog')
    this.#reference = await referenceFor(config, payments(this.#options, this.#events))
  }

  /** @returns how many payments there are: no more than the options say, nor than the file has. */
  async #write(topic: string, most: number): Promise<number> {
    const events = Math.min(this.#options.events, most)
    note(`writing ${grouped(events)} payments`)
    return fillBacklog(await this.#prepare(`load-${topic}`, topic), { ...this.#options, events })
  }

  #eventsOf(name: ContestantName): number {
    return Math.min(this.#events, aboutOf(name).most)
  }

  #backlogOf(name: ContestantName): string {
    const events = this.#eventsOf(name)
    return events < this.#events ? `backlog-${events}` : 'backlog'
  }

  /** One contestant, once over the whole backlog. */
  async backlogTurn(name: ContestantName, round: number): Promise<Result['turns'][number]> {
    const events = this.#eventsOf(name)
    const turn = await this.#prepare(`${name}.${round}`, this.#backlogOf(name))
    const profiles = this.#options.profile ? join(results, `${Date.now()}`) : undefined
    if (profiles !== undefined) mkdirSync(profiles, { recursive: true })
    const { window, ...measured } = await withContestant(
      await start(name, turn, 'backlog', profiles),
      (running) =>
        measureBacklog(this.#arena, turn, running, { events, relays: aboutOf(name).relays === true }),
    )
    const comparison =
      aboutOf(name).answers === 'decisions' ? new Comparison(turn.name, this.#reference as Reference) : null
    const { batch } = await checkOutputs(turn, await codecOf(name, turn), events, comparison)
    note(
      `${turn.name}: ${measured.events_per_second.toFixed(0)} events/s, ${measured.cpu_s_per_100k.toFixed(2)} CPU s per 100,000`,
    )
    if (profiles !== undefined && isWeir(name)) printProfile(profiles, window)
    return { ...measured, batch, compared: comparison?.compared ?? null }
  }

  async latencyTurn(name: ContestantName, rate: number, run = `at-${rate}`): Promise<Latency | null> {
    const turn = await this.#prepare(`${name}.${run}`, `live.${name}.${run}`)
    const latency = await withContestant(await start(name, turn, 'live'), async (running) =>
      measureLatency(turn, running, await codecOf(name, turn), rate, this.#options),
    )
    note(
      latency === null
        ? `${turn.name}: cannot keep up`
        : `${turn.name}: p50 ${latency.p50_ms} ms, p99 ${latency.p99_ms} ms`,
    )
    return latency
  }

  /** The latency of weir while a replay reads the backlog from the same broker, on the same machine. */
  async besideReplay(rate: number): Promise<void> {
    const backlog = await this.#prepare('replay', this.#backlogOf('weir'))
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

async function codecOf(name: ContestantName, { config }: Turn): Promise<Codec<Answer>> {
  return (await openContracts(config))[aboutOf(name).answers]
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
  } else if (part === 'scale') {
    benchScale(args)
  } else if (part === 'start') {
    await benchStart(args)
  } else if (part === 'sizes') {
    await benchSizes(args)
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
  // What watches a contestant that failed would go on for a minute or for ever.
  process.exit(1)
}
