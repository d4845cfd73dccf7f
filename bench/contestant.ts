import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { fetchSettings } from '../src/adapters/kafka-subscription.ts'
import { guard } from '../test/helpers/services-guard.ts'
import type { Turn } from './arena.ts'
import type { FloorOptions } from './floor.ts'
import { type ContestantName, isWeir } from './options.ts'

/** A contestant at work. */
export interface Running {
  readonly pid: number
  /** Rejects, with what it last said, when it ends before it is told to. */
  readonly failed: Promise<never>
  /** Tells it to stop and waits until it has. */
  stop(): Promise<void>
}

const root = fileURLToPath(new URL('..', import.meta.url))

/** @param profileTo folder for a CPU profile of weir. */
export function start(name: ContestantName, turn: Turn, profileTo?: string): Running {
  const profiling =
    profileTo === undefined || !isWeir(name)
      ? []
      : ['--cpu-prof', `--cpu-prof-dir=${profileTo}`, '--cpu-prof-interval=500']
  const program = isWeir(name)
    ? ['src/main.ts', 'stream']
    : ['bench/floor.ts', JSON.stringify(floorOptions(turn, name === 'floor-grouped'))]
  return run([...profiling, ...program], turn.env)
}

function floorOptions({ name, config }: Turn, grouped: boolean): FloorOptions {
  return {
    brokers: config.kafka.brokers,
    group: name,
    input: config.topics.transactions,
    output: config.topics.decisions,
    batch: config.chunk.max_records,
    concurrency: config.chunk.concurrency,
    grouped,
    fetch: fetchSettings,
  }
}

/** A replay of the topic that `turn` names, at so many payments a second. */
export function startReplay({ env }: Turn, rate: number, out: string): Running {
  const args = ['replay', 'topic', '--rate', String(rate), '--out', out]
  return run(['src/main.ts', ...args], env)
}

const wordsKept = 4_000

function run(args: readonly string[], env: Turn['env']): Running {
  const child = spawn(process.execPath, ['--disable-warning=TimeoutNegativeWarning', ...args], {
    cwd: root,
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const unguard = guard('kill -9 "$1"', String(child.pid))
  let words = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    words = (words + text).slice(-wordsKept)
  })
  const exited = once(child, 'exit')
  let stopping = false
  const failed = exited.then(async ([code, signal]) => {
    if (stopping) return new Promise<never>(() => {})
    throw new Error(`${args.at(-1)} ended (${code ?? signal}):\n${words}`)
  })
  failed.catch(() => {})
  return {
    pid: child.pid as number,
    failed,
    async stop() {
      stopping = true
      child.kill('SIGTERM')
      await exited
      await unguard()
    },
  }
}
