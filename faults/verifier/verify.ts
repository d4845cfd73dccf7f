import { Before } from './before.ts'
import { DeadLetters } from './dead-letters.ts'
import { type Evidence, laneKinds, laneTopics } from './evidence.ts'
import { Findings } from './findings.ts'
import type { Installation } from './installation.ts'
import { type Recomputed, recheckDecisions } from './recheck-decisions.ts'
import {
  compareDeltas,
  compareStates,
  forgetProgress,
  readUpdates,
  recheckLabels,
  refoldEntities,
} from './recheck-states.ts'
import { checkRedriven } from './redriven.ts'

/** What an installation did, and what is wrong with it: see docs/exactly-once.md. */
export interface Verdict {
  readonly events: number
  readonly decisions: number
  readonly alerts: number
  readonly duplicates: number
  readonly degraded: number
  readonly dead_letters: number
  /** Dead letters that were put back. */
  readonly redriven: number
  readonly labels: number
  readonly entity_updates: number
  /** States and watermarks compared. */
  readonly states: number
  /** Records that dying members left behind and that no reader sees. */
  readonly aborted_records: number
  /** Inputs without an answer. */
  readonly lost: number
  /** Answers too many. */
  readonly doubled: number
  /** Answers that recomputation does not give. */
  readonly changed: number
  /** Keys of the store, or sums of entity updates, that recomputation does not give. */
  readonly state_differences: number
  /** The first of what is wrong, in words. */
  readonly differences: readonly string[]
}

/**
 * Judges all that an installation left behind by computing it again from its inputs. Asks nothing but the evidence.
 *
 * @param before the installation that `weir rekey` made it of: what that one answered enters the states and must not be
 * answered again.
 */
export async function verify(
  evidence: Evidence,
  installation: Installation,
  before = new Before(null),
): Promise<Verdict> {
  const findings = new Findings()
  const letters = new DeadLetters(evidence.records.dead_letters)
  const transactions: Recomputed[] = []
  for (const partition of evidence.records.transactions.keys()) {
    transactions.push(await recheckDecisions(evidence, installation, partition, letters, findings, before))
  }
  const labels = await recheckLabels(evidence, installation, letters, findings, before)
  letters.checkRest(findings)
  const redriven = checkRedriven(evidence.records, installation.topics, findings)
  const updates = readUpdates(evidence, findings)
  const customers = transactions.map((one, partition) => [`t${partition}`, one.customers] as const)
  const wanted = new Map([...customers, ...labels.states, ...refoldEntities(updates, installation)])
  if (!before.isNone) forgetProgress(evidence, wanted)
  const states = compareStates(evidence, installation, wanted, findings)
  compareDeltas(updates, transactions, labels.deltas, installation, findings)
  checkPositions(evidence, findings)
  if (evidence.open > 0)
    findings.add('changed', `${evidence.open} records lie in transactions that nobody ended`)
  const total = (figure: keyof Recomputed['figures']) =>
    transactions.reduce((sum, { figures }) => sum + figures[figure], 0)
  return {
    events:
      sizeOf(evidence.records.transactions) - transactions.reduce((sum, { history }) => sum + history, 0),
    decisions: total('decisions'),
    alerts: total('alerts'),
    duplicates: total('duplicates'),
    degraded: total('degraded'),
    dead_letters: letters.size,
    redriven,
    labels: labels.applied,
    entity_updates: sizeOf(evidence.records.entity_updates),
    states,
    aborted_records: evidence.aborted,
    ...findings.counts,
    differences: findings.words,
  }
}

/** Everything was read to its end. */
function checkPositions({ records, positions }: Evidence, findings: Findings): void {
  for (const kind of laneKinds) {
    for (const [partition, inputs] of records[laneTopics[kind]].entries()) {
      const position = positions[kind][partition] ?? 0
      const waiting = inputs.filter(({ offset }) => offset >= position).length
      if (waiting > 0) findings.add('lost', `${waiting} records of lane ${kind}${partition} were not read`)
    }
  }
}

/** One figure a line, then what is wrong. */
export function tableOf({ differences, ...figures }: Verdict): string {
  const lines = Object.entries(figures).map(
    ([name, value]) => `  ${name.padEnd(18)}${String(value).padStart(9)}`,
  )
  return [...lines, ...differences.map((difference) => `  ${difference}`)].join('\n')
}

const sizeOf = (partitions: readonly (readonly unknown[])[]): number =>
  partitions.reduce((sum, records) => sum + records.length, 0)
