import { statSync } from 'node:fs'
import { constants, getPriority, setPriority } from 'node:os'
import { resolve } from 'node:path'
import { type Command, InvalidArgumentError, Option } from 'commander'
import type { ReplayOptions } from '../apps/replay.ts'
import { WeirError } from '../core/errors.ts'
import { inputFiles } from '../files/inputs.ts'
import { refuseOverlap } from '../files/outputs.ts'
import { mappingOf } from '../files/payments.ts'
import { checkReplaceable } from '../files/write-whole.ts'
import { parseCandidate } from '../replay/candidate-spec.ts'
import type { ReplaySummary } from '../replay/summary.ts'
import { configOf, count, position, refuseBackwards, refuseFlags, time, wantsJson } from './flags.ts'
import { boundHeap } from './heap.ts'
import { grouped, note, print, printTable, startProgress } from './output.ts'
import { interruptible } from './shutdown.ts'
import { addFileFlags, BadRows, filesRead, type SourceFlags, topicWord, withSource } from './source.ts'
import { type VerifyFlags, verify } from './verify.ts'

interface Flags extends SourceFlags, VerifyFlags {
  readonly verify: boolean
  readonly out: string
  readonly scores?: string
  readonly state?: string
  readonly model?: string
  readonly policy?: string
  readonly features?: string
  readonly candidate?: readonly string[]
  readonly labelsUntil: number
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
    .option('--policy <file>', "the champion's policy (default: the mapping's, then the configuration)")
    .option('--features <file>', "the champion's feature file (default: likewise)")
    .option(
      '--candidate <name:key=value,...>',
      'beside the champion, in the same pass; keys: model, policy, features, rules, challenge, review, decline',
      (text, earlier: readonly string[] = []) => [...earlier, text],
    )
    .option('--events <n>', 'in place of a source: so many generated payments', positive)
    .option('--seed <n>', 'seed for --events', count, 1)
    .addOption(
      new Option('--labels-until <time>', 'labels known by then, ISO 8601')
        .argParser(time)
        .default(Number.POSITIVE_INFINITY, 'all'),
    )
    .addOption(
      new Option('--limit <n>', 'payments at most')
        .argParser(count)
        .default(Number.POSITIVE_INFINITY, 'no end'),
    )
    .option(
      '--rate <n>',
      'payments and labels a second at most, at a low priority; 0: as fast as possible',
      count,
      0,
    )
    .option('--out <folder>', 'folder for the decisions', 'out/replay')
    .option('--scores <file>', 'CSV of every payment: transaction_id, score, risk_score, outcome')
    .option('--state <file>', 'the states at the end, for a warm start')
    .option('--resume', 'go on with the replay that was stopped in --out', false)
    .option(
      '--verify',
      'compute the live decisions of the topics again and compare them field by field',
      false,
    )
    .option('--from <place>', 'of topics: a moment (ISO 8601), or an offset for each partition', position)
    .option('--to <place>', 'of topics: where to end, likewise; it is not part of the range', position)
    .option('--start <file>', 'for --verify: states to begin from, as --state writes them')
    .action(async (paths: readonly string[], flags: Flags, command: Command) => {
      refuseBackwards(flags)
      if (flags.verify) {
        refuseIdle(paths, command)
        return verify(flags, command)
      }
      refuseFlags(command, ['start'], 'without --verify')
      const { out, scores, state } = flags
      refuseOverlap(filesRead(paths, flags), [
        { flag: '--out', path: out },
        { flag: '--scores', path: scores },
        { flag: '--state', path: state },
      ])
      if (state !== undefined) checkReplaceable(state)
      const { config } = configOf(command)
      const { defaults } = flags.map === undefined ? {} : mappingOf(flags.map)
      const { model, policy = defaults?.policy, features = defaults?.features } = flags
      const champion = { name: 'champion', model, policy, features, thresholds: {} }
      const specs = [champion, ...(flags.candidate ?? []).map(parseCandidate)]
      // onnxruntime takes a while to load.
      const { openCandidates } = await import('../replay/candidates.ts')
      const { endsOf } = await import('../replay/checkpoint.ts')
      // Topics have grown since the replay was stopped: it goes on to where they ended.
      const ends = flags.resume ? endsOf(flags.out) : null
      const { to } = ends === null ? flags : { to: { offsets: ends.transactions } }
      const identity = identityOf(paths, flags)
      await interruptible(
        (signal) =>
          withSource(paths, { ...flags, to, labelsTo: ends?.labels }, config, command, async (source) => {
            // Before models start their threads, which take it over.
            if (flags.rate > 0) leaveTheMachineToOthers()
            const candidates = await openCandidates(config, specs)
            try {
              await run({ source, identity, candidates: candidates.all, signal }, flags, command)
            } finally {
              await candidates.close()
            }
          }),
        `stopped; go on with --resume: ${flags.out}`,
      )
    })

