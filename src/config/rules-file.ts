import { z } from 'zod'
import { WeirError } from '../core/errors.ts'
import { canonical } from '../core/features/compile.ts'
import type { BoolExpression } from '../core/rules/expression.ts'
import { type RuleName, ruleNames } from '../core/rules/names.ts'
import { type FailedTest, failedTests } from '../core/rules/rule-tests.ts'
import {
  type CompiledRules,
  compileRules,
  type Rule,
  type RulesFile,
  scopeFields,
} from '../core/rules/rules.ts'
import { channels, entryModes, outcomes, transactionTypes } from '../core/types.ts'
import { createCelReader } from './cel.ts'
import {
  checked,
  fileVersion,
  hint,
  oneOf,
  only,
  readText,
  reasonCode,
  sha256,
  yamlOf,
} from './definitions.ts'

/** What rules are compiled against. */
export interface RulesWorld {
  /** Names of the features in column order. */
  readonly features: readonly string[]
  /** Names of the models whose scores are fused, in the order of Model.parts. */
  readonly parts: readonly string[]
}

const code = 'WEIR_RULES_INVALID'
const cure = 'mend the lines that are named; docs/rules.md says how rules are written'

const day = z.iso.date({ error: 'must be a day, 2026-01-31' })
const scopeValues = {
  channel: oneOf(channels),
  type: oneOf(transactionTypes),
  entry_mode: oneOf(entryModes),
  country: z.string().regex(/^[A-Z]{2}$/, 'must be two letters, DE'),
  currency: z.string().regex(/^[A-Z]{3}$/, 'must be three letters, EUR'),
  mcc: z.string().regex(/^\d{4}$/, 'must be four digits in quotes'),
} satisfies Record<(typeof scopeFields)[number], z.ZodType>

const rule = (names: ReadonlyMap<string, RuleName>) =>
  only({
    id: z.string().regex(/^[a-z][a-z0-9_-]{0,63}$/, 'must be lower case letters, digits, - and _'),
    version: z.int().min(1),
    when: z.string().min(1).max(2_000),
    outcome: oneOf(outcomes).optional(),
    adjust: z.int().min(-999).max(999).optional(),
    reason: only({
      code: reasonCode,
      text: z.string().min(1).max(256),
    }),
    priority: z.int().min(-1_000_000).max(1_000_000).default(0),
    tags: z.array(z.string().min(1).max(64)).default([]),
    from: day.optional(),
    until: day.optional(),
    scope: only(
      Object.fromEntries(scopeFields.map((field) => [field, z.array(scopeValues[field]).min(1).optional()])),
    ).optional(),
    tests: z.array(only({ given: given(names), expect: oneOf(['hit', 'miss']) })).default([]),
  })
    .refine(({ outcome, adjust }) => (outcome === undefined) !== (adjust === undefined), {
      error: 'needs either an outcome or an adjust',
    })
    .refine(({ from, until }) => from === undefined || until === undefined || from < until, {
      path: ['until'],
      error: 'must be after `from`',
    })

/** Values by the names of CEL, each of its type. */
const given = (names: ReadonlyMap<string, RuleName>) =>
  z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).superRefine((values, context) => {
    for (const [path, value] of Object.entries(values)) {
      const type = names.get(path)?.type
      const message =
        type === undefined
          ? `there is no "${path}"${hint(path, [...names.keys()]).join('')}`
          : typeof value === jsTypes[type]
            ? undefined
            : `"${path}" is a ${jsTypes[type]}`
      if (message !== undefined) context.addIssue({ code: 'custom', path: [], message })
    }
  })

const jsTypes = { int: 'number', double: 'number', string: 'string', bool: 'boolean' } as const

const rulesFile = (names: ReadonlyMap<string, RuleName>) =>
  only({
    version: fileVersion,
    rules: z.array(rule(names)).max(10_000),
  }).refine(({ rules }) => new Set(rules.map(({ id }) => id)).size === rules.length, {
    path: ['rules'],
    error: 'must differ in id',
  })

/**
 * Compiles the text of a rules file. The tests beside the rules are not run.
 *
 * @param source where the text comes from, for messages.
 * @throws WeirError WEIR_RULES_INVALID with a line for each mistake.
 */
export function rulesOf(source: string, text: string, world: RulesWorld): CompiledRules {
  const names = ruleNames(world.features, world.parts)
  const content = yamlOf(source, text, code)
  const file = checked(source, content, rulesFile(names), code, cure) as RulesFile
  const id = `${file.version}#${sha256(canonical(file)).slice(0, 8)}`
  return compileRules(file, id, conditionsOf(source, file.rules, names))
}

/** @throws WeirError WEIR_RULES_INVALID. */
export const loadRules = (path: string, world: RulesWorld): CompiledRules =>
  rulesOf(path, readText(path, code), world)

function conditionsOf(
  source: string,
  rules: readonly Rule[],
  names: ReadonlyMap<string, RuleName>,
): readonly BoolExpression[] {
  const reader = createCelReader(names)
  const mistakes: string[] = []
  const conditions = rules.flatMap(({ id, when }, place) => {
    const tree = reader.read(when)
    if (typeof tree !== 'string') return tree
    mistakes.push(`${source}: rules.${place} (${id}).when ${tree}`)
    return []
  })
  if (mistakes.length > 0) throw new WeirError(code, mistakes.join('\n'), { cure })
  return conditions
}

/** The tests that fail of those beside the rules. */
export const failuresOf = (rules: CompiledRules, world: RulesWorld): readonly FailedTest[] =>
  failedTests(rules, ruleNames(world.features, world.parts))

/** @throws WeirError WEIR_RULES_TESTS that names each test that fails. */
export function assertTestsPass(source: string, rules: CompiledRules, world: RulesWorld): void {
  const failed = failuresOf(rules, world)
  if (failed.length === 0) return
  const lines = failed.map(
    ({ rule, test, expected, given }) =>
      `${source}: ${rule}, test ${test + 1}: should ${expected} on ${JSON.stringify(given)}`,
  )
  throw new WeirError('WEIR_RULES_TESTS', lines.join('\n'), {
    cure: 'mend the rule, or what its test expects',
  })
}
