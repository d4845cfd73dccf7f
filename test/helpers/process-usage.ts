import { readFileSync } from 'node:fs'

/** Linux counts in hundredths of a second, whatever the kernel's own timer (USER_HZ). */
const ticksPerSecond = 100

/** CPU seconds that a process has used so far, all threads, user and system. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // Fields 14 and 15; the second one, a name in brackets, may hold spaces.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond
}

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
