import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import type { Codec } from '../../src/adapters/avro.ts'
import { openContracts, openKafka } from '../../src/apps/connect.ts'
import { loadConfig } from '../../src/config/load.ts'
import type { Config } from '../../src/config/schema.ts'
import { partitionOf } from '../../src/core/partition.ts'
import type { LogRecord, NewRecord } from '../../src/core/ports.ts'
import type { Alert, Decision, Label, Transaction } from '../../src/core/types.ts'
import { freePort } from './services-ready.ts'
import { weir } from './weir.ts'

const main = new URL('../../src/main.js', import.meta.url).pathname
const root = new URL('../..', import.meta.url).pathname

/** A record that weir wrote, read. */
export type Written<T> = LogRecord & { readonly partition: number; readonly content: T }

/** Topics, group and keys of a test's own on given services, with what weir writes read as it comes. */
export class Installation implements AsyncDisposable {
  readonly config: Config
  readonly decisions: Written<Decision>[] = []
  readonly alerts: Written<Alert>[] = []
  readonly deadLetters: Written<null>[] = []
  readonly members: MemberProcess[] = []
  readonly #set: readonly string[]
  readonly #log: ReturnType<typeof openKafka>
  readonly #contracts: Awaited<ReturnType<typeof openContracts>>

  private constructor(set: readonly string[], config: Config, contracts: Installation['contracts']) {
    this.#set = set
    this.config = config
    this.#contracts = contracts
    this.#log = openKafka(config)
  }

  /**
   * @param set `key=value` as for --set; `kafka.brokers` and `redis.url` among them.
   * @param reads whether what weir writes is kept in memory.
   */
  static async create(set: readonly string[], reads = true): Promise<Installation> {
    const app = `test-${randomUUID().slice(0, 8)}`
    const names = [
      'transactions',
      'labels',
      'control',
      'decisions',
      'alerts',
      'case_actions',
      'dead_letters',
      'entity_updates',
    ]
    const topics = names.map((name) => `topics.${name}=${app}.${name}`)
    const all = [`app=${app}`, `group=${app}`, 'topics.partitions=2', ...topics, ...set]
    const { config } = loadConfig({ file: '/dev/null', env: {}, set: all })
    const created = await weir(['topics', 'create', ...flags(all)])
    if (created.code !== 0) throw new Error(created.stderr)
    const installation = new Installation(all, config, await openContracts(config))
    if (reads) await installation.#read()
    return installation
  }

  get contracts() {
    return this.#contracts
  }

  get log() {
    return this.#log
  }

  /** Flags for any command of this installation. */
  flags(...more: string[]): string[] {
    return flags([...this.#set, ...more])
  }

  /** A `weir stream` process; does not wait until it is ready. */
  async start(...more: string[]): Promise<MemberProcess> {
    const port = await freePort()
    const member = new MemberProcess(port, this.flags(`http.port=${port}`, ...more))
    this.members.push(member)
    return member
  }

  /** The record that carries a transaction, stamped when its payment happened. */
  record(transaction: Transaction, changes: Partial<NewRecord> = {}): NewRecord {
    const key = transaction.customer_id
    return {
      topic: this.config.topics.transactions,
      partition: partitionOf(key, this.config.topics.partitions),
      key,
      value: this.#contracts.transactions.encode(transaction),
      timestamp: transaction.event_time,
      ...changes,
    }
  }

  send(...transactions: Transaction[]): Promise<void> {
    return this.#log.append(transactions.map((transaction) => this.record(transaction)))
  }

  sendLabels(...labels: Label[]): Promise<void> {
    const { topics } = this.config
    return this.#log.append(
      labels.map((label) => ({
        topic: topics.labels,
        partition: partitionOf(label.customer_id, topics.partitions),
        key: label.customer_id,
        value: this.#contracts.labels.encode(label),
        timestamp: label.observed_time,
      })),
    )
  }

  /** The decision on a transaction, as soon as there is one. */
  async decisionOn(transactionId: string): Promise<Written<Decision>> {
    const find = () => this.decisions.find(({ content }) => content.transaction_id === transactionId)
    await until(`a decision on ${transactionId}`, () => find() !== undefined).catch((error: Error) => {
      throw new Error(`${error.message}; ${this.members.at(-1)?.output.slice(-2_000)}`)
    })
    return find() as Written<Decision>
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.members.map((member) => member.kill()))
    await this.#log.close()
  }

