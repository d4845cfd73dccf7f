import { type Command, InvalidArgumentError } from 'commander'
import { type ReplayOptions, type ReplaySummary, replay } from '../apps/replay.ts'
import { WeirError } from '../core/errors.ts'
import { openCandidates, parseCandidate } from '../replay/candidates.ts'
import { generatedSource, type Source } from '../replay/source.ts'
import { configOf, count, time, wantsJson } from './flags.ts'
import { grouped, note, print, printTable, startProgress } from './output.ts'
import { interruptible } from './shutdown.ts'
import { addFileFlags, BadRows, type FileFlags, openFiles } from './source.ts'

interface Flags extends FileFlags {
  readonly out: string
  readonly scores?: string
  readonly state?: string
  readonly model?: string
  readonly policy?: string
  readonly features?: string
  readonly candidate: readonly string[]
  readonly labelsUntil: number
  readonly events?: number
  readonly seed: number
  readonly limit: number
  readonly rate: number
  readonly resume: boolean
}

export function registerReplay(program: Command): void {
  const command = program
    .command('replay')
    .description('run history through the code that runs live: what the champion and candidates would decide')
    .argument('[source...]', 'files of payments (globs too), - for standard input, or topic')
  addFileFlags(command, 'skip')
    .option('--model <model>', 'the champion: a package folder, or name@version (default: the configuration)')
    .option('--policy <file>', "the champion's policy (default: the configuration)")
    .option('--features <file>', "the champion's feature file (default: the configuration)")
    .option(
      '--candidate <name:key=value,...>',
      'beside the champion, in the same pass; keys: model, policy, features, challenge, review, decline',
      (text, earlier: readonly string[]) => [...earlier, text],
      [],
    )
    .option('--events <n>', 'in place of a source: so many generated payments', positive)
    .option('--seed <n>', 'seed for --events', count, 1)
    .option(
      '--labels-until <time>',
      'labels known by then, ISO 8601 (default: all)',
      time,
      Number.POSITIVE_INFINITY,
    )
    .option('--limit <n>', 'payments at most', count, Number.POSITIVE_INFINITY)
    .option('--rate <n>', 'payments and labels a second at most; 0: as fast as possible', count, 0)
    .option('--out <folder>', 'folder for the decisions', 'out/replay')
    .option('--scores <file>', 'CSV of every payment: transaction_id, score, risk_score, outcome')
    .option('--state <file>', 'the states at the end, for a warm start')
    .option('--resume', 'go on with the replay that was stopped in --out', false)
    .action(async (paths: readonly string[], flags: Flags, command: Command) => {
      const { config } = configOf(command)
      const { model, policy, features } = flags
      const champion = { name: 'champion', model, policy, features, thresholds: {} }
      const specs = [champion, ...flags.candidate.map(parseCandidate)]
      const source = sourceOf(paths, flags, config.topics.partitions)
      const candidates = await openCandidates(config, specs)
      try {
        await interruptible(
          (signal) => run(source, candidates.all, flags, signal, command),
          `stopped; go on with --resume: ${flags.out}`,
        )
      } finally {
        await candidates.close()
      }
    })

  async function run(
    source: Source,
    candidates: ReplayOptions['candidates'],
    flags: Flags,
    signal: AbortSignal,
    command: Command,
  ): Promise<void> {
    const { config } = configOf(command)
    const total = Math.min(flags.limit, flags.events ?? Number.POSITIVE_INFINITY)
    const progress = startProgress('payments and labels', total)
    const bad = new BadRows(flags.onError)
    let items = 0
    const summary = await replay(config, {
      source,
      candidates,
      out: flags.out,
      scores: flags.scores ?? null,
      state: flags.state ?? null,
      labelsUntil: flags.labelsUntil,
      limit: flags.limit,
      rate: flags.rate,
      resume: flags.resume,
      signal,
      onItems(taken) {
        progress.add(taken - items)
        items = taken
      },
      onFraction: progress.reach,
      onRejected: (at, reason) => bad.add({ at, reason }),
    })
    const { seconds } = progress.stop()
    source.notes().forEach(note)
    bad.end(summary.payments + bad.count)
    if (wantsJson(command)) print(JSON.stringify({ ...summary, out: flags.out, seconds }))
    else show(summary, flags.out, seconds)
  }
}

function positive(text: string): number {
  const events = count(text)
  if (events > 0 && Number.isFinite(events)) return events
  throw new InvalidArgumentError('Give a whole number, 1 or more.')
}

function sourceOf(paths: readonly string[], flags: Flags, partitions: number): Source {
  const { events, seed } = flags
  if (paths.length > 0 === (events !== undefined)) {
    throw new WeirError('WEIR_CLI_USAGE', 'replay takes either a source or --events', {
      cure: 'weir replay payments.csv --map handbook, weir replay topic, or weir replay --events 100000',
    })
  }
  if (events !== undefined) return generatedSource({ events, seed, partitions })
  return openFiles(paths, flags, partitions)
}

function show(summary: ReplaySummary, out: string, seconds: number): void {
  const { payments, frauds, duplicates, rejected, candidates } = summary
  const rate = grouped(Math.round(payments / seconds))
  print(`${grouped(payments)} payments in ${seconds.toFixed(1)} s, ${rate}/s: ${summary.source}`)
  print(
    `${grouped(frauds)} known as fraud, ${grouped(duplicates)} duplicates, ${grouped(rejected)} could not be read`,
  )
  print('')
  const names = [...new Set(candidates.flatMap(({ outcomes }) => Object.keys(outcomes)))]
  printTable(
    ['CANDIDATE', 'MODEL', 'POLICY', ...names.map((name) => name.toUpperCase())],
    candidates.map(({ name, model, policy, outcomes }) => [
      name,
      model,
      policy,
      ...names.map((outcome) => grouped(outcomes[outcome] ?? 0)),
    ]),
  )
  print('')
  print(`decisions  ${out}`)
}
