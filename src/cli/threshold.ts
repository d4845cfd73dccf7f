import { type Command, InvalidArgumentError } from 'commander'
import { proposeThresholds, type ThresholdProposal, writePolicy } from '../apps/threshold.ts'
import { defaultCosts, loadCosts } from '../config/costs.ts'
import { loadFeatures } from '../config/definitions.ts'
import { figures, figureTitle } from '../core/evaluation/operating-point.ts'
import { compareDefaults } from '../core/evaluation/options.ts'
import { fixed, numbered } from '../core/numbers.ts'
import { configOf, days, number, refuseFlags, time, wantsJson } from './flags.ts'
import { note, print, printJson, printTable, styled } from './output.ts'
import { thresholdWarnings } from './warnings.ts'

interface Flags {
  readonly candidate: string
  readonly policy?: string
  readonly costs?: string
  readonly alertsPerDay: number
  readonly labelsUntil?: number
  readonly maturityDays: number
  readonly out?: string
  readonly report?: string
}

export function registerThreshold(program: Command): void {
  program
    .command('threshold')
    .description('the cheapest thresholds on a replay, for given costs and a number of alerts')
    .argument('<folder>', 'what weir replay --out wrote')
    .option('--candidate <name>', 'whose risk scores', 'champion')
    .option('--policy <file>', 'the policy that --out rewrites (default: the configuration)')
    .option('--costs <file>', 'what mistakes and measures cost (default: config/costs.yaml)')
    .option('--alerts-per-day <n>', 'at most so many, mean over days (default: no limit)', alerts, Infinity)
    .option('--labels-until <time>', 'labels known by then, ISO 8601 (default: those of the replay)', time)
    .option(
      '--maturity-days <n>',
      'payments younger than this at the cut-off do not count',
      days,
      compareDefaults.maturityDays,
    )
    .option('--out <file>', 'write the policy with the new thresholds there')
    .option('--report <file>', 'one HTML file for people, with the cost curve')
    .action(async (folder: string, flags: Flags, command: Command) => {
      if (flags.out === undefined) refuseFlags(command, ['policy'], 'without --out: now is what was replayed')
      const costs = flags.costs === undefined ? defaultCosts : loadCosts(flags.costs)
      const { candidate, alertsPerDay, labelsUntil = null, maturityDays } = flags
      const proposal = await proposeThresholds(folder, {
        candidate,
        costs,
        alertsPerDay,
        labelsUntil,
        maturityDays,
      })
      if (flags.out !== undefined) writeOut(flags.out, flags.policy, proposal, command)
      if (flags.report !== undefined) {
        // Charts take a while to load, and only this needs them.
        const { writeThresholdReport } = await import('../report/threshold-report.ts')
        writeThresholdReport(flags.report, proposal, thresholdWarnings(proposal))
        note(`report: ${flags.report}`)
      }
      if (wantsJson(command)) return printJson({ ...proposal, out: flags.out ?? null })
      show(proposal, folder)
    })
}

function writeOut(
  out: string,
  policy: string | undefined,
  { candidate, policy: replayed, now, proposed }: ThresholdProposal,
  command: Command,
): void {
  const { config } = configOf(command)
  const features = loadFeatures(config.features)
  const ofReplay = { name: candidate, policy: replayed, thresholds: now.thresholds }
  const warning = writePolicy(out, policy ?? config.policy, proposed.thresholds, features, ofReplay)
  if (warning !== null) note(warning)
  note(`policy with the proposed thresholds: ${out}, the rest from ${policy ?? config.policy}`)
}

function alerts(text: string): number {
  const value = number(text)
  if (value >= 0) return value
  throw new InvalidArgumentError('Give a number of alerts, 0 or more.')
}

const shown = (value: number | null, digits: number): string => (value === null ? '-' : fixed(value, digits))

function show(proposal: ThresholdProposal, folder: string): void {
  const { now, proposed, data, ...on } = proposal
  print(
    `${on.candidate} in ${folder}: ${numbered(data.judged.payments, 'judged payment')} of ${numbered(on.days, 'day')}, ${numbered(data.frauds.payments, 'fraud')} known by ${data.labels_until}`,
  )
  for (const line of thresholdWarnings(proposal)) note(line)
  print('')
  printTable(
    ['', 'NOW', 'PROPOSED', 'DIFFERENCE'],
    figures.map((figure) => {
      const { digits, of } = figure
      const [before, after] = [of(now), of(proposed)]
      const difference = before === null || after === null ? null : after - before
      const sign = difference !== null && difference > 0 ? '+' : ''
      return [
        figureTitle(figure, data.currency),
        shown(before, digits),
        shown(after, digits),
        sign + shown(difference, digits),
      ]
    }),
    'numbers',
  )
  const { missed_fraud, wrong_decline, challenge, review } = on.costs
  const dim = (text: string) => print(styled('dim', text))
  print('')
  dim(`now: policy ${on.policy}, of the replay of ${on.source}`)
  dim(`worst day: ${now.worst_day.date} now, ${proposed.worst_day.date} proposed`)
  dim(`alerts: ${on.alert_on.join(', ')}; at most ${on.alerts_per_day ?? 'any number'} a day`)
  dim(
    `costs, ${data.currency}: missed fraud ${missed_fraud.share} of its amount + ${missed_fraud.fixed}, wrong decline ${wrong_decline.share} of its amount + ${wrong_decline.fixed},`,
  )
  dim(
    `  challenge ${challenge.fixed} (${challenge.honest_lost} of the honest give up, ${challenge.fraud_passed} of the frauds pass), review ${review.fixed} (${review.fraud_passed} of the frauds pass)`,
  )
}
