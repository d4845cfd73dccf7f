import { WeirError } from '../core/errors.ts'
import type { CostMatrix } from '../core/evaluation/costs.ts'
import { type RulesEconomics, ruleEconomics } from '../core/evaluation/rule-economics.ts'
import { readDecisionTable, type Window } from '../replay/decisions-table.ts'
import { readSummary } from '../replay/summary.ts'
import { named } from './compare.ts'

export interface Economics extends RulesEconomics {
  readonly candidate: string
  /** version#hash. */
  readonly rulesId: string
  readonly payments: number
  readonly frauds: number
  /** ISO 4217, of all money. */
  readonly currency: string
}

/**
 * What the rules of one candidate of a replay are worth, each.
 *
 * @param folder what `weir replay --out` wrote.
 * @param asked candidate; undefined: the only one with rules.
 * @throws WeirError WEIR_CLI_INPUT when the folder holds no finished replay, or none with rules; WEIR_CLI_USAGE when it
 * does not say whose rules.
 */
export async function economicsOf(
  folder: string,
  asked: string | undefined,
  window: Window,
  costs: CostMatrix,
): Promise<Economics> {
  const { candidates, parts, currency } = readSummary(folder)
  const ruled = candidates.flatMap(({ name, rules }) => (rules ? [{ name, rules }] : []))
  const everyone = candidates.map(({ name }) => name)
  const one =
    named(asked, everyone, folder) ??
    onlyOf(
      ruled.map(({ name }) => name),
      folder,
    )
  const { rules } = ruled.find(({ name }) => name === one) ?? noRules(one, folder)
  const table = await readDecisionTable(folder, parts, window)
  const columns = table.candidates.find(({ name }) => name === one)
  if (!columns?.rules) {
    throw new WeirError('WEIR_CLI_INPUT', `the decisions of ${one} in ${folder} do not say which rules hit`, {
      cure: 'replay again',
    })
  }
  const order = rules.rules.map(({ id }) => id)
  return {
    candidate: one,
    rulesId: rules.id,
    payments: table.rows,
    frauds: table.fraud.reduce((sum, fraud) => sum + fraud, 0),
    currency,
    ...ruleEconomics(table, { ...columns, rules: columns.rules }, order, costs),
  }
}

function onlyOf(names: readonly string[], folder: string): string {
  const [only, another] = names
  if (only !== undefined && another === undefined) return only
  if (only === undefined) noRules('any candidate', folder)
  throw new WeirError('WEIR_CLI_USAGE', `several candidates in ${folder} had rules: ${names.join(', ')}`, {
    cure: `say whose: --candidate ${only}`,
  })
}

function noRules(who: string, folder: string): never {
  throw new WeirError('WEIR_CLI_INPUT', `${folder} has no rules of ${who}`, {
    cure: 'replay with some: weir replay SOURCE --candidate ruled:rules=rules/example.yaml',
  })
}
