import { accessSync, constants } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import type { Config } from '../config/schema.ts'
import { WeirError } from '../core/errors.ts'
import type { History } from '../core/history.ts'
import { writeWhole, writing } from '../files/write-whole.ts'
import type { Candidate } from '../replay/candidates.ts'
import { hasCheckpoint, readCheckpoint, removeCheckpoint, writeCheckpoint } from '../replay/checkpoint.ts'
import { createCounts } from '../replay/counts.ts'
import type { Sink } from '../replay/decided-chunk.ts'
import { createDecisionsFolder } from '../replay/decisions-folder.ts'
import { readDecisionTable } from '../replay/decisions-table.ts'
import { historiesOf, knownBy, newTally, Pass, type PassTally } from '../replay/pass.ts'
import { createScoresFile } from '../replay/scores-file.ts'
import { type SnapshotHead, writeSnapshot } from '../replay/snapshot.ts'
import type { HistoryItem, Source } from '../replay/source.ts'
import { metricsOf, type ReplaySummary, summaryOf } from '../replay/summary.ts'
import { checkHomes } from '../replay/target.ts'
import { openWorkspace, type Workspace } from '../replay/workspace.ts'

export interface ReplayOptions {
  readonly source: Source
  /** Tells this source, as it is now, from any other. */
  readonly identity: string
  readonly candidates: readonly Candidate[]
  /** Folder for what comes out. */
  readonly out: string
  /** CSV of scores; null: none. */
  readonly scores: string | null
  /** File for the states at the end; null: none. */
  readonly state: string | null
  /** Labels observed later are not known yet, epoch milliseconds. */
  readonly labelsUntil: number
  /** Payments read at most. */
  readonly limit: number
  /** Items a second at most; 0: as fast as possible. */
  readonly rate: number
  /** Goes on with the replay that was stopped in `out`. */
  readonly resume: boolean
  readonly signal: AbortSignal
  readonly onItems: (items: number) => void
  readonly onFraction: (done: number) => void
  readonly onRejected: (at: string, reason: string) => void
}

/** With more payments than that a replay leaves metrics to `weir compare`: they take some 100 bytes a payment. */
const mostMeasured = 3_000_000

/**
 * Runs history through the candidates and leaves the folder of its decisions. In event time, with states of its own:
 * nothing that lives is touched.
 *
 * @throws WeirError WEIR_CLI_INPUT; when `signal` is aborted, the checkpoint is written first.
 */
export async function replay(config: Config, options: ReplayOptions): Promise<ReplaySummary> {
  checkFirst(options)
  const workspace = openWorkspace(options.out, options.resume)
  let stopped = false
  try {
    return await replayIn(workspace, config, options)
  } catch (error) {
    stopped = options.signal.aborted
    throw error
  } finally {
    // What was decided before a failed resume can still be gone on with.
    workspace.close(stopped || hasCheckpoint(options.out))
  }
}

async function replayIn(
  { unfinished, publish }: Workspace,
  config: Config,
  options: ReplayOptions,
): Promise<ReplaySummary> {
  const { source, candidates, out, labelsUntil } = options
  const names = candidates.map(({ name }) => name)
  const histories = historiesOf(candidates)
  const fingerprint = JSON.stringify(fingerprintOf(config, options))
  const progress = options.resume ? await readCheckpoint(out, fingerprint, histories) : null
  const tally = progress?.tally ?? newTally()
  const counts = createCounts(names, progress?.sinks['counts'] ?? null)
  const decisions = createDecisionsFolder(unfinished, candidates, progress?.sinks['decisions'] ?? null)
  const sinks: Record<string, Sink> = { counts, decisions }
  if (options.scores !== null) {
    sinks['scores'] = createScoresFile(options.scores, names, progress?.sinks['scores'] ?? null)
  }
  const pass = new Pass({
    topic: config.topics.transactions,
    candidates,
    histories,
    known: await knownBy(labelsUntil, source.labels()),
    cutOff: labelsUntil,
    limit: options.limit,
    tally,
    async onDecided(chunk) {
      for (const sink of Object.values(sinks)) await sink.write(chunk)
    },
    onRejected: options.onRejected,
  })
  const headOf = ({ features }: History) => snapshotHead(config, source, tally, features.hash)
  for await (const items of untaken(source, options, tally.items)) {
    if (options.state !== null) checkHomes(items, config.topics.partitions)
    await pass.take(items)
    options.onItems(tally.items)
    if (options.signal.aborted) {
      await pass.settle()
      const states = Object.fromEntries(Object.entries(sinks).map(([name, sink]) => [name, sink.state()]))
      const ends = source.ends ?? null
      await writeCheckpoint(out, { fingerprint, tally, ends, sinks: states }, histories, headOf)
      throw options.signal.reason
    }
    if (pass.isFull) break
  }
  await pass.settle()
  if (tally.payments === 0 && tally.rejected > 0) {
    throw new WeirError(
      'WEIR_CLI_INPUT',
      `none of the ${tally.rejected} rows of ${source.name} is a payment`,
      {
        cure: 'look at the reasons above; a file with columns of its own needs --map',
      },
    )
  }
  for (const sink of Object.values(sinks)) await sink.close()
  if (options.state !== null) {
    const [history] = histories as [History]
    await writeSnapshot(options.state, headOf(history), history)
  }
  const { totals } = counts
  const parts = decisions.parts()
  const metrics =
    tally.payments > mostMeasured ? null : metricsOf(await readDecisionTable(unfinished, parts), candidates)
  const summary = summaryOf({
    source: source.name,
    labelsUntil,
    candidates,
    tally,
    totals,
    parts,
    metrics,
  })
  publish()
  writeWhole(join(out, 'replay.json'), `${JSON.stringify(summary, null, 2)}\n`)
  removeCheckpoint(out)
  return summary
}