  async function run(
    what: Pick<ReplayOptions, 'source' | 'identity' | 'candidates' | 'signal'>,
    flags: Flags,
    command: Command,
  ): Promise<void> {
    const { replay } = await import('../apps/replay.ts')
    const { config } = configOf(command)
    const total = Math.min(flags.limit, flags.events ?? Number.POSITIVE_INFINITY)
    const progress = startProgress('payments and labels', total)
    const bad = new BadRows(flags.onError)
    const keepHeap = boundHeap()
    let items = 0
    const summary = await replay(config, {
      ...what,
      out: flags.out,
      scores: flags.scores ?? null,
      state: flags.state ?? null,
      labelsUntil: flags.labelsUntil,
      limit: flags.limit,
      rate: flags.rate,
      resume: flags.resume,
      onItems(taken) {
        progress.add(taken - items)
        items = taken
        keepHeap()
      },
      onFraction: progress.reach,
      onRejected: (at, reason) => bad.add({ at, reason }),
    })
    const { seconds } = progress.stop()
    what.source.notes().forEach(note)
    bad.end(summary.payments + bad.count)
    if (wantsJson(command)) print(JSON.stringify({ ...summary, out: flags.out, seconds }))
    else show(summary, flags.out, seconds)
  }
}

/** Nobody may raise his priority again: one that is lower already stays. */
function leaveTheMachineToOthers(): void {
  const { PRIORITY_BELOW_NORMAL } = constants.priority
  if (getPriority() < PRIORITY_BELOW_NORMAL) setPriority(PRIORITY_BELOW_NORMAL)
}

/** What --verify reads is told by the configuration, and it writes nothing. */
function refuseIdle([source]: readonly string[], command: Command): void {
  const used = ['verify', 'from', 'to', 'model', 'policy', 'features', 'start']
  const names = command.options.map((option) => option.attributeName())
  refuseFlags(
    command,
    names.filter((name) => !used.includes(name)),
    'with --verify',
  )
  if (source === undefined || source === topicWord) return
  throw new WeirError('WEIR_CLI_USAGE', `--verify reads the topics, not ${source}`, {
    cure: 'leave the source out',
  })
}

/** Tells this source, as it is now, from any other: a replay that was stopped goes on with the same only. */
function identityOf(paths: readonly string[], flags: Flags): string {
  const { map, labels, format, sort, allowUnordered, onError, events, seed, from, to } = flags
  const files = (given: readonly string[]) =>
    inputFiles(given).map(({ path, size }) => {
      if (path === '-') return path
      return [resolve(path), size, statSync(path).mtimeMs]
    })
  return JSON.stringify([
    paths[0] === 'topic' ? paths : files(paths),
    labels === undefined ? null : files([labels]),
    map === undefined ? null : mappingOf(map),
    [format, sort, allowUnordered, onError, events, seed, from, to],
  ])
}

function positive(text: string): number {
  const events = count(text)
  if (events > 0 && Number.isFinite(events)) return events
  throw new InvalidArgumentError('Give a whole number, 1 or more.')
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
    ['CANDIDATE', 'MODEL', 'POLICY', 'RULES', ...names.map((name) => name.toUpperCase())],
    candidates.map(({ name, model, policy, rules, outcomes }) => [
      name,
      model,
      policy,
      rules?.id ?? '',
      ...names.map((outcome) => grouped(outcomes[outcome] ?? 0)),
    ]),
  )
  print('')
  print(`decisions  ${out}`)
}
