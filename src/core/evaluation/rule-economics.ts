import { type Outcome, outcomes } from '../types.ts'
import { type CostMatrix, costOf } from './costs.ts'
import type { CandidateColumns, DecisionTable, RuleColumns } from './decision-table.ts'

/** What one rule did in a replay. Money is in major units of the reference currency. */
export interface RuleEconomics {
  readonly rule: string
  /** Payments on which it held. */
  readonly hits: number
  readonly fraudHits: number
  /** Honest payments for each fraud among its hits: 5 is five to one; null without a fraud. */
  readonly falsePositiveRatio: number | null
  /** Payments whose outcome would be another without it. */
  readonly decided: number
  /** Frauds that would have been approved without it, and were not. */
  readonly uniqueCatch: number
  readonly uniqueCatchValue: number
  /** Honest payments that would have been approved without it, and were not. */
  readonly uniqueFriction: number
  /** What the payments would have cost more without it, by the cost matrix; negative: it costs more than it saves. */
  readonly saved: number
  /** Event time of the newest hit, epoch milliseconds; null: it never held. */
  readonly lastHit: number | null
}

export interface RulesEconomics {
  /** In the order of the file. */
  readonly rules: readonly RuleEconomics[]
  /** [i][j]: payments on which both rules held. */
  readonly overlap: readonly (readonly number[])[]
  /** Rules without which, each alone, every payment would have the same outcome. */
  readonly changesNothing: readonly string[]
}

interface Tally {
  hits: number
  fraudHits: number
  decided: number
  uniqueCatch: number
  uniqueCatchValue: number
  uniqueFriction: number
  saved: number
  lastHit: number | null
}

/**
 * What each rule is worth, from what a replay recorded: for each payment the rules that hit, and the outcome that there
 * would have been without each. A rule is judged alone: of two that always hit together, neither decides.
 *
 * @param names of the rules, in the order of the file.
 */
export function ruleEconomics(
  table: DecisionTable,
  candidate: CandidateColumns & { readonly rules: RuleColumns },
  names: readonly string[],
  costs: CostMatrix,
): RulesEconomics {
  const place = new Map(names.map((name, i) => [name, i]))
  const { hit, without } = candidate.rules
  const hitsOf = hit.values.map((text) => split(text).map((name) => place.get(name) as number))
  const withoutOf = without.values.map((text) => split(text) as Outcome[])
  const tallies = names.map(newTally)
  const overlap = names.map(() => new Array<number>(names.length).fill(0))
  for (let row = 0; row < table.rows; row++) {
    const hits = hitsOf[hit.codes[row] as number] ?? none
    if (hits.length === 0) continue
    const outcomesWithout = withoutOf[without.codes[row] as number] ?? []
    const outcome = outcomes[candidate.outcome[row] as number] as Outcome
    const [fraud, amount] = [table.fraud[row] === 1, table.amount[row] as number]
    for (const [i, rule] of hits.entries()) {
      for (const other of hits) (overlap[rule] as number[])[other] = (overlap[rule]?.[other] ?? 0) + 1
      const alternative = outcomesWithout[i] ?? outcome
      add(tallies[rule] as Tally, { outcome, alternative, fraud, amount }, costs)
      const { lastHit } = tallies[rule] as Tally
      ;(tallies[rule] as Tally).lastHit = Math.max(lastHit ?? -Infinity, table.eventTime[row] as number)
    }
  }
  return {
    rules: names.map((rule, i) => ({ rule, ...(tallies[i] as Tally), ...ratioOf(tallies[i] as Tally) })),
    overlap,
    changesNothing: names.filter((_, i) => tallies[i]?.decided === 0),
  }
}

const none: readonly number[] = []
const split = (text: string): string[] => (text === '' ? [] : text.split(','))

const newTally = (): Tally => ({
  hits: 0,
  fraudHits: 0,
  decided: 0,
  uniqueCatch: 0,
  uniqueCatchValue: 0,
  uniqueFriction: 0,
  saved: 0,
  lastHit: null,
})

interface Hit {
  readonly outcome: Outcome
  /** Without the rule. */
  readonly alternative: Outcome
  readonly fraud: boolean
  readonly amount: number
}

function add(tally: Tally, { outcome, alternative, fraud, amount }: Hit, costs: CostMatrix): void {
  tally.hits++
  if (fraud) tally.fraudHits++
  if (outcome === alternative) return
  tally.decided++
  tally.saved += costOf(costs, alternative, fraud, amount) - costOf(costs, outcome, fraud, amount)
  if (alternative !== 'approve') return
  if (fraud) {
    tally.uniqueCatch++
    tally.uniqueCatchValue += amount
  } else tally.uniqueFriction++
}

const ratioOf = ({ hits, fraudHits }: Tally) => ({
  falsePositiveRatio: fraudHits === 0 ? null : (hits - fraudHits) / fraudHits,
})
