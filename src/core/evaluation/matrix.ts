import { type Outcome, outcomes } from '../types.ts'
import { type Amount, type Change, changes, type MatrixCell } from './comparison.ts'
import type { CandidateColumns, DecisionTable } from './decision-table.ts'
import type { Truth } from './truth.ts'

/** Payments and their value. Whole hundredths add up exactly. */
class Sum {
  #payments = 0
  #hundredths = 0

  /** @param amount major units. */
  add(amount: number): void {
    this.#payments++
    this.#hundredths += Math.round(amount * 100)
  }

  get amount(): Amount {
    return { payments: this.#payments, value: this.#hundredths / 100 }
  }
}

/** What both decided of each payment, against each other. */
export function decisionMatrix(
  { rows, amount }: DecisionTable,
  champion: CandidateColumns,
  candidate: CandidateColumns,
  { judged, fraud }: Truth,
): MatrixCell[] {
  const all = cells()
  const frauds = cells()
  for (let row = 0; row < rows; row++) {
    const cell = (champion.outcome[row] as number) * outcomes.length + (candidate.outcome[row] as number)
    ;(all[cell] as Sum).add(amount[row] as number)
    if (judged[row] === 1 && fraud[row] === 1) (frauds[cell] as Sum).add(amount[row] as number)
  }
  return all.map((sum, cell) => ({
    champion: outcomes[Math.floor(cell / outcomes.length)] as Outcome,
    candidate: outcomes[cell % outcomes.length] as Outcome,
    ...sum.amount,
    frauds: (frauds[cell] as Sum).amount,
  }))
}

const cells = () => Array.from({ length: outcomes.length ** 2 }, () => new Sum())

/** Judged payments that one of the two flags and the other does not. */
export function changesOf(
  { rows, amount }: DecisionTable,
  champion: CandidateColumns,
  candidate: CandidateColumns,
  { judged, fraud }: Truth,
): Record<Change, Amount> {
  const sums = Object.fromEntries(changes.map((change) => [change, new Sum()])) as Record<Change, Sum>
  for (let row = 0; row < rows; row++) {
    const [before, now] = [champion.outcome[row] !== 0, candidate.outcome[row] !== 0]
    if (judged[row] === 0 || before === now) continue
    const change =
      fraud[row] === 1 ? (now ? 'newly_caught' : 'newly_missed') : now ? 'newly_hit' : 'newly_released'
    sums[change].add(amount[row] as number)
  }
  return Object.fromEntries(changes.map((change) => [change, sums[change].amount])) as Record<Change, Amount>
}

/** By outcome, and what became of all. */
export function outcomeAmounts(
  { rows, amount }: DecisionTable,
  { outcome }: CandidateColumns,
): Record<Outcome, Amount> {
  const sums = outcomes.map(() => new Sum())
  for (let row = 0; row < rows; row++) (sums[outcome[row] as number] as Sum).add(amount[row] as number)
  return Object.fromEntries(outcomes.map((name, i) => [name, (sums[i] as Sum).amount])) as Record<
    Outcome,
    Amount
  >
}

/** Of the rows. */
export function amountOf(rows: Int32Array, amount: Float64Array): Amount {
  const sum = new Sum()
  for (const row of rows) sum.add(amount[row] as number)
  return sum.amount
}