/** What would else be found out at the end. */
function checkFirst({ out, resume, state, source, limit }: ReplayOptions): void {
  if (!resume && hasCheckpoint(out)) {
    throw new WeirError('WEIR_CLI_INPUT', `${out} holds a replay that was stopped`, {
      cure: 'go on with it by --resume, or choose another folder by --out',
    })
  }
  if (state === null) return
  writing(state, () => accessSync(dirname(state), constants.W_OK))
  if (source.places !== undefined && Number.isFinite(limit)) {
    throw new WeirError(
      'WEIR_CLI_USAGE',
      'the states of a topic are those at its end: --state does not go with --limit',
      { cure: 'leave one of them out' },
    )
  }
}

/** How often a second a slow replay goes on. */
const stepsPerSecond = 10

/**
 * The items after those that the stopped replay took, not faster than `rate`. Now and then none, and at once when the
 * signal is aborted, so that whoever takes them looks at it.
 */
async function* untaken(
  source: Source,
  { rate, onFraction, signal }: ReplayOptions,
  taken: number,
): AsyncGenerator<readonly HistoryItem[], void, undefined> {
  const begun = performance.now()
  let [seen, sent] = [0, 0]
  for await (const items of source.items(onFraction)) {
    const fresh = items.slice(Math.max(0, taken - seen))
    seen += items.length
    if (rate === 0 || fresh.length === 0) {
      yield fresh
      continue
    }
    const step = Math.ceil(rate / stepsPerSecond)
    for (let at = 0; at < fresh.length; at += step) {
      await pause((sent / rate) * 1_000 - (performance.now() - begun), signal)
      if (signal.aborted) return yield []
      const some = fresh.slice(at, at + step)
      sent += some.length
      yield some
    }
  }
}

/** Ends early when the signal is aborted. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (ms > 0) await setTimeout(ms, undefined, { signal }).catch(() => {})
}

function fingerprintOf(
  config: Config,
  { identity, candidates, labelsUntil, limit, scores, state }: ReplayOptions,
) {
  return {
    identity,
    topics: config.topics,
    labelsUntil: String(labelsUntil),
    limit: String(limit),
    scores,
    state,
    candidates: candidates.map(({ name, active: { features, model, policy, rules } }) => [
      name,
      features.hash,
      model.sha256,
      policy.id,
      rules?.id ?? null,
    ]),
  }
}

function snapshotHead(
  { topics: { partitions } }: Config,
  source: Source,
  { next, latest }: PassTally,
  feature_hash: string,
): SnapshotHead {
  const byPartition = (values: readonly (number | undefined)[]) =>
    Array.from({ length: partitions }, (_, partition) => values[partition] ?? 0)
  return {
    version: 1,
    feature_hash,
    source: source.name,
    partitions,
    positions: { transactions: byPartition(next), labels: byPartition([]) },
    ...source.places?.(),
    times: byPartition(latest),
  }
}
