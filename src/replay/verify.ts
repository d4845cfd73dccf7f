import type { Contracts } from '../adapters/avro-contracts.ts'
import type { Config } from '../config/schema.ts'
import type { ActiveSet } from '../core/decide.ts'
import { amountIn } from '../core/enrich.ts'
import { WeirError } from '../core/errors.ts'
import type { CompiledFeatures } from '../core/features/compile.ts'
import type { History } from '../core/history.ts'
import type { Log } from '../core/ports.ts'
import type { Decision, Label } from '../core/types.ts'
import { verdictOf } from '../core/verdict.ts'
import { checkRecords } from '../stream/decoded.ts'
import { type AtHand, type Found, nameOfVersion } from './at-hand.ts'
import { mergeByTime } from './merge.ts'
import { type Payment, readPayments } from './payments.ts'
import { type LabelRange, labelRangesOf, rangesOf } from './ranges.ts'
import { compareEntities, compareRecomputed, Recomputation, type Recomputed } from './recomputed.ts'
import { differencesOf, judgeRecorded } from './recorded.ts'
import type { SnapshotHead } from './snapshot.ts'
import type { Position } from './topic-source.ts'
import { type Difference, Verdict, type VerifiedRange } from './verdict.ts'

export interface VerifyOptions {
  readonly config: Config
  readonly log: Pick<Log, 'partitions' | 'bounds' | 'committed' | 'read' | 'offsetAt'>
  readonly contracts: Pick<Contracts, 'transactions' | 'decisions' | 'labels'>
  readonly atHand: AtHand
  /** Of the transactions; default: all that were decided. */
  readonly from?: Position | undefined
  readonly to?: Position | undefined
  /** States to begin from, in place of the first record of each partition. */
  readonly start?: { readonly head: SnapshotHead; readonly history: History } | undefined
  /** Told the number of payments gone through and how many there are at most, now and then. */
  readonly onProgress?: (done: number, of: number) => void
}

/**
 * Computes the decisions of a range again and compares them field by field: by what each of them stores, and from the
 * log, where that still has all of the past. Reads what the group has decided; writes nothing.
 *
 * @throws WeirError WEIR_STATE_SNAPSHOT when `start` is of other topics; WEIR_LOG_* when the log cannot be read.
 */
export async function verifyDecisions(options: VerifyOptions): Promise<Verdict> {
  const { log, config, from, to, start } = options
  checkStart(options)
  const ranges = await rangesOf(log, config, from, to, start?.head.positions.transactions)
  const labels = await labelRangesOf(log, config, start?.head.positions.labels)
  return new Verifier(options, ranges, labels).run()
}

function checkStart({ config: { topics }, start }: VerifyOptions): void {
  if (start === undefined) return
  const { head } = start
  if (head.topics?.transactions === topics.transactions && head.topics.labels === topics.labels) return
  throw new WeirError('WEIR_STATE_SNAPSHOT', `the snapshot was made of ${head.source}`, {
    cure: `make one of ${topics.transactions}: weir replay topic --state FILE`,
  })
}

type Told = Payment | { readonly time: number; readonly label: Label }

/** A decision in the range, with what made it and what the log says of it now. */
interface Case {
  readonly decision: Decision
  readonly arrival: Payment['arrival']
  readonly active: ActiveSet
  recomputed: Recomputed | null
}

class Verifier {
  readonly #options: VerifyOptions
  readonly #ranges: readonly VerifiedRange[]
  readonly #verdict: Verdict
  /** By hash of the feature file. */
  readonly #recomputations: ReadonlyMap<string, { base: CompiledFeatures; states: Recomputation }>
  readonly #labels: readonly LabelRange[]
  readonly #found = new Map<string, Found>()

