import { median } from 'simple-statistics'
import { readText } from '../config/definitions.ts'
import { rulesOf } from '../config/rules-file.ts'
import type { Config } from '../config/schema.ts'
import type { CompiledRules } from '../core/rules/rules.ts'
import { cpuOf, ruleFactsOf } from './rule-facts.ts'

const payments = 5_000
const times = 20
const rounds = 5

/**
 * What each rule costs, microseconds of CPU a payment, by id: measured alone on generated payments, the median of
 * some rounds. It differs from run to run.
 *
 * @throws WeirError WEIR_RULES_INVALID.
 */
export async function ruleCosts(path: string, config: Config): Promise<ReadonlyMap<string, number>> {
  const { facts, world } = await ruleFactsOf(config, payments)
  const whole = rulesOf(path, readText(path, 'WEIR_RULES_INVALID'), world)
  const alone = whole.file.rules.map((rule) =>
    rulesOf(path, JSON.stringify({ ...whole.file, rules: [rule] }), world),
  )
  const nothing = rulesOf(path, JSON.stringify({ ...whole.file, rules: [] }), world)
  // Together first, so that the compilers see what they see live: many rules.
  for (const rules of alone) cpuOf(rules, facts)
  const costOf = (rules: CompiledRules) =>
    median(Array.from({ length: rounds }, () => cpuOf(rules, facts, times)))
  const base = costOf(nothing)
  return new Map(
    alone.map((rules, i) => [whole.file.rules[i]?.id as string, Math.max(0, costOf(rules) - base)]),
  )
}
