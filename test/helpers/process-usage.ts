import { readFileSync } from 'node:fs'

/** Linux counts in hundredths of a second, whatever the kernel's own timer (USER_HZ). */
const ticksPerSecond = 100

/** CPU seconds so far, all threads, user and system. */
export interface ProcessStat {
  readonly parent: number
  readonly cpu: number
  /** Of children that have ended and were waited for. */
  readonly childrenCpu: number
}

/** @throws Error when the process has ended. */
export function readStat(pid: number): ProcessStat {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // The second field, a name in brackets, may hold spaces; from the third on: state, parent, …
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const seconds = (from: number) => (Number(fields[from]) + Number(fields[from + 1])) / ticksPerSecond
  // utime and stime, then cutime and cstime.
  return { parent: Number(fields[1]), cpu: seconds(11), childrenCpu: seconds(13) }
}

/** CPU seconds that a process has used so far, all threads, user and system. */
export const cpuSeconds = (pid: number): number => readStat(pid).cpu

/** Memory that a process holds, MiB. */
export const residentMiB = (pid: number): number => memoryMiB(pid, 'VmRSS')

/** The most memory that a process has held so far, MiB. */
export const peakMiB = (pid: number): number => memoryMiB(pid, 'VmHWM')

/** NaN when the process has ended. */
function memoryMiB(pid: number, field: 'VmRSS' | 'VmHWM'): number {
  let status: string
  try {
    status = readFileSync(`/proc/${pid}/status`, 'utf8')
  } catch {
    return Number.NaN
  }
  const [, kib] = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status) ?? []
  return Number(kib) / 1_024
}
