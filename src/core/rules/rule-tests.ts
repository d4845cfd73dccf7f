import type { Transaction } from '../types.ts'
import type { ListHit, ListName, ListType, RuleFacts } from '../verdict.ts'
import { type RuleName, transactionFields } from './names.ts'
import type { CompiledRules, Rule, RuleTest } from './rules.ts'

/** A test of a rule that did not come out as expected. */
export interface FailedTest {
  readonly rule: string
  /** Place among the tests of the rule, from 0. */
  readonly test: number
  readonly given: RuleTest['given']
  readonly expected: 'hit' | 'miss'
}

/** Runs the tests beside the rules, each on a payment of which only what is given is known. */
export function failedTests(
  rules: CompiledRules,
  names: ReadonlyMap<string, RuleName>,
): readonly FailedTest[] {
  return rules.file.rules.flatMap((rule) =>
    rule.tests.flatMap(({ given, expect }, test) => {
      const hit = rules.hits(factsOf(rule, given, names)).some(({ id }) => id === rule.id)
      return hit === (expect === 'hit') ? [] : [{ rule: rule.id, test, given, expected: expect }]
    }),
  )
}

/** What is not given is missing; the time is the beginning of the rule's first day. */
function factsOf(rule: Rule, given: RuleTest['given'], names: ReadonlyMap<string, RuleName>): RuleFacts {
  const fields: Record<string, string | number | null> = {
    ...Object.fromEntries(Object.keys(transactionFields).map((field) => [field, null])),
    event_time: rule.from === undefined ? 0 : Date.parse(rule.from),
  }
  const features = new Float32Array(names.size).fill(Number.NaN)
  const parts: number[] = []
  const lists: ListHit[] = []
  let [score, riskScore] = [Number.NaN, Number.NaN]
  for (const [path, value] of Object.entries(given)) {
    const target = names.get(path)?.value
    switch (target?.kind) {
      case 'text field':
      case 'number field':
        fields[target.field] = value as string | number
        break
      case 'feature':
        features[target.column] = value as number
        break
      case 'part':
        parts[target.index] = value as number
        break
      case 'score':
        score = value as number
        break
      case 'risk score':
        riskScore = value as number
        break
      case 'listed': {
        const [, list, type] = path.split('.') as [string, ListName, ListType]
        if (value === true) lists.push({ list, type, isFinal: false })
        break
      }
    }
  }
  const transaction = fields as unknown as Transaction
  return { transaction, features: Buffer.from(features.buffer), score, riskScore, parts, lists }
}
