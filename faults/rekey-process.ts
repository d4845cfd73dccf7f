import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { guard } from '../test/helpers/services-guard.ts'

const program = new URL('../src/main.js', import.meta.url).pathname

export interface RekeyEnd {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** Where `weir rekey` is to die: so long after it says that a step begins. */
export interface RekeyDeath {
  readonly step: string
  readonly afterMs: number
}

/** Runs `weir rekey --yes --json` to its end, or to its death by kill -9. */
export async function runRekey(
  env: Readonly<Record<string, string>>,
  partitions: number,
  death?: RekeyDeath,
): Promise<RekeyEnd> {
  const args = [program, 'rekey', '--partitions', String(partitions), '--yes', '--json']
  const child = spawn(process.execPath, args, {
    env: { PATH: process.env['PATH'] ?? '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const unguard = guard('kill -9 "$1"', String(child.pid))
  const told = { stdout: '', stderr: '' }
  let isDying = false
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      told[name] += text
      if (death === undefined || isDying || !told.stderr.includes(death.step)) return
      isDying = true
      void sleep(death.afterMs).then(() => child.kill('SIGKILL'))
    })
  }
  await once(child, 'close')
  await unguard()
  return { code: child.exitCode, signal: child.signalCode, ...told }
}
