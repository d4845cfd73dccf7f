import { type Command, InvalidArgumentError, Option } from 'commander'
import { proposeThresholds, type ThresholdProposal, writePolicy } from '../apps/threshold.ts'
import { defaultCosts, loadCosts } from '../config/costs.ts'
import { loadFeatures } from '../config/definitions.ts'
import { compareDefaults } from '../core/evaluation/options.ts'
import { type SegmentedBy, segmentedBy } from '../core/evaluation/segment-cut.ts'
import type { CutOffs } from '../core/thresholds.ts'
import { configOf, days, number, refuseFlags, time, wantsJson } from './flags.ts'
import { note, printJson } from './output.ts'
import { show } from './threshold-shown.ts'
import { thresholdWarnings } from './warnings.ts'

interface Flags {
  readonly candidate: string
  readonly policy?: string
  readonly costs?: string
  readonly alertsPerDay: number
  readonly labelsUntil?: number
  readonly maturityDays: number
  readonly by?: SegmentedBy
  readonly leastFrauds: number
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
    .addOption(
      new Option('--alerts-per-day <n>', 'at most so many, mean over days')
        .argParser(alerts)
        .default(Number.POSITIVE_INFINITY, 'no limit'),
    )
    .option('--labels-until <time>', 'labels known by then, ISO 8601 (default: those of the replay)', time)
    .option(
      '--maturity-days <n>',
      'payments younger than this at the cut-off do not count',
      days,
      compareDefaults.maturityDays,
    )
    .addOption(
      new Option(
        '--by <field>',
        'also thresholds for each of its values, with one price of an alert',
      ).choices(segmentedBy),
    )
    .option('--least-frauds <n>', 'a segment of which fewer are known is refused', frauds, defaultLeastFrauds)
    .option(
      '--out <file>',
      'write the policy with the new thresholds there, those by segment where --by is given',
    )
    .option('--report <file>', 'one HTML file for people, with the cost curve')
    .action(async (folder: string, flags: Flags, command: Command) => {
      if (flags.out === undefined) refuseFlags(command, ['policy'], 'without --out: now is what was replayed')
      if (flags.by === undefined) refuseFlags(command, ['leastFrauds'], 'without --by: there are no segments')
      const costs = flags.costs === undefined ? defaultCosts : loadCosts(flags.costs)
      const { candidate, alertsPerDay, labelsUntil = null, maturityDays, by = null, leastFrauds } = flags
      const proposal = await proposeThresholds(folder, {
        candidate,
        costs,
        alertsPerDay,
        labelsUntil,
        maturityDays,
        by,
        leastFrauds,
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
  { candidate, policy: replayed, now, proposed, segmented }: ThresholdProposal,
  command: Command,
): void {
  const { config } = configOf(command)
  const features = loadFeatures(config.features)
  const ofReplay = { ...cutOffsOf(now), name: candidate, policy: replayed }
  const cutOffs = cutOffsOf(segmented?.proposed ?? proposed)
  const warning = writePolicy(out, policy ?? config.policy, cutOffs, features, ofReplay)
  if (warning !== null) note(warning)
  note(`policy with the proposed thresholds: ${out}, the rest from ${policy ?? config.policy}`)
}

const cutOffsOf = ({ thresholds, segments }: CutOffs): CutOffs =>
  segments === undefined ? { thresholds } : { thresholds, segments }

/** Of 30 frauds the share that is caught is known to 9 percentage points (standard error, at worst). */
const defaultLeastFrauds = 30

function frauds(text: string): number {
  const value = number(text)
  if (Number.isInteger(value) && value >= 1) return value
  throw new InvalidArgumentError('Give a number of frauds, 1 or more.')
}

function alerts(text: string): number {
  const value = number(text)
  if (value >= 0) return value
  throw new InvalidArgumentError('Give a number of alerts, 0 or more.')
}
