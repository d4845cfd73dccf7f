import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import type { SharedServices } from '../test/helpers/services.ts'
import { guard } from '../test/helpers/services-guard.ts'
import { freePort } from '../test/helpers/services-ready.ts'
import { weir } from '../test/helpers/weir.ts'

const root = new URL('..', import.meta.url).pathname
const main = new URL('../src/main.js', import.meta.url).pathname

/** What a story shows: a line of text. */
export type Say = (line: string) => void

/** What is waited for comes within that time, also on a busy machine. */
const longestWaitMs = 180_000

/** Topics, keys and a group of its own on a broker and a store, and the commands of weir on them. */
export class Stage {
  readonly say: Say
  readonly #env: Readonly<Record<string, string>>
  readonly #httpPort: number
  readonly #running: Running[] = []

  private constructor(say: Say, env: Readonly<Record<string, string>>, httpPort: number) {
    this.say = say
    this.#env = env
    this.#httpPort = httpPort
  }

  /** @param services what the story takes place on; they stay when it ends. */
  static async open({ kafka, redis }: Pick<SharedServices, 'kafka' | 'redis'>, say: Say): Promise<Stage> {
    const name = `story-${randomUUID().slice(0, 8)}`
    const httpPort = await freePort()
    const topics = [
      'TRANSACTIONS',
      'LABELS',
      'CONTROL',
      'DECISIONS',
      'ALERTS',
      'CASE_ACTIONS',
      'DEAD_LETTERS',
    ]
    const env = {
      WEIR_CONFIG: '/dev/null',
      WEIR_APP: name,
      WEIR_GROUP: name,
      WEIR_KAFKA__BROKERS: kafka,
      WEIR_REDIS__URL: redis,
      WEIR_HTTP__PORT: String(httpPort),
      WEIR_LOG__LEVEL: 'warn',
      ...Object.fromEntries(
        [...topics, 'ENTITY_UPDATES'].map((topic) => [
          `WEIR_TOPICS__${topic}`,
          `${name}.${topic.toLowerCase().replaceAll('_', '-')}`,
        ]),
      ),
    }
    return new Stage(say, env, httpPort)
  }

  /**
   * Runs a command, which is shown as one types it. Resolves with what it says with --json, else with undefined.
   *
   * @param command words with blanks between.
   * @param more arguments that have blanks in them, after those.
   * @throws Error with what it complains of, when it ends with another code than 0.
   */
  async weir<T = undefined>(command: string, ...more: string[]): Promise<T> {
    const args = [...command.split(' '), ...more]
    this.say(`  $ weir ${args.map(asTyped).join(' ')}`)
    const { code, stdout, stderr } = await weir(args, { env: { ...this.#env } })
    if (code !== 0) throw new Error(`weir ${args.join(' ')} ended with ${code}: ${stderr}${stdout}`)
    return (args.includes('--json') ? JSON.parse(stdout) : undefined) as T
  }

  /** Starts a command that goes on until the end. @param onLine told each line of its output. */
  start(command: string, onLine: (line: string) => void = () => {}): void {
    this.say(`  $ weir ${command} &`)
    this.#running.push(new Running(command, this.#env, onLine))
  }

  /** Waits until it holds. @throws Error with `what` where it does not in time, or where a command ended that goes on. */
  async until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
    const deadline = performance.now() + longestWaitMs
    while (!(await holds())) {
      for (const running of this.#running) running.assertAlive()
      if (performance.now() > deadline)
        throw new Error(`still not so after ${longestWaitMs / 1_000} s: ${what}`)
      await sleep(100)
    }
  }

  /** What a metric of the member says, by its labels; none before the member serves. */
  async metric(name: string): Promise<ReadonlyMap<string, number>> {
    const page = await fetch(`http://127.0.0.1:${this.#httpPort}/metrics`).then(
      (response) => response.text(),
      () => '',
    )
    const lines = page.split('\n').filter((line) => line.startsWith(name))
    return new Map(
      lines.map((line) => {
        const at = line.lastIndexOf(' ')
        return [line.slice(name.length, at), Number(line.slice(at + 1))] as const
      }),
    )
  }

  async close(): Promise<void> {
    await Promise.all(this.#running.map((running) => running.end()))
  }
}

/** A command that goes on. It dies with this process, however that ends. */
class Running {
  readonly #command: string
  readonly #child: ChildProcess
  readonly #exited: Promise<unknown>
  #told = ''

  constructor(command: string, env: Readonly<Record<string, string>>, onLine: (line: string) => void) {
    this.#command = command
    const child = spawn(process.execPath, [main, ...command.split(' ')], {
      cwd: root,
      env: { PATH: process.env['PATH'] ?? '', NO_COLOR: '1', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const unguard = guard('kill -9 "$1"', String(child.pid))
    createInterface(child.stdout).on('line', onLine)
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#told += text
    })
    this.#child = child
    this.#exited = once(child, 'exit').then(unguard)
  }

  assertAlive(): void {
    if ((this.#child.exitCode ?? this.#child.signalCode) === null) return
    throw new Error(`weir ${this.#command} ended: ${this.#told}`)
  }

  async end(): Promise<void> {
    this.#child.kill('SIGTERM')
    await this.#exited
  }
}

const asTyped = (arg: string): string => (/[^\w./:=,-]/.test(arg) ? `'${arg}'` : arg)
