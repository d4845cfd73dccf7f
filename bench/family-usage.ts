import { readdirSync } from 'node:fs'
import { type ProcessStat, readStat, residentMiB } from '../test/helpers/process-usage.ts'

/** The processes of this machine at one moment, so that what a contestant starts counts as it. */
export class Processes {
  readonly #known = new Map<number, ProcessStat>()

  constructor() {
    for (const name of readdirSync('/proc')) {
      const pid = Number(name)
      const known = Number.isNaN(pid) ? null : statOf(pid)
      if (known !== null) this.#known.set(pid, known)
    }
  }

  /** CPU seconds so far of a process and all below it. */
  cpuSeconds(pid: number): number {
    return this.#family(pid).reduce((sum, one) => {
      const { cpu = 0, childrenCpu = 0 } = this.#known.get(one) ?? {}
      return sum + cpu + childrenCpu
    }, 0)
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
function statOf(pid: number): ProcessStat | null {
  try {
    return readStat(pid)
  } catch {
    return null
  }
}
