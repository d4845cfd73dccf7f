import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Service, Settings } from './services.ts'
import { kafkaLibraries, redisProgram } from './services-fetch.ts'
import { guard } from './services-guard.ts'
import { freePort, kafkaAnswers, redisAnswers, untilReady } from './services-ready.ts'

/** One of several brokers: its number, and the controllers of all by number. */
export interface ClusterNode {
  readonly id: number
  readonly controllers: ReadonlyMap<number, number>
}

interface LocalKafkaOptions {
  readonly listeners?: Readonly<Record<string, number>>
  readonly advertised?: Readonly<Record<string, number>>
  readonly scram?: readonly string[]
  readonly node?: ClusterNode
}

/**
 * A Kafka broker and controller in one Java process.
 *
 * @param listeners more of them, on ports of 127.0.0.1 by name; what they speak is in `settings`.
 * @param advertised the ports by which clients reach those that have something in front of them.
 * @param scram users as StorageTool's --add-scram takes them.
 * @param node where it is one of several; alone without it.
 */
export async function localKafka(
  settings: Settings,
  { listeners = {}, advertised = {}, scram = [], node }: LocalKafkaOptions = {},
): Promise<Service> {
  const classPath = join(await kafkaLibraries(), '*')
  const folder = await mkdtemp(join(tmpdir(), 'weir-kafka-'))
  const port = await freePort()
  const { id, controllers } = node ?? { id: 1, controllers: new Map([[1, await freePort()]]) }
  const voters = [...controllers].map(([voter, at]) => `${voter}@127.0.0.1:${at}`)
  const more = (ports: Readonly<Record<string, number>>) =>
    Object.entries(ports).map(([name, port]) => `,${name}://127.0.0.1:${port}`)
  const address = `127.0.0.1:${port}`
  const file = join(folder, 'server.properties')
  const properties = {
    'process.roles': 'broker,controller',
    'node.id': String(id),
    'controller.quorum.voters': voters.join(','),
    'controller.listener.names': 'CONTROLLER',
    listeners: `PLAINTEXT://${address},CONTROLLER://127.0.0.1:${controllers.get(id)}${more(listeners).join('')}`,
    'advertised.listeners': `PLAINTEXT://${address}${more({ ...listeners, ...advertised }).join('')}`,
    'log.dirs': join(folder, 'data'),
    ...smallKafka,
    ...settings,
  }
  await writeFile(file, lines(properties, '='))
  const java = ['-Xmx512m', '-Dorg.slf4j.simpleLogger.defaultLogLevel=error', '-cp', classPath]
  const format = ['kafka.tools.StorageTool', 'format', '-t', '5L6g3nShT-eMCtK--X86sw', '-c', file]
  for (const user of scram) format.push('--add-scram', user)
  const formatted = spawnSync('java', [...java, ...format], { encoding: 'utf8' })
  if (formatted.status !== 0) throw new Error(`Kafka could not format its storage: ${formatted.stderr}`)
  const command = ['java', ...java, 'kafka.Kafka', file]
  return startProcess({ what: 'Kafka', command, folder, address, answers: kafkaAnswers })
}

/** Broker settings that make one small node fast to start and to end. */
export const smallKafka: Settings = {
  'offsets.topic.replication.factor': '1',
  'offsets.topic.num.partitions': '5',
  'transaction.state.log.replication.factor': '1',
  'transaction.state.log.min.isr': '1',
  'transaction.state.log.num.partitions': '5',
  'share.coordinator.state.topic.replication.factor': '1',
  'share.coordinator.state.topic.min.isr': '1',
  // A killed broker may come back only after its old session ended: 9 seconds by default.
  'broker.session.timeout.ms': '3000',
  'broker.heartbeat.interval.ms': '500',
  'group.initial.rebalance.delay.ms': '0',
  'auto.create.topics.enable': 'false',
  'log.cleaner.dedupe.buffer.size': '2097152',
}

/** @param at its port; a free one without it. */
export async function localRedis(settings: Settings, at?: number): Promise<Service> {
  const program = await redisProgram()
  const folder = await mkdtemp(join(tmpdir(), 'weir-redis-'))
  const port = at ?? (await freePort())
  const address = `127.0.0.1:${port}`
  const file = join(folder, 'redis.conf')
  const options = { bind: '127.0.0.1', port: `${port}`, dir: folder, ...durableRedis, ...settings }
  await writeFile(file, lines(options, ' '))
  return startProcess({ what: 'Redis', command: [program, file], folder, address, answers: redisAnswers })
}

/** Written to the append-only file before the reply: survives a kill of the process, not of the machine. */
export const durableRedis: Settings = { appendonly: 'yes', save: '""', 'maxmemory-policy': 'noeviction' }

interface Plan {
  readonly what: string
  readonly command: readonly string[]
  /** Holds configuration, data and log; deleted at the end. */
  readonly folder: string
  readonly address: string
  readonly answers: (address: string) => Promise<boolean>
}

async function startProcess({ what, command, folder, address, answers }: Plan): Promise<Service> {
  const [program = '', ...args] = command
  const logFile = join(folder, 'output.log')
  let child: ChildProcess
  let exited: Promise<unknown>
  let unguard: () => Promise<void>
  const restart = async () => {
    const log = await open(logFile, 'a')
    child = spawn(program, args, { detached: true, cwd: folder, stdio: ['ignore', log.fd, log.fd] })
    unguard = guard('kill -9 "$1"; rm -rf "$2"', String(child.pid), folder)
    child.unref()
    exited = once(child, 'exit')
    await log.close()
    const ended = () => (child.exitCode ?? child.signalCode) !== null
    let output = ''
    await untilReady(
      what,
      async () => {
        if (ended()) output = await readFile(logFile, 'utf8')
        return !ended() && (await answers(address))
      },
      () => (ended() ? `${child.exitCode ?? child.signalCode}\n${output.slice(-2_000)}` : null),
    )
  }
  const kill = async () => {
    child.ref()
    child.kill('SIGKILL')
    await exited
    await unguard()
  }
  const stop = async () => {
    await kill()
    await rm(folder, { recursive: true, force: true })
  }
  try {
    await restart()
  } catch (error) {
    await stop()
    throw error
  }
  return { address, pid: async () => child.pid as number, kill, restart, stop }
}

function lines(settings: Settings, separator: string): string {
  return Object.entries(settings)
    .map(([name, value]) => `${name}${separator}${value}\n`)
    .join('')
}
