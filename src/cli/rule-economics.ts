import type { Command } from 'commander'
import { type Economics, economicsOf } from '../apps/economics.ts'
import { defaultCosts, loadCosts } from '../config/costs.ts'
import type { RuleEconomics } from '../core/evaluation/rule-economics.ts'
import { addWindow, configOf, wantsJson } from './flags.ts'
import { grouped, print, printJson, printTable } from './output.ts'

interface Flags {
  readonly candidate?: string
  readonly costs?: string
  readonly measure?: string
  readonly from: number
  readonly to: number
}

export function registerEconomics(rules: Command): void {
  addWindow(
    rules
      .command('economics')
      .description('what each rule is worth, from a replay with rules')
      .argument('<folder>', 'what weir replay --out wrote')
      .option('--candidate <name>', 'whose rules (default: the only ones)')
      .option('--costs <file>', 'what mistakes and measures cost (default: config/costs.yaml)'),
  )
    .option('--measure <file>', 'also the CPU time of each rule of this file, on generated payments')
    .addHelpText(
      'after',
      `
Example:
  weir replay --events 100000 --candidate ruled:rules=rules/example.yaml
  weir rules economics out/replay`,
    )
    .action(async (folder: string, flags: Flags, command: Command) => {
      const costs = flags.costs === undefined ? defaultCosts : loadCosts(flags.costs)
      const window = { from: flags.from, to: flags.to }
      const economics = await economicsOf(folder, flags.candidate, window, costs)
      const measured = flags.measure === undefined ? null : await measure(flags.measure, command)
      if (wantsJson(command)) printJson(asJson(economics, measured))
      else show(economics, measured)
    })
}

type Measured = ReadonlyMap<string, number> | null

async function measure(path: string, command: Command): Promise<Measured> {
  // onnxruntime takes a while to load.
  const { ruleCosts } = await import('../apps/rule-cost.ts')
  return await ruleCosts(path, configOf(command).config)
}

function asJson({ rules, ...economics }: Economics, measured: Measured) {
  const rows = rules.map((rule) => ({
    ...rule,
    lastHit: timeOf(rule),
    ...(measured && { us: measured.get(rule.rule) ?? null }),
  }))
  return { ...economics, rules: rows }
}

const timeOf = ({ lastHit }: RuleEconomics): string | null =>
  lastHit === null ? null : new Date(lastHit).toISOString()

function show(economics: Economics, measured: Measured): void {
  const { candidate, rulesId, payments, frauds, currency, rules, changesNothing } = economics
  print(`${candidate}, rules ${rulesId}: ${grouped(payments)} payments, ${grouped(frauds)} known as fraud`)
  print('')
  printTable(
    [
      'RULE',
      'HITS',
      'FRAUDS',
      'FALSE:1',
      'DECIDED',
      'ONLY IT',
      `${currency} ONLY IT`,
      `${currency} SAVED`,
      'LAST HIT',
      ...(measured ? ['US'] : []),
    ],
    rules.map((rule) => [
      rule.rule,
      grouped(rule.hits),
      grouped(rule.fraudHits),
      rule.falsePositiveRatio === null ? '' : rule.falsePositiveRatio.toFixed(1),
      grouped(rule.decided),
      grouped(rule.uniqueCatch),
      grouped(Math.round(rule.uniqueCatchValue)),
      grouped(Math.round(rule.saved)),
      timeOf(rule)?.slice(0, 10) ?? 'never',
      ...(measured ? [measured.get(rule.rule)?.toFixed(3) ?? ''] : []),
    ]),
    'numbers',
  )
  showOverlap(economics)
  print('')
  print(
    changesNothing.length === 0
      ? 'without any of them some payment would have another outcome'
      : `removing one of these changes nothing: ${changesNothing.join(', ')}`,
  )
}

/** Rules that never held are left out. */
function showOverlap({ rules, overlap }: Economics): void {
  const places = rules.flatMap(({ hits }, i) => (hits > 0 ? [i] : []))
  if (places.length < 2) return
  print('')
  printTable(
    ['BOTH HIT', ...places.map((_, i) => String(i + 1))],
    places.map((row, i) => [
      `${i + 1} ${rules[row]?.rule}`,
      ...places.map((column) => grouped(overlap[row]?.[column] ?? 0)),
    ]),
    'numbers',
  )
}
