import { amountIn, type EnrichedArrival } from './enrich.ts'
import type { CompiledFeatures } from './features/compile.ts'
import type { CompiledPolicy } from './policy.ts'
import type { Model, Scores } from './ports.ts'
import { type Case, isForPeople, nameOfHit, type Verdict, type VerdictFacts, verdictOf } from './verdict.ts'

/** What a payment looks like before it is answered. */
export interface Sight {
  readonly facts: VerdictFacts
  readonly verdict: Verdict
}

/**
 * What is known of a scored payment, and the outcome that it makes.
 *
 * @param features the vector that was scored, as decisions carry it.
 * @param row the place of its scores.
 */
export function sightOf(
  { transaction, late }: EnrichedArrival,
  features: Buffer,
  { probabilities, parts }: Scores,
  row: number,
  active: Case & { readonly features: CompiledFeatures; readonly model: Model },
): Sight {
  const score = probabilities[row] as number
  // Of their number from the start: one that grows from nothing would make room for 17.
  const partsOf = new Array<number>(parts.length)
  for (let i = 0; i < parts.length; i++) partsOf[i] = (parts[i] as Float64Array)[row] as number
  const amount = amountIn(active.features, transaction)
  const riskScore = active.model.riskScore(score)
  const facts = { transaction, features, amount, late, score, riskScore, parts: partsOf }
  return { facts, verdict: verdictOf(facts, active) }
}

/** Of those that are simply approved nobody asks why. Whatever becomes an alert is asked. */
export const isAskedWhy = ({ outcome, lists }: Verdict, { file }: CompiledPolicy): boolean =>
  outcome !== 'approve' || isForPeople(outcome, lists.map(nameOfHit), file)
