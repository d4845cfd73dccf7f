import { existsSync, globSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import type { Config } from '../config/schema.ts'
import { WeirError } from '../core/errors.ts'
import { metricsAlone } from '../core/evaluation/compare.ts'
import type { CandidateColumns, DecisionTable } from '../core/evaluation/decision-table.ts'
import type { MetricName } from '../core/evaluation/metrics.ts'
import type { History } from '../core/history.ts'
import type { Decision } from '../core/types.ts'
import { writeWhole } from '../files/write-whole.ts'
import type { Candidate } from '../replay/candidates.ts'
import { hasCheckpoint, readCheckpoint, removeCheckpoint, writeCheckpoint } from '../replay/checkpoint.ts'
import type { DecidedChunk, Sink } from '../replay/decided-chunk.ts'
import { createDecisionsFolder } from '../replay/decisions-folder.ts'
import { readDecisionTable } from '../replay/decisions-table.ts'
import { historiesOf, knownBy, newTally, Pass, type PassTally } from '../replay/pass.ts'
import { createScoresFile } from '../replay/scores-file.ts'
import { type SnapshotHead, writeSnapshot } from '../replay/snapshot.ts'
import type { HistoryItem, Source } from '../replay/source.ts'
import { checkHomes } from '../replay/target.ts'
import { makeFolder } from './demo.ts'

export interface ReplayOptions {
  readonly source: Source
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

/** What `replay.json` holds. No clock in it: the same replay gives the same bytes. */
export interface ReplaySummary {
  readonly source: string
  readonly payments: number
  readonly duplicates: number
  readonly labels: number
  readonly rejected: number
  /** ISO 8601; null without a payment. */
  readonly first_event_time: string | null
  readonly last_event_time: string | null
  /** ISO 8601; null: all that the source has. */
  readonly labels_until: string | null
  readonly frauds: number
  readonly candidates: readonly CandidateSummary[]
}

export interface CandidateSummary {
  readonly name: string
  readonly model: string
  readonly model_sha256: string
  readonly feature_hash: string
  readonly policy: string
  readonly thresholds: { readonly challenge: number; readonly review: number; readonly decline: number }
  readonly alert_on: readonly string[]
  /** Payments by outcome, or by status where there is none. */
  readonly outcomes: Readonly<Record<string, number>>
  /** As docs/evaluation.md defines them, of all payments; null where there are too many to hold in memory. */
  readonly metrics: Metrics | null
}

export type Metrics = Readonly<Record<MetricName, number | null>>

/** With more payments than that a replay leaves metrics to `weir compare`: they take some 100 bytes a payment. */
const mostMeasured = 3_000_000

/**
 * Runs history through the candidates and leaves the folder of its decisions. In event time, with states of its own:
 * nothing that lives is touched.
 *
 * @throws WeirError WEIR_CLI_INPUT; when `signal` is aborted, the checkpoint is written first.
 */
export async function replay(config: Config, options: ReplayOptions): Promise<ReplaySummary> {
  const { source, candidates, out } = options
  const names = candidates.map(({ name }) => name)
  const histories = historiesOf(candidates)
  const fingerprint = JSON.stringify(fingerprintOf(config, options))
  const progress = options.resume ? await readCheckpoint(out, fingerprint, histories) : begin(out)
  const tally = progress?.tally ?? newTally()
  const counts = createCounts(names, progress?.sinks[0])
  const sinks: Sink[] = [counts, createDecisionsFolder(out, names, progress?.sinks[1] ?? null)]
  if (options.scores !== null) {
    sinks.push(createScoresFile(options.scores, names, progress?.sinks[2] ?? null))
  }
  const pass = new Pass({
    topic: config.topics.transactions,
    candidates,
    histories,
    known: await knownBy(options.labelsUntil, source.labels()),
    cutOff: options.labelsUntil,
    tally,
    async onDecided(chunk) {
      for (const sink of sinks) await sink.write(chunk)
    },
    onRejected: options.onRejected,
  })
  const headOf = ({ features }: History) => snapshotHead(config, source, tally, features.hash)

  if (options.state !== null && source.places !== undefined && Number.isFinite(options.limit)) {
    throw new WeirError(
      'WEIR_CLI_USAGE',
      'the states of a topic are those at its end: --state does not go with --limit',
    )
  }
  for await (const items of untaken(source, options, tally.items)) {
    if (options.state !== null) checkHomes(items, config.topics.partitions)
    await pass.take(withinLimit(items, options.limit - tally.payments))
    options.onItems(tally.items)
    if (options.signal.aborted) {
      await pass.settle()
      const states = sinks.map((sink) => sink.state())
      await writeCheckpoint(out, { fingerprint, tally, sinks: states }, histories, headOf)
      throw options.signal.reason
    }
    if (tally.payments >= options.limit) break
  }
  await pass.settle()
  for (const sink of sinks) await sink.close()
  if (options.state !== null) {
    const [history] = histories as [History]
    await writeSnapshot(options.state, headOf(history), history)
  }
  const measured = tally.payments > mostMeasured ? null : metricsOf(await readDecisionTable(out), candidates)
  const summary = summaryOf(options, tally, counts, measured)
  writeWhole(join(out, 'replay.json'), `${JSON.stringify(summary, null, 2)}\n`)
  removeCheckpoint(out)
  return summary
}

/** An empty folder, or one whose finished replay is replaced. */
function begin(out: string): null {
  if (hasCheckpoint(out)) {
    throw new WeirError('WEIR_CLI_INPUT', `${out} holds a replay that was stopped`, {
      cure: 'go on with it by --resume, or choose another folder by --out',
    })
  }
  makeFolder(out)
  for (const file of globSync(join(out, '{replay.json,decisions-*.parquet*}'))) rmSync(file)
  return null
}

/** The items after those that the stopped replay took, not faster than `rate`. */
async function* untaken(
  source: Source,
  { rate, onFraction }: ReplayOptions,
  taken: number,
): AsyncGenerator<readonly HistoryItem[], void, undefined> {
  const begun = performance.now()
  let [seen, sent] = [0, 0]
  for await (const items of source.items(onFraction)) {
    const fresh = items.slice(Math.max(0, taken - seen))
    seen += items.length
    if (fresh.length === 0) continue
    if (rate > 0) await setTimeout(Math.max(0, (sent / rate) * 1_000 - (performance.now() - begun)))
    sent += fresh.length
    yield fresh
  }
}

function withinLimit(items: readonly HistoryItem[], limit: number): readonly HistoryItem[] {
  if (items.length <= limit) return items
  let payments = 0
  const end = items.findIndex(({ kind }) => kind === 'transaction' && ++payments > limit)
  return end < 0 ? items : items.slice(0, end)
}

function fingerprintOf(config: Config, { source, candidates, labelsUntil, limit, scores }: ReplayOptions) {
  return {
    source: source.name,
    topics: config.topics,
    labelsUntil: String(labelsUntil),
    limit: String(limit),
    scores,
    candidates: candidates.map(({ name, active: { features, model, policy } }) => [
      name,
      features.hash,
      model.sha256,
      policy.id,
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

/** Counts what was decided. */
interface Counts extends Sink {
  readonly totals: Totals
}

interface Totals {
  duplicates: number
  frauds: number
  /** By candidate. */
  readonly outcomes: Record<string, number>[]
}

function createCounts(names: readonly string[], state: unknown): Counts {
  const totals = (state as Totals | undefined) ?? {
    duplicates: 0,
    frauds: 0,
    outcomes: names.map(() => ({})),
  }
  return {
    totals,
    write({ arrivals, truths, decisions }: DecidedChunk) {
      for (const [i, { duplicateOf }] of arrivals.entries()) {
        if (duplicateOf >= 0) totals.duplicates++
        else if (truths[i]?.fraud === true) totals.frauds++
        for (const [c, ofCandidate] of decisions.entries()) {
          const { outcome, status } = ofCandidate[i] as Decision
          const counted = totals.outcomes[c] as Record<string, number>
          counted[outcome ?? status] = (counted[outcome ?? status] ?? 0) + 1
        }
      }
    },
    state: () => totals,
    close() {},
  }
}

function summaryOf(
  { source, labelsUntil, candidates }: ReplayOptions,
  { payments, labels, rejected, firstTime, lastTime }: PassTally,
  { totals: { duplicates, frauds, outcomes } }: Counts,
  metrics: readonly Metrics[] | null,
): ReplaySummary {
  const iso = (time: number) => (Number.isFinite(time) ? new Date(time).toISOString() : null)
  return {
    source: source.name,
    payments,
    duplicates,
    labels,
    rejected,
    first_event_time: iso(firstTime),
    last_event_time: iso(lastTime),
    labels_until: iso(labelsUntil),
    frauds,
    candidates: candidates.map(({ name, active: { model, features, policy } }, c) => ({
      name,
      model: model.id,
      model_sha256: model.sha256,
      feature_hash: features.hash,
      policy: policy.id,
      thresholds: policy.file.thresholds,
      alert_on: policy.file.alert_on,
      outcomes: Object.fromEntries(Object.entries(outcomes[c] ?? {}).toSorted()),
      metrics: metrics?.[c] ?? null,
    })),
  }
}

/** By candidate. */
function metricsOf(table: DecisionTable, candidates: readonly Candidate[]): Metrics[] {
  return candidates.map(({ active }, c) => {
    const columns = table.candidates[c] as CandidateColumns
    const rows = metricsAlone(table, { columns, alertOn: active.policy.file.alert_on })
    return Object.fromEntries(rows.map(({ metric, champion }) => [metric, champion.value])) as Metrics
  })
}

/** @throws WeirError WEIR_CLI_INPUT when the folder holds no finished replay. */
export function readSummary(folder: string): ReplaySummary {
  const path = join(folder, 'replay.json')
  if (existsSync(path)) return JSON.parse(readFileSync(path, 'utf8')) as ReplaySummary
  throw new WeirError('WEIR_CLI_INPUT', `${folder} holds no finished replay`, {
    cure: 'weir replay SOURCE --out FOLDER makes one; one that was stopped goes on with --resume',
  })
}
