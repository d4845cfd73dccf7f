import { amountIn, type Enriched, type EnrichedArrival } from './enrich.ts'
import { type Explained, explainRows } from './explain/explained.ts'
import type { CompiledFeatures } from './features/compile.ts'
import type { CompiledPolicy } from './policy.ts'
import type { Model, Scores } from './ports.ts'
import { type Case, type Verdict, type VerdictFacts, verdictOf } from './verdict.ts'

/** What a payment looks like before it is answered. */
export interface Sight {
  readonly facts: VerdictFacts
  readonly verdict: Verdict
  /** Null where nobody asks why, or the model does not say. */
  explained: Explained | null
}

/** Scores, makes outcomes of them, and then asks why, of those that are not simply approved. Null: a duplicate. */
export async function see(
  { rows, arrivals }: Enriched,
  active: Case & { readonly features: CompiledFeatures; readonly model: Model },
): Promise<{ sights: readonly (Sight | null)[] | null; failure: Error | null }> {
  const { model, policy } = active
  const { scores, failure } = await score(model, rows, arrivals.length)
  if (scores === null) return { sights: null, failure }
  const bytes = Buffer.from(rows.buffer)
  const width = active.features.names.length * 4
  const sights: (Sight | null)[] = []
  const which: number[] = []
  for (let i = 0; i < arrivals.length; i++) {
    const arrival = arrivals[i] as EnrichedArrival
    if (arrival.duplicateOf >= 0) {
      sights.push(null)
      continue
    }
    const facts = factsOf(arrival, bytes.subarray(i * width, (i + 1) * width), scores, i, active)
    const verdict = verdictOf(facts, active)
    sights.push({ facts, verdict, explained: null })
    if (isAskedWhy(verdict, policy)) which.push(i)
  }
  try {
    for (const [i, explained] of await explainRows(model, rows, arrivals.length, which)) {
      ;(sights[i] as Sight).explained = explained
    }
  } catch (error) {
    // Reasons depend on it, and decisions must come out the same when they are made again.
    return { sights: null, failure: error as Error }
  }
  return { sights, failure: null }
}

async function score(
  model: Model,
  rows: Float32Array,
  count: number,
): Promise<{ scores: Scores | null; failure: Error | null }> {
  try {
    return { scores: await model.score(rows, count), failure: null }
  } catch (error) {
    return { scores: null, failure: error as Error }
  }
}

function factsOf(
  { transaction, late }: EnrichedArrival,
  features: Buffer,
  { probabilities, parts }: Scores,
  row: number,
  { model, features: compiled }: { readonly features: CompiledFeatures; readonly model: Model },
): VerdictFacts {
  const score = probabilities[row] as number
  const partsOf: number[] = []
  for (const part of parts) partsOf.push(part[row] as number)
  const amount = amountIn(compiled, transaction)
  return { transaction, features, amount, late, score, riskScore: model.riskScore(score), parts: partsOf }
}

const isAskedWhy = ({ outcome, lists }: Verdict, { file }: CompiledPolicy): boolean =>
  outcome !== 'approve' || file.alert_on.includes(outcome) || lists.some(({ list }) => list === 'watch')
