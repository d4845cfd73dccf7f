import type { CompiledRules } from '../core/rules/rules.ts'
import type { Decision, Outcome, Transaction } from '../core/types.ts'
import { type Case, type RuleHit, verdictOf } from '../core/verdict.ts'

/**
 * For each rule that hit, the outcome that the payment would have without it: the verdict of the live code on the other
 * rules that hit.
 *
 * @param amount major units of the reference currency.
 */
export function outcomesWithout(
  decision: Pick<Decision, 'rules_hit' | 'features' | 'score' | 'risk_score' | 'late'>,
  transaction: Transaction,
  amount: number,
  { id, byId }: Pick<CompiledRules, 'id' | 'byId'>,
  active: Case,
): readonly Outcome[] {
  const { rules_hit, features, score, risk_score, late } = decision
  if (score === null || risk_score === null) return []
  const facts = { transaction, features, score, riskScore: risk_score, parts: [], amount, late }
  return rules_hit.map((left) => {
    const others = rules_hit.filter((one) => one !== left).map((one) => byId.get(one) as RuleHit)
    return verdictOf(facts, { ...active, rules: { id, hits: () => others } }).outcome
  })
}
