import type { RulesWorld } from '../config/rules-file.ts'
import type { Config } from '../config/schema.ts'
import type { Decision } from '../core/types.ts'
import type { RuleFacts, Rules } from '../core/verdict.ts'
import { openCandidates } from '../replay/candidates.ts'
import { historiesOf, newTally, Pass } from '../replay/pass.ts'
import { generatedSource } from '../replay/source.ts'

/** Generated payments as the scorer sees them when it asks the rules, and what rules can be compiled against. */
export interface RuleFactsOfPayments {
  readonly facts: readonly RuleFacts[]
  readonly world: RulesWorld
}

/** Runs generated payments (seed 1) through features and champion. What a model of several parts says alone is left out. */
export async function ruleFactsOf(config: Config, events: number): Promise<RuleFactsOfPayments> {
  const candidates = await openCandidates(config, [{ name: 'champion', rules: 'none', thresholds: {} }])
  const facts: RuleFacts[] = []
  const pass = new Pass({
    topic: config.topics.transactions,
    candidates: candidates.all,
    histories: historiesOf(candidates.all),
    known: new Map(),
    cutOff: Number.POSITIVE_INFINITY,
    limit: Number.POSITIVE_INFINITY,
    tally: newTally(),
    onDecided({ arrivals, decisions: [decisions = []] }) {
      for (const [i, { transaction }] of arrivals.entries()) {
        const { features, score, risk_score: riskScore } = decisions[i] as Decision
        if (score === null || riskScore === null) continue
        facts.push({ transaction, features, score, riskScore, parts: [], lists: [] })
      }
    },
    onRejected() {},
  })
  try {
    const { partitions } = config.topics
    for await (const items of generatedSource({ events, seed: 1, partitions }).items(() => {})) {
      await pass.take(items)
    }
    await pass.settle()
    const [{ active }] = candidates.all as [(typeof candidates.all)[number]]
    return { facts, world: { features: active.features.names, parts: active.model.parts } }
  } finally {
    await candidates.close()
  }
}

/** Microseconds of CPU a payment that the rules take; the clock of the CPU is coarse, so some thousand payments. */
export function cpuOf(rules: Rules, facts: readonly RuleFacts[], times = 1): number {
  const begun = process.threadCpuUsage()
  for (let time = 0; time < times; time++) for (const one of facts) rules.hits(one)
  const { user, system } = process.threadCpuUsage(begun)
  return (user + system) / (facts.length * times)
}