  constructor(options: VerifyOptions, ranges: readonly VerifiedRange[], labels: readonly LabelRange[]) {
    this.#options = options
    this.#ranges = ranges
    const isWhole = [...ranges, ...labels].every(({ states_from }) => states_from !== null)
    this.#labels = isWhole ? labels : []
    this.#verdict = new Verdict(ranges, isWhole)
    const { atHand, start } = options
    const isAnyKept = ranges.some(({ states_from }) => states_from !== null)
    this.#recomputations = new Map(
      atHand.features
        .filter(({ hash }) => isAnyKept && (start === undefined || start.head.feature_hash === hash))
        .map((base) => [base.hash, { base, states: new Recomputation(base, start?.history) }]),
    )
  }

  async run(): Promise<Verdict> {
    // Labels first: what is known at the time of a payment comes before it.
    const labels = this.#labels.map((range) => this.#labelsOf(range))
    const payments = this.#ranges.map((range) => this.#payments(range))
    const total = this.#ranges.reduce((sum, range) => sum + range.to - readFrom(range), 0)
    let done = 0
    for await (const told of mergeByTime<Told>([...labels, ...payments], ({ time }) => time)) {
      await this.#check(told)
      for (const one of told) if ('arrival' in one) done++
      this.#options.onProgress?.(done, total)
    }
    return this.#verdict
  }

  #payments(range: VerifiedRange): AsyncIterable<readonly Payment[]> {
    const { log, contracts, config, atHand } = this.#options
    const [champion] = atHand.features as [CompiledFeatures]
    const reader = {
      log,
      contracts,
      topics: config.topics,
      featuresOf: (hash: string | undefined) => atHand.features.find((one) => one.hash === hash) ?? champion,
      verdict: this.#verdict,
    }
    return readPayments(reader, range, readFrom(range))
  }

  async *#labelsOf(range: LabelRange): AsyncGenerator<readonly Told[], void, undefined> {
    const { log, contracts } = this.#options
    for await (const records of log.read(range, range.states_from ?? range.end, range.end)) {
      const checked = await checkRecords(contracts.labels, records)
      yield checked.flatMap((one) => (one.ok ? [{ time: one.value.observed_time, label: one.value }] : []))
    }
  }

  async #check(told: readonly Told[]): Promise<void> {
    const found = await Promise.all(told.map((one) => this.#foundFor(one)))
    const cases = told.map((one, i) => this.#caseOf(one, found[i] ?? null))
    this.#recompute(told, cases)
    const asRecorded = await this.#judge(cases)
    const changed: Case[] = []
    cases.forEach((one, i) => {
      if (one === null) return
      const byLog =
        one.recomputed === null
          ? null
          : compareRecomputed(one.decision, one.recomputed, one.active.features, this.#topic)
      this.#verdict.compared(byLog, asRecorded[i] ?? [])
      if (byLog === null || one.recomputed === null) return
      if (compareEntities(one.decision, one.recomputed, one.active.features, this.#verdict)) changed.push(one)
    })
    await this.#countOutcomes(changed)
  }

  get #topic(): string {
    return this.#options.config.topics.transactions
  }

  async #foundFor(one: Told): Promise<Found | null> {
    if ('label' in one || one.decision === null) return null
    const key = nameOfVersion(one.decision)
    const known = this.#found.get(key)
    if (known !== undefined) return known
    const found = await this.#options.atHand.find(one.decision)
    this.#found.set(key, found)
    return found
  }

  #caseOf(one: Told, found: Found | null): Case | null {
    if ('label' in one || one.decision === null || found === null) return null
    const { decision, arrival } = one
    const { result } = this.#verdict
    if (decision.status === 'degraded') result.degraded++
    if (decision.status === 'duplicate') result.duplicates++
    if ('active' in found) return { decision, arrival, active: found.active, recomputed: null }
    this.#verdict.cannotVerify(decision, found.missing)
    return null
  }

  /** Brings the states up to date, and gives each case what they say. */
  #recompute(told: readonly Told[], cases: readonly (Case | null)[]): void {
    for (const [hash, { base, states }] of this.#recomputations) {
      const recomputed = states.enrich(told, ({ partition, offset }, place) => {
        const from = this.#ranges[partition]?.states_from ?? null
        if (from === null || offset < from) return null
        const features = cases[place]?.active.features
        return features?.hash === hash ? features : base
      })
      for (const [place, one] of cases.entries()) {
        if (one?.active.features.hash === hash) one.recomputed = recomputed[place] ?? null
      }
    }
  }

  /** What differs by the values that each decision stores, for each case. */
  async #judge(cases: readonly (Case | null)[]): Promise<(readonly Difference[])[]> {
    const differences: (readonly Difference[])[] = []
    const places = cases.flatMap((one, place) => (one === null ? [] : [place]))
    const groups = Map.groupBy(places, (place) => (cases[place] as Case).active)
    for (const [active, ofActive] of groups) {
      const recorded = ofActive.map((place) => cases[place] as Case)
      const wanted = await judgeRecorded(this.#topic, recorded, active)
      ofActive.forEach((place, i) => {
        differences[place] = differencesOf((recorded[i] as Case).decision, wanted[i] as Decision)
      })
    }
    return differences
  }

  /** Of decisions with other values of merchant, terminal or device: whether that makes another outcome. */
  async #countOutcomes(changed: readonly Case[]): Promise<void> {
    for (const [active, cases] of Map.groupBy(changed, ({ active }) => active)) {
      const { features, model } = active
      const width = features.names.length
      const rows = new Float32Array(cases.length * width)
      for (const [i, { recomputed }] of cases.entries()) rows.set((recomputed as Recomputed).row, i * width)
      const scores = await model.score(rows, cases.length)
      const bytes = Buffer.from(rows.buffer)
      const { entity } = this.#verdict.result.recomputed
      for (const [i, { decision, recomputed }] of cases.entries()) {
        const score = scores.probabilities[i] as number
        const { transaction, late } = (recomputed as Recomputed).arrival
        const facts = {
          transaction,
          features: bytes.subarray(i * width * 4, (i + 1) * width * 4),
          score,
          riskScore: model.riskScore(score),
          parts: scores.parts.map((of) => of[i] as number),
          amount: amountIn(features, transaction),
          late,
        }
        const { outcome } = verdictOf(facts, active)
        if (entity !== null && outcome !== decision.outcome) entity.outcomes_differ++
      }
    }
  }
}

/** The states need what lies before the range. */
const readFrom = ({ from, first, states_from }: VerifiedRange): number =>
  Math.min(from, Math.max(first, states_from ?? from))
