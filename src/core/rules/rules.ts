import type { Outcome, Reason, Transaction } from '../types.ts'
import type { RuleFacts, RuleHit, Rules } from '../verdict.ts'
import { type Condition, compileCondition, type RuleInput } from './closures.ts'
import type { BoolExpression } from './expression.ts'
import { listBit } from './names.ts'

/** A rules file. Documented in docs/rules.md. */
export interface RulesFile {
  readonly version: string
  readonly rules: readonly Rule[]
}

/** One rule: when it hits, and what it does then, either an outcome or an adjustment. */
export interface Rule {
  readonly id: string
  readonly version: number
  /** The condition, CEL. */
  readonly when: string
  readonly outcome?: Outcome | undefined
  /** Points that it adds to the risk score (0-999); 0 only watches. */
  readonly adjust?: number | undefined
  readonly reason: Reason
  /** Of the rules with an outcome that hit, the one of the highest priority decides. */
  readonly priority: number
  readonly tags: readonly string[]
  /** Days of event time, UTC, YYYY-MM-DD: from the beginning of `from` to before the beginning of `until`. */
  readonly from?: string | undefined
  readonly until?: string | undefined
  readonly scope?: Scope | undefined
  readonly tests: readonly RuleTest[]
}

/** Fields of the payment by which a rule can be limited; a payment that lacks the field is outside. */
export const scopeFields = ['channel', 'type', 'entry_mode', 'country', 'currency', 'mcc'] as const
export type Scope = { readonly [Field in (typeof scopeFields)[number]]?: readonly string[] | undefined }

/** What a rule must do on a payment of which only this is known, by the names of CEL. */
export interface RuleTest {
  readonly given: Readonly<Record<string, string | number | boolean>>
  readonly expect: 'hit' | 'miss'
}

/** Whether a rule, by its id, is silent for a payment. Asked of rules that hold only. */
export type IsSnoozed = (rule: string, transaction: Transaction) => boolean

/** A rules file made ready for one set of features and one model. */
export interface CompiledRules extends Rules {
  readonly file: RulesFile
  /** What each rule does where it holds, by id. */
  readonly byId: ReadonlyMap<string, RuleHit>
  /** The same rules, but those that are snoozed. */
  silencedBy(isSnoozed: IsSnoozed): Rules
}

/**
 * @param id version#hash of the file.
 * @param conditions of the rules, in their order.
 */
export function compileRules(
  file: RulesFile,
  id: string,
  conditions: readonly BoolExpression[],
): CompiledRules {
  const compiled = file.rules.map((rule, i) => ({
    holds: compileRule(rule, conditions[i] as BoolExpression),
    hit: hitOf(rule),
  }))
  const hits = (facts: RuleFacts, isSnoozed?: IsSnoozed): readonly RuleHit[] => {
    const input = inputOf(facts)
    let found = none
    for (const { holds, hit } of compiled) {
      if (!holds(input) || isSnoozed?.(hit.id, facts.transaction)) continue
      if (found === none) found = [hit]
      else found.push(hit)
    }
    return found
  }
  return {
    file,
    id,
    byId: new Map(compiled.map(({ hit }) => [hit.id, hit])),
    hits: (facts) => hits(facts),
    silencedBy: (isSnoozed) => ({ id, hits: (facts) => hits(facts, isSnoozed) }),
  }
}

const none: RuleHit[] = []

const hitOf = ({ id, outcome, adjust, priority, reason }: Rule): RuleHit => ({
  id,
  outcome: outcome ?? null,
  adjust: adjust ?? 0,
  priority,
  reason,
})

function inputOf({ transaction, features, score, riskScore, parts, lists }: RuleFacts): RuleInput {
  let listed = 0
  for (const { list, type } of lists) listed |= listBit(list, type)
  return { transaction, features: floatsOf(features), score, riskScore, parts, listed }
}

/** A view where the bytes lie so that one can be; decoded vectors may lie anywhere. */
function floatsOf({ buffer, byteOffset, byteLength }: Buffer): Float32Array {
  return byteOffset % 4 === 0
    ? new Float32Array(buffer, byteOffset, byteLength / 4)
    : new Float32Array(buffer.slice(byteOffset, byteOffset + byteLength))
}

/** Scope and dates as part of the condition; those that are not given cost nothing. */
function compileRule({ scope = {}, from, until }: Rule, tree: BoolExpression): Condition {
  let condition = compileCondition(tree)
  if (from !== undefined || until !== undefined) condition = within(from, until, condition)
  for (const field of scopeFields) {
    const values = scope[field]
    if (values !== undefined) condition = among(field, new Set(values), condition)
  }
  return condition
}

function within(from: string | undefined, until: string | undefined, then: Condition): Condition {
  const begin = from === undefined ? -Infinity : Date.parse(from)
  const end = until === undefined ? Infinity : Date.parse(until)
  return (input) => {
    const { event_time } = input.transaction
    return event_time >= begin && event_time < end && then(input)
  }
}

function among(field: keyof Scope, values: ReadonlySet<string | null>, then: Condition): Condition {
  const [only] = values.size === 1 ? values : []
  return only === undefined
    ? (input) => values.has(input.transaction[field]) && then(input)
    : (input) => input.transaction[field] === only && then(input)
}