  async #read(): Promise<void> {
    const { topics } = this.config
    const { decisions, alerts } = this.#contracts
    const kept = {
      [topics.decisions]: keep(this.decisions, decisions),
      [topics.alerts]: keep(this.alerts, alerts),
      [topics.dead_letters]: keep(this.deadLetters, { decode: async () => [] }),
    }
    await this.#log.subscribe(`${this.config.group}-test`, Object.keys(kept), {
      onAssigned() {},
      async onRun({ topic, partition, records }) {
        await kept[topic]?.(partition, records)
        return (records.at(-1) as LogRecord).offset + 1
      },
    })
  }
}

/** Adds the records of a topic to those that were read before. */
function keep<T>(all: Written<T | null>[], { decode }: Pick<Codec<T>, 'decode'>) {
  return async (partition: number, records: readonly LogRecord[]): Promise<void> => {
    const contents = await decode(records)
    records.forEach((record, i) => {
      const checked = contents[i]
      if (checked?.ok === false)
        throw new Error(`weir wrote what it cannot read: ${checked.rejection.message}`)
      all.push({ ...record, partition, content: checked?.value ?? null })
    })
  }
}

export interface Readiness {
  readonly status: number
  readonly checks: Readonly<Record<string, { readonly ok: boolean; readonly detail: string }>>
}

/** A running `weir stream`. */
export class MemberProcess {
  readonly url: string
  readonly #child: ChildProcess
  readonly #exited: Promise<unknown>
  /** Everything that it wrote to standard output and standard error. */
  output = ''

  constructor(port: number, flags: readonly string[]) {
    this.url = `http://127.0.0.1:${port}`
    this.#child = spawn(process.execPath, [main, 'stream', ...flags], {
      cwd: root,
      env: { PATH: process.env['PATH'] ?? '', NO_COLOR: '1', WEIR_CONFIG: '/dev/null' },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.output += text
      })
    }
    this.#exited = once(this.#child, 'close')
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** The answer of a health check; null when nobody listens. */
  async health(path: '/livez' | '/readyz'): Promise<Readiness | null> {
    try {
      const response = await fetch(this.url + path)
      const { checks } = (await response.json()) as Pick<Readiness, 'checks'>
      return { status: response.status, checks }
    } catch {
      return null
    }
  }

  async ready(): Promise<this> {
    await until(
      'readiness',
      async () => {
        if (!this.isRunning) throw new Error(`weir stream ended:\n${this.output}`)
        return (await this.health('/readyz'))?.status === 200
      },
      120,
    )
    return this
  }

  /** Sum of a metric's samples whose labels contain these texts. */
  async metric(name: string, ...labels: string[]): Promise<number> {
    const text = await (await fetch(`${this.url}/metrics`)).text()
    return text
      .split('\n')
      .filter((line) => /^[a-z_]+/.exec(line)?.[0] === name && labels.every((label) => line.includes(label)))
      .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0)
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name)
  }

  /** Resolves with the exit code and the milliseconds since this call, when it has ended. */
  async exit(): Promise<{ code: number | null; ms: number }> {
    const begun = performance.now()
    await this.#exited
    return { code: this.#child.exitCode, ms: performance.now() - begun }
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#exited
  }
}

/** @throws Error that names what was waited for, after so many seconds. */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  seconds = 15,
): Promise<void> {
  const deadline = Date.now() + seconds * 1_000
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`waited in vain for ${what}`)
    await pause(20)
  }
}

const flags = (set: readonly string[]): string[] => set.flatMap((one) => ['--set', one])
