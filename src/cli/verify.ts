import type { Command } from 'commander'
import { withConnection } from '../apps/connect.ts'
import { WeirError } from '../core/errors.ts'
import { History } from '../core/history.ts'
import type { AtHand } from '../replay/at-hand.ts'
import { readSnapshot } from '../replay/snapshot.ts'
import type { Position } from '../replay/topic-source.ts'
import type { Difference, Verdict, Verification } from '../replay/verdict.ts'
import type { VerifyOptions } from '../replay/verify.ts'
import { configOf, wantsJson } from './flags.ts'
import { grouped, note, print, printTable, startProgress } from './output.ts'

export interface VerifyFlags {
  readonly from?: Position | undefined
  readonly to?: Position | undefined
  /** Lists of what is to be taken beside the configuration, with commas between. */
  readonly model?: string
  readonly policy?: string
  readonly features?: string
  readonly rules?: string
  /** A snapshot. */
  readonly start?: string
}

/**
 * Verifies the decisions of the configured topics.
 *
 * @throws WeirError WEIR_REPLAY_DIFFERS when one of them is not what it must be, or cannot be verified.
 */
export async function verify(flags: VerifyFlags, command: Command): Promise<void> {
  const { config } = configOf(command)
  // onnxruntime takes a while to load.
  const { findAtHand } = await import('../replay/at-hand.ts')
  const { verifyDecisions } = await import('../replay/verify.ts')
  const { ControlHistory } = await import('../replay/control-history.ts')
  const progress = startProgress('payments', Number.POSITIVE_INFINITY)
  let reported = 0
  const onProgress = (done: number, of: number) => {
    progress.reach(done / of)
    progress.add(done - reported)
    reported = done
  }
  const verdict = await withConnection(config, async ({ log, contracts }) => {
    const atHand = await findAtHand(config, {
      models: listOf(flags.model),
      policies: listOf(flags.policy),
      features: listOf(flags.features),
      rules: listOf(flags.rules),
      control: await ControlHistory.read(log, config.topics.control, contracts.control),
    })
    const start = flags.start === undefined ? undefined : await startOf(flags.start, atHand.features)
    return verifyDecisions({
      config,
      log,
      contracts,
      atHand,
      from: flags.from,
      to: flags.to,
      start,
      onProgress,
    })
  })
  const { seconds } = progress.stop()
  const result = verdict.finish()
  if (wantsJson(command)) print(JSON.stringify(result))
  else {
    printResult(result)
    note(`${grouped(result.decisions)} decisions in ${seconds.toFixed(1)} s`)
  }
  if (verdict.isBreach) throw breach(verdict)
}

/** The states of a snapshot, under the feature file that it was made with. */
async function startOf(path: string, features: AtHand['features']): Promise<VerifyOptions['start']> {
  let refusal: unknown
  for (const one of features) {
    const history = new History(one)
    try {
      return { head: await readSnapshot(path, history), history }
    } catch (error) {
      refusal ??= error
    }
  }
  throw refusal
}

const listOf = (text: string | undefined): string[] => text?.split(',') ?? []

function printResult(result: Verification): void {
  const { as_recorded, recomputed, dead_letters } = result
  const row = (what: string, { compared, differ }: { compared: number; differ: number }) => [
    what,
    grouped(compared),
    grouped(differ),
  ]
  printTable(
    ['', 'COMPARED', 'DIFFER'],
    [
      row('as recorded', as_recorded),
      row('recomputed from the log', recomputed),
      row('dead letters', dead_letters),
    ],
  )
  for (const line of linesOf(result)) print(line)
}

/** What the table does not say. */
function linesOf({
  ranges,
  recomputed,
  unverifiable,
  answer_gone,
  skipped,
  findings,
}: Verification): string[] {
  const lines = Object.entries(recomputed.customer_columns_differ).map(
    ([column, decisions]) => `${column} differs in ${grouped(decisions)} decisions`,
  )
  for (const { partition, first, states_from } of ranges) {
    if (states_from !== null) continue
    lines.push(
      `retention has cut partition ${partition}, which begins at ${first}: it was verified as recorded only`,
    )
  }
  lines.push(entityLine(recomputed.entity))
  if (answer_gone > 0)
    lines.push(`${grouped(answer_gone)} payments are older than the first answer that is left`)
  if (skipped > 0) lines.push(`${grouped(skipped)} payments were declared skipped: not decided here`)
  for (const { model, model_sha256, policy, decisions, why } of unverifiable.versions) {
    lines.push(
      `not verified: ${grouped(decisions)} decisions of ${model} (${model_sha256}), policy ${policy}: ${why}`,
    )
  }
  if (ranges.every(({ from, to }) => from === to)) lines.push('nothing was decided in this range')
  return [...lines, ...findings]
}

function entityLine(entity: Verification['recomputed']['entity']): string {
  if (entity === null)
    return 'values of merchants, terminals and devices need the whole log, which has been cut'
  const { values, differ, decisions, outcomes_differ, largest_relative, median_relative } = entity
  const percent = (share: number | null) => (share === null ? '-' : `${(share * 100).toPrecision(3)} %`)
  return [
    `values of merchants, terminals and devices depend on the moment: ${grouped(differ)} of ${grouped(values)}`,
    `are others now, in ${grouped(decisions)} decisions (median ${percent(median_relative)}, at most`,
    `${percent(largest_relative)}); ${grouped(outcomes_differ)} outcomes would be others`,
  ].join(' ')
}

function breach({ result }: Verdict): WeirError {
  const { first_difference, findings, unverifiable } = result
  const [finding] = findings
  const first =
    first_difference !== null
      ? inWords(first_difference)
      : (finding ?? `${grouped(unverifiable.decisions)} decisions cannot be verified`)
  return new WeirError('WEIR_REPLAY_DIFFERS', `the decisions were not all verified: ${first}`, {
    cure: 'name what is not at hand by --model, --policy and --features; docs/replay.md tells what a difference can come from',
  })
}

const inWords = ({ decision_id, field, recorded, recomputed }: Difference): string =>
  `${field} of ${decision_id} is ${JSON.stringify(recorded)}, recomputed ${JSON.stringify(recomputed)}`
