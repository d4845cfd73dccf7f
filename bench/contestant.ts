import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { fetchSettings } from '../src/adapters/kafka-subscription.ts'
import { imageEnv } from '../test/helpers/image-env.ts'
import { guard } from '../test/helpers/services-guard.ts'
import type { Turn } from './arena.ts'
import type { FloorOptions } from './floor.ts'
import { buildKafkaStreams, kafkaStreams } from './kafka-streams.ts'
import { type ContestantName, isFloor, isWeir } from './options.ts'
import { type Pace, peerOptions } from './peer-options.ts'
import { peerPython } from './peer-python.ts'

/** A contestant at work. */
export interface Running {
  readonly pid: number
  /** Rejects, with what it last said, when it ends before it is told to. */
  readonly failed: Promise<never>
  /** Tells it to stop and waits until it has. */
  stop(): Promise<void>
}

const root = fileURLToPath(new URL('..', import.meta.url))

/** A backlog asks for large batches, a live stream for short waits; the others than weir must be told which it is. */
const paces = {
  backlog: { commitMs: 1_000, waitMs: 200 },
  live: { commitMs: 100, waitMs: 20 },
} as const satisfies Readonly<Record<string, Pace>>

const node = [process.execPath, '--disable-warning=TimeoutNegativeWarning'] as const

/**
 * @param kind of the turn.
 * @param profileTo folder for a CPU profile of weir.
 */
export async function start(
  name: ContestantName,
  turn: Turn,
  kind: keyof typeof paces,
  profileTo?: string,
): Promise<Running> {
  if (isWeir(name)) {
    const profiling =
      profileTo === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileTo}`, '--cpu-prof-interval=500']
    return run([...node, ...profiling, 'src/main.js', 'stream'], { ...imageEnv, ...turn.env })
  }
  if (isFloor(name)) {
    const options = floorOptions(turn, name === 'floor-grouped')
    return run([...node, 'bench/floor.ts', JSON.stringify(options)], turn.env)
  }
  if (name === 'kafka-streams') await buildKafkaStreams()
  const options = JSON.stringify(await peerOptions(turn, paces[kind]))
  return run([...peers[name](), options], turn.env)
}

/** The command lines of the others, which get PeerOptions behind them. */
const peers = {
  naive: () => [...node, 'bench/peers/naive.ts'],
  'kafka-streams': kafkaStreams,
  python: () => peerPython('batched.py'),
  quix: () => peerPython('streaming.py'),
} as const

function floorOptions({ name, config, reached }: Turn, grouped: boolean): FloorOptions {
  return {
    brokers: [reached.kafka],
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
  return run([...node, 'src/main.js', ...args], env)
}

const wordsKept = 4_000

function run([program, ...args]: readonly string[], env: Turn['env']): Running {
  const child = spawn(program as string, args, {
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
    throw new Error(`${args.findLast((arg) => !arg.startsWith('{'))} ended (${code ?? signal}):\n${words}`)
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
