import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { cpuSeconds, peakMiB } from '../test/helpers/process-usage.ts'

/** Of one `weir replay --events N`, from its start to its end. */
export interface Memory {
  readonly events: number
  /** The most that the process held. */
  readonly peak_mib: number
  readonly seconds: number
  readonly cpu_s: number
}

const weir = join(import.meta.dirname, '../src/main.js')

/** Runs the command as a user does, and looks at the process until it has ended. */
export async function replayMemory(events: number): Promise<Memory> {
  const folder = mkdtempSync(join(tmpdir(), 'weir-bench-'))
  const began = performance.now()
  const args = ['replay', '--events', String(events), '--out', join(folder, 'out')]
  const child = spawn(process.execPath, [weir, ...args], { stdio: 'ignore' })
  let [peak, cpu] = [0, 0]
  try {
    while (child.exitCode === null && child.signalCode === null) {
      const looked = look(child.pid as number)
      if (looked !== null) [peak, cpu] = looked
      await setTimeout(100)
    }
    if (child.exitCode !== 0)
      throw new Error(`weir ${args.join(' ')} ended with ${child.exitCode ?? child.signalCode}`)
    return { events, peak_mib: peak, seconds: (performance.now() - began) / 1_000, cpu_s: cpu }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Null when the process has just ended. */
function look(pid: number): [peak: number, cpu: number] | null {
  try {
    const peak = peakMiB(pid)
    return Number.isNaN(peak) ? null : [peak, cpuSeconds(pid)]
  } catch {
    return null
  }
}
