import type { Verdict } from './verifier/verify.ts'

/** One way to break weir, and what weir promises under it. */
export interface Fault {
  /** As the command line names it. */
  readonly name: string
  /** What holds whatever the fault does, in one sentence: the row of docs/reliability.md. */
  readonly promise: string
  /** How often it is injected by default: in the whole set, and in the short one; 0 leaves it out there. */
  readonly times: { readonly whole: number; readonly short: number }
  /** Builds its own scene, injects, waits for rest, judges, and leaves nothing behind. */
  run(order: Order): Promise<Outcome>
}

export interface Order {
  /** Repeats what is drawn: what is sent, who is hit, where. Not what the machine does meanwhile. */
  readonly seed: number
  /** How often to inject; what one injection is, is the fault's own. */
  readonly times: number
}

export interface Outcome {
  /** What was really injected, counted where it happened. */
  readonly injected: number
  /** What the verifier found; null where no log is left behind to be judged. */
  readonly verdict: Verdict | null
  /** What else was measured: names end in their unit. */
  readonly figures: Readonly<Record<string, number>>
  /** Each broken promise in a sentence; none when all were kept. */
  readonly breaches: readonly string[]
}

/** What the verifier must find, as breaches. @param mayDegrade whether the fault takes away what decisions need. */
export function breachesOf(verdict: Verdict, mayDegrade = false): string[] {
  const { lost, doubled, changed, state_differences, degraded, differences } = verdict
  const must = { lost, doubled, changed, state_differences, ...(!mayDegrade && { degraded }) }
  const breaches = Object.entries(must)
    .filter(([, count]) => count !== 0)
    .map(([name, count]) => `${count} ${name}`)
  if (verdict.decisions + verdict.dead_letters !== verdict.events) {
    breaches.push(
      `${verdict.events} events, but ${verdict.decisions} decisions and ${verdict.dead_letters} dead letters`,
    )
  }
  return [...breaches, ...differences]
}

/** Collects broken promises: `must(idle <= 5, 'a partition was idle for ...')`. */
export class Breaches {
  readonly all: string[] = []

  must(kept: boolean, otherwise: string): void {
    if (!kept) this.all.push(otherwise)
  }
}
