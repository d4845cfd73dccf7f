import { type Command, InvalidArgumentError, Option } from 'commander'
import { compareAll, compareReplay, contestantsIn } from '../apps/compare.ts'
import { type SegmentField, segmentFields } from '../core/evaluation/decision-table.ts'
import { compareDefaults } from '../core/evaluation/options.ts'
import { readSummary } from '../replay/summary.ts'
import { showComparison } from './comparison.ts'
import { addWindow, count, days, time, wantsJson } from './flags.ts'
import { note, printJson } from './output.ts'
import { overviewOf, showOverview } from './overview.ts'
import { comparisonWarnings } from './warnings.ts'

interface Flags {
  readonly champion?: string
  readonly candidate?: string
  readonly by?: readonly string[]
  readonly from: number
  readonly to: number
  readonly labelsUntil?: number
  readonly maturityDays: number
  readonly bounds: boolean
  readonly cards: number
  readonly resamples: number
  readonly seed: number
  readonly report?: string
}

const periods = ['day', 'week'] as const

const { maturityDays, cards, resamples, seed } = compareDefaults

export function registerCompare(program: Command): void {
  addWindow(
    program
      .command('compare')
      .description(
        'what a change is worth: two candidates of a replay against each other (docs/evaluation.md)',
      )
      .argument('<folder>', 'what weir replay --out wrote')
      .option('--champion <name>', 'whom to compare with (default: champion)')
      .option('--candidate <name>', 'whom to compare (default: the only other one; of several a row each)')
      .addOption(
        new Option(
          '--by <field...>',
          'also by these (default: none on a terminal, all with --json and --report)',
        ).choices([...segmentFields, ...periods]),
      ),
  )
    .option('--labels-until <time>', 'labels known by then, ISO 8601 (default: those of the replay)', time)
    .option(
      '--maturity-days <n>',
      'payments younger than that at the cut-off are not judged by their labels',
      days,
      maturityDays,
    )
    .option('--no-bounds', 'the champion blocked nothing in this history: what has no label is honest')
    .option('--cards <k>', 'customers that a team looks at on a day, for card precision@k', whole(1), cards)
    .option('--resamples <n>', 'bootstrap resamples for intervals; 0: none', whole(0), resamples)
    .option('--seed <n>', 'seed of the resamples', whole(0), seed)
    .option('--report <file>', 'one HTML file for people, with everything')
    .action(async (folder: string, flags: Flags, command: Command) => {
      const json = wantsJson(command)
      const asked = flags.by ?? (json || flags.report !== undefined ? segmentFields : [])
      const request = {
        champion: flags.champion,
        window: { from: flags.from, to: flags.to },
        labelsUntil: flags.labelsUntil ?? null,
        maturityDays: flags.maturityDays,
        blocking: flags.bounds,
        period: periods.find((period) => asked.includes(period)) ?? null,
        resamples: flags.resamples,
        seed: flags.seed,
        cards: flags.cards,
      }
      // With neither cuts nor a report asked for, of several a row each.
      const { candidate, by, report } = flags
      const unnamed = candidate === undefined && by === undefined && report === undefined
      if (unnamed && contestantsIn(folder, flags.champion).others.length > 1) {
        const all = await compareAll(folder, request)
        return json ? printJson(overviewOf(all)) : showOverview(all, folder)
      }
      const comparison = await compareReplay(folder, {
        ...request,
        candidate,
        by: segmentFields.filter((field: SegmentField) => asked.includes(field)),
      })
      if (flags.report !== undefined) {
        // Charts take a while to load, and only this needs them.
        const { writeReport } = await import('../report/report.ts')
        writeReport(flags.report, comparison, readSummary(folder), comparisonWarnings(comparison))
        note(`report: ${flags.report}`)
      }
      if (json) printJson(comparison)
      else {
        const segments = flags.by === undefined ? [] : comparison.segments
        showComparison(
          { ...comparison, segments },
          periods.some((period) => asked.includes(period)),
        )
      }
    })
}

const whole =
  (least: number) =>
  (text: string): number => {
    const value = count(text)
    if (value >= least && Number.isFinite(value)) return value
    throw new InvalidArgumentError(`Give a whole number, ${least} or more.`)
  }
