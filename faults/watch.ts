import { setTimeout as sleep } from 'node:timers/promises'
import { median } from 'simple-statistics'
import { residentMiB } from '../test/helpers/process-usage.ts'
import type { Breaches } from './fault.ts'
import type { MemberProcess } from './member-process.ts'

/** Until members have joined their group, which takes a while where many share a machine. */
export async function joined(members: readonly MemberProcess[]): Promise<void> {
  for (let left = 3_000; members.some((member) => joins(member) === 0); left--) {
    const ended = members.find((member) => member.ended)
    if (ended !== undefined || left === 0)
      throw new Error(`a member did not join:\n${(ended ?? members[0])?.log}`)
    await sleep(100)
  }
}

/**
 * Settings under which memory and heartbeats are measured: chunks and session as by default. That Redis is slow on a busy
 * machine is not the fault.
 */
export const asInProduction = {
  WEIR_CHUNK__MAX_RECORDS: '2000',
  WEIR_KAFKA__SESSION_TIMEOUT_MS: '10000',
  WEIR_REDIS__DEADLINE_MS: '5000',
  WEIR_LOG__LEVEL: 'info',
}

/** Growth of memory that is promised, MiB. */
const mostGrownMiB = 64

const everyMs = 250
/** Of a level: ten seconds. */
const samples = 40

/**
 * Watches members that nothing may disturb: their memory, and whether they stay members. They must log at level info.
 */
export class Watch {
  readonly #members: readonly MemberProcess[]
  readonly #memory: number[][]
  readonly #joins: readonly number[]
  /** Of each log, what was written before. */
  readonly #logged: readonly number[]
  readonly #timer: NodeJS.Timeout
  #levels: readonly number[] = []

  constructor(members: readonly MemberProcess[]) {
    this.#members = members
    this.#memory = members.map(() => [])
    this.#joins = members.map(joins)
    this.#logged = members.map(({ log }) => log.length)
    this.#timer = setInterval(() => {
      members.forEach(({ pid, ended }, i) => {
        if (!ended) this.#memory[i]?.push(residentMiB(pid))
      })
    }, everyMs)
  }

  /** Takes the memory of the last ten seconds for the level that is measured against. */
  takeLevel(): void {
    this.#levels = this.#medians()
  }

  /** Ends it: what was promised and broken goes to `breaches`. */
  end(breaches: Breaches): Record<string, number> {
    clearInterval(this.#timer)
    const after = this.#medians()
    const grown = Math.max(...after.map((level, i) => level - (this.#levels[i] as number)))
    const peak = Math.max(...this.#memory.flat())
    const rejoined = this.#members.reduce(
      (sum, member, i) => sum + joins(member) - (this.#joins[i] as number),
      0,
    )
    const ended = this.#members.filter((member) => member.ended).length
    breaches.must(ended === 0, `${ended} members ended`)
    breaches.must(rejoined === 0, `members joined their group again ${rejoined} times`)
    breaches.must(grown <= mostGrownMiB, `a member grew by ${grown.toFixed(0)} MiB`)
    this.#members.forEach(({ log }, i) => {
      const [bad] =
        /^.*(?:run-rejected|blocked|restarting|uncaught).*$/m.exec(log.slice(this.#logged[i])) ?? []
      breaches.must(bad === undefined, `a member says: ${bad}`)
    })
    return {
      level_mib: Math.round(Math.max(...this.#levels)),
      grown_mib: Math.round(grown),
      peak_mib: Math.round(peak),
      rejoined,
    }
  }

  #medians(): number[] {
    return this.#memory.map((all) => median(all.slice(-samples)))
  }
}

/** How often a member has joined its group, as its log says: each generation of the group once. */
const joins = ({ log }: MemberProcess): number => log.split('group: joined').length - 1
