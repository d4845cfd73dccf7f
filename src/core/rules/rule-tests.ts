import type { Transaction } from '../types.ts'
import type { RuleInput } from './closures.ts'
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
  return rules.file.rules.flatMap((rule, place) =>
    rule.tests.flatMap(({ given, expect }, test) => {
      const hit = rules.evaluate(inputOf(rule, given, names)).includes(place)
      return hit === (expect === 'hit') ? [] : [{ rule: rule.id, test, given, expected: expect }]
    }),
  )
}

/** What is not given is missing; the time is the beginning of the rule's first day. */
function inputOf(rule: Rule, given: RuleTest['given'], names: ReadonlyMap<string, RuleName>): RuleInput {
  const fields: Record<string, string | number | null> = {
    ...Object.fromEntries(Object.keys(transactionFields).map((field) => [field, null])),
    event_time: rule.from === undefined ? 0 : Date.parse(rule.from),
  }
  const input: RuleInput = {
    transaction: fields as unknown as Transaction,
    features: new Float32Array(names.size).fill(Number.NaN),
    offset: 0,
    score: Number.NaN,
    riskScore: Number.NaN,
    parts: [],
    row: 0,
    listed: 0,
  }
  const parts: Float64Array[] = []
  for (const [path, value] of Object.entries(given)) {
    const target = names.get(path)?.value
    switch (target?.kind) {
      case 'text field':
      case 'number field':
        fields[target.field] = value as string | number
        break
      case 'feature':
        input.features[target.column] = value as number
        break
      case 'part':
        parts[target.index] = Float64Array.of(value as number)
        break
      case 'score':
        input.score = value as number
        break
      case 'risk score':
        input.riskScore = value as number
        break
      case 'listed':
        if (value === true) input.listed |= target.bit
        break
    }
  }
  return { ...input, parts }
}
