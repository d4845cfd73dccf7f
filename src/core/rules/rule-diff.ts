import type { Rule, RulesFile } from './rules.ts'

/** What differs between two rules files, rule by rule, by id. */
export interface RulesDiff {
  readonly added: readonly string[]
  readonly removed: readonly string[]
  readonly changed: readonly ChangedRule[]
}

export interface ChangedRule {
  readonly id: string
  readonly fields: readonly { readonly field: string; readonly before: unknown; readonly after: unknown }[]
}

/** @param before null: no rules. */
export function diffRules(before: RulesFile | null, after: RulesFile): RulesDiff {
  const [old, current] = [byId(before), byId(after)]
  return {
    added: [...current.keys()].filter((id) => !old.has(id)),
    removed: [...old.keys()].filter((id) => !current.has(id)),
    changed: [...current].flatMap(([id, rule]) => changesOf(old.get(id), rule)),
  }
}

const byId = (file: RulesFile | null): ReadonlyMap<string, Rule> =>
  new Map(file?.rules.map((rule) => [rule.id, rule]))

function changesOf(before: Rule | undefined, after: Rule): ChangedRule[] {
  if (before === undefined) return []
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])] as (keyof Rule)[]
  const fields = names
    .filter((name) => JSON.stringify(before[name]) !== JSON.stringify(after[name]))
    .map((field) => ({ field, before: before[field] ?? null, after: after[field] ?? null }))
  return fields.length === 0 ? [] : [{ id: after.id, fields }]
}
