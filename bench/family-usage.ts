import { readdirSync, readFileSync } from 'node:fs'
import { residentMiB } from '../test/helpers/process-usage.ts'

/** Linux counts in hundredths of a second, whatever the kernel's own timer (USER_HZ). */
const ticksPerSecond = 100

interface Known {
  readonly parent: number
  /** Seconds, of all threads, and of children that have ended and were waited for. */
  readonly cpu: number
}

/** The processes of this machine at one moment, so that what a contestant starts counts as it. */
export class Processes {
  readonly #known = new Map<number, Known>()

  constructor() {
    for (const name of readdirSync('/proc')) {
      const pid = Number(name)
      const known = Number.isNaN(pid) ? null : read(pid)
      if (known !== null) this.#known.set(pid, known)
    }
  }

  /** CPU seconds so far of a process and all below it. */
  cpuSeconds(pid: number): number {
    return this.#family(pid).reduce((sum, one) => sum + (this.#known.get(one)?.cpu ?? 0), 0)
  }

  /** Memory that they hold, MiB; pages that they share count for each. */
  residentMiB(pid: number): number {
    return this.#family(pid).reduce((sum, one) => sum + (residentMiB(one) || 0), 0)
  }

  #family(pid: number): number[] {
    const below = [...this.#known].filter(([, { parent }]) => parent === pid)
    return [pid, ...below.flatMap(([child]) => this.#family(child))]
  }
}

/** Null when it has ended meanwhile. */
function read(pid: number): Known | null {
  let stat: string
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  } catch {
    return null
  }
  // The second field, a name in brackets, may hold spaces; from the third on: state, parent, …
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  // utime, stime, cutime and cstime.
  const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0)
  return { parent: Number(fields[1]), cpu: ticks / ticksPerSecond }
}
