import type { Command } from 'commander'
import { withConnection } from '../apps/connect.ts'
import { type Author, publishChange } from '../apps/control.ts'
import { type ActiveRules, activeRules, rulesWorldOf } from '../apps/rules.ts'
import { readText } from '../config/definitions.ts'
import { assertTestsPass, failuresOf, loadRules } from '../config/rules-file.ts'
import type { Config } from '../config/schema.ts'
import { WeirError } from '../core/errors.ts'
import { diffRules, type RulesDiff } from '../core/rules/rule-diff.ts'
import type { CompiledRules } from '../core/rules/rules.ts'
import { addAuthor, configOf, wantsJson } from './flags.ts'
import { print, printJson, printTable, styled } from './output.ts'
import { registerEconomics } from './rule-economics.ts'

const example = `
Examples:
  weir rules test rules/example.yaml
  weir rules diff rules/example.yaml
  weir rules publish rules/example.yaml --author ana --comment "card testing of Friday"`

export function registerRules(program: Command): void {
  const rules = program
    .command('rules')
    .description('rules of the fraud team: check, test, compare, publish, weigh (docs/rules.md)')
    .addHelpText('after', example)

  rules
    .command('check')
    .description('whether a rules file can be read: names, types, syntax')
    .argument('[file]', 'rules file (default: the setting `rules`)')
    .action(async (path: string | undefined, _, command: Command) => {
      const { config } = configOf(command)
      const { file, id } = loadRules(fileOf(path, config), await rulesWorldOf(config))
      const untested = file.rules.filter(({ tests }) => tests.length === 0).map((rule) => rule.id)
      if (wantsJson(command)) return printJson({ id, rules: file.rules.length, untested })
      print(`${styled('green', 'ok')}  ${id}, ${file.rules.length} rules`)
      if (untested.length > 0) print(`without a test: ${untested.join(', ')}`)
    })

  rules
    .command('test')
    .description('run the tests that stand beside the rules')
    .argument('[file]', 'rules file (default: the setting `rules`)')
    .action(async (path: string | undefined, _, command: Command) => {
      const { config } = configOf(command)
      const source = fileOf(path, config)
      const world = await rulesWorldOf(config)
      const rules = loadRules(source, world)
      showTests(rules, failuresOf(rules, world), wantsJson(command))
      assertTestsPass(source, rules, world)
    })

  rules
    .command('diff')
    .description('what publishing a file would change, rule by rule')
    .argument('[file]', 'rules file (default: the setting `rules`)')
    .action(async (path: string | undefined, _, command: Command) => {
      const { config } = configOf(command)
      const world = await rulesWorldOf(config)
      const after = loadRules(fileOf(path, config), world)
      const before = await withConnection(config, (connection) => activeRules(connection, config, world))
      const diff = diffRules(before?.rules.file ?? null, after.file)
      if (wantsJson(command)) {
        return printJson({ active: before?.rules.id ?? null, file: after.id, ...diff })
      }
      showDiff(before, after, diff)
    })

  addAuthor(
    rules
      .command('publish')
      .description('send a rules file to all members; one that fails check or tests is not sent')
      .argument('<file>', 'rules file'),
  ).action(async (path: string, { author, comment }: Author, command: Command) => {
    const { config } = configOf(command)
    const world = await rulesWorldOf(config)
    const rules = loadRules(path, world)
    assertTestsPass(path, rules, world)
    const control_id = await withConnection(config, (connection) =>
      publishChange(connection, config, {
        kind: 'rules',
        name: 'rules',
        version: rules.file.version,
        body: readText(path, 'WEIR_RULES_INVALID'),
        author,
        comment,
      }),
    )
    if (wantsJson(command)) return printJson({ id: rules.id, control_id, topic: config.topics.control })
    print(`${styled('green', 'published')}  ${rules.id}, ${rules.file.rules.length} rules`)
  })

  registerEconomics(rules)
}

function fileOf(path: string | undefined, { rules }: Config): string {
  if (path !== undefined) return path
  if (rules !== null) return rules
  throw new WeirError(
    'WEIR_CLI_USAGE',
    'there is no rules file: neither one is named nor the setting `rules`',
    {
      cure: 'name a file, rules/example.yaml for one',
    },
  )
}

function showTests({ file }: CompiledRules, failures: ReturnType<typeof failuresOf>, json: boolean): void {
  const rows = file.rules.map(({ id, tests }) => {
    const failed = failures.filter(({ rule }) => rule === id).map(({ test }) => test + 1)
    return { rule: id, tests: tests.length, failed }
  })
  if (json) {
    printJson(rows)
    return
  }
  printTable(
    ['RULE', 'TESTS', ''],
    rows.map(({ rule, tests, failed }) => [
      rule,
      String(tests),
      failed.length > 0
        ? styled('red', `failed: ${failed.join(', ')}`)
        : styled(tests > 0 ? 'green' : 'dim', tests > 0 ? 'ok' : 'no test'),
    ]),
  )
}

function showDiff(before: ActiveRules | null, after: CompiledRules, diff: RulesDiff): void {
  print(`active  ${before === null ? 'no rules' : `${before.rules.id} (${before.source})`}`)
  print(`file    ${after.id}`)
  const rows = [
    ...diff.added.map((id) => [styled('green', 'added'), id, '', '', '']),
    ...diff.removed.map((id) => [styled('red', 'removed'), id, '', '', '']),
    ...diff.changed.flatMap(({ id, fields }) =>
      fields.map(({ field, ...values }) => [
        'changed',
        id,
        field,
        inWords(values.before),
        inWords(values.after),
      ]),
    ),
  ]
  print('')
  if (rows.length === 0) print('nothing differs')
  else printTable(['', 'RULE', 'FIELD', 'ACTIVE', 'FILE'], rows)
}

const inWords = (value: unknown): string =>
  value === null ? 'none' : typeof value === 'string' ? value : JSON.stringify(value)
