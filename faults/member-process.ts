import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Failpoint } from '../src/stream/lane.ts'
import { imageEnv } from '../test/helpers/image-env.ts'
import { guard } from '../test/helpers/services-guard.ts'

const program = new URL('member.ts', import.meta.url).pathname

/** A folder for the members' logs, to look into afterwards; none is kept without it. */
const keepLogs = process.env['WEIR_FAULTS_LOGS']

/** Where a member is to end or stop itself, the `count`th time it comes there: see faults/member.ts. */
export interface Place {
  readonly name: `${'t' | 'l'}.${Failpoint}` | 'ending'
  readonly count: number
}

const living = new Set<MemberProcess>()

/** Ends whoever still runs, at once: after a fault that failed nobody else does. */
export async function endMembers(): Promise<void> {
  for (const member of living) member.signal('SIGKILL')
  await Promise.all([...living].map((member) => member.exit()))
}

/** A running member, seen from outside. */
export class MemberProcess {
  /** What it wrote on standard error: its log. */
  log = ''
  /** The step that one of its lanes of transactions reached last. */
  lastStep: string | null = null
  readonly #child: ChildProcess
  readonly #exited: Promise<unknown>
  readonly #waiting = new Map<string, (() => void)[]>()

  constructor(env: Readonly<Record<string, string>>, end?: { at: Place; signal: 'SIGKILL' | 'SIGSTOP' }) {
    const args = end === undefined ? [] : [`${end.at.name}:${end.at.count}`, end.signal]
    this.#child = spawn(process.execPath, [program, ...args], {
      env: { PATH: process.env['PATH'] ?? '', ...imageEnv, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const unguard = guard('kill -9 "$1"', String(this.#child.pid))
    living.add(this)
    this.#exited = once(this.#child, 'exit').then(() => {
      living.delete(this)
      return unguard()
    })
    const kept = keepLogs === undefined ? null : join(keepLogs, `member-${this.#child.pid}.log`)
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.log += text
      if (kept !== null) appendFileSync(kept, text)
    })
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      for (const step of text.trimEnd().split('\n')) this.#onStep(step)
    })
  }

  get pid(): number {
    return this.#child.pid as number
  }

  /** Where it serves health and test events; undefined until it does. It must log at level info. */
  get url(): string | undefined {
    return /"url":"([^"]+)"/.exec(this.log)?.[1]
  }

  get ended(): boolean {
    return (this.#child.exitCode ?? this.#child.signalCode) !== null
  }

  /** Resolves the next time that a lane of transactions has reached the step. Rejects when it ends before, or after 60 s. */
  step(step: Failpoint): Promise<void> {
    const reached = new Promise<void>((resolve) => {
      this.#waiting.set(step, [...(this.#waiting.get(step) ?? []), resolve])
    })
    const ended = Promise.race([this.#exited, sleep(60_000, undefined, { ref: false })]).then(() => {
      const why = this.ended ? 'ended' : 'ran a minute'
      throw new Error(`the member ${why} before it reached "${step}":\n${this.log.slice(-3_000)}`)
    })
    return Promise.race([reached, ended])
  }

  /** Resolves when the process has been stopped by SIGSTOP. Linux only. */
  async stopped(): Promise<void> {
    for (let left = 600; left > 0; left--) {
      const stat = await readFile(`/proc/${this.#child.pid}/stat`, 'utf8')
      // After the name in brackets: T while stopped.
      if (stat.slice(stat.lastIndexOf(')') + 2).startsWith('T')) return
      await sleep(100)
    }
    throw new Error(`the member did not stop within a minute:\n${this.log.slice(-3_000)}`)
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  /** Resolves when the process has ended, with the signal that ended it, null when it ended by itself. */
  async exit(): Promise<string | null> {
    await this.#exited
    return this.#child.signalCode
  }

  /** An orderly end. Resolves with the exit code, null when a signal ended it, and how long it took. */
  async stop(): Promise<{ readonly code: number | null; readonly seconds: number }> {
    const begun = performance.now()
    if (!this.ended) this.signal('SIGTERM')
    await this.#exited
    return { code: this.#child.exitCode, seconds: (performance.now() - begun) / 1000 }
  }

  #onStep(step: string): void {
    this.lastStep = step
    const waiting = this.#waiting.get(step) ?? []
    this.#waiting.delete(step)
    for (const resolve of waiting) resolve()
  }
}
