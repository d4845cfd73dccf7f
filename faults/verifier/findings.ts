/** What can be wrong; none of it may happen. */
const faults = ['lost', 'doubled', 'changed', 'state_differences'] as const
export type Fault = (typeof faults)[number]

const mostInWords = 30

/** Counts what is wrong and keeps the first of it in words. */
export class Findings {
  readonly counts: Record<Fault, number> = { lost: 0, doubled: 0, changed: 0, state_differences: 0 }
  readonly words: string[] = []

  add(fault: Fault, what: string): void {
    this.counts[fault]++
    if (this.words.length < mostInWords) this.words.push(`${fault}: ${what}`)
  }
}
