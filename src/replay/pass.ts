import { type Chunk, judge } from '../core/decide.ts'
import { currencyFactor, type Enriched, refusedAmount } from '../core/enrich.ts'
import type { CompiledFeatures } from '../core/features/compile.ts'
import { convertedAmount } from '../core/features/event.ts'
import { History, type PlacedLabel } from '../core/history.ts'
import { type Finding, viewsOf } from '../core/labels-view.ts'
import type { Arrival } from '../core/parties.ts'
import type { Label } from '../core/types.ts'
import type { Candidate } from './candidates.ts'
import type { DecidedChunk, Truth } from './decided-chunk.ts'
import type { HistoryItem } from './source.ts'

/** Payments that are enriched and scored together, two or three chunks at a time: where one ends changes nothing. */
const chunkPayments = 4_000

/** What a pass has taken so far. */
export interface PassTally {
  /** Items of the source. */
  items: number
  payments: number
  labels: number
  rejected: number
  /** Event times of payments, epoch milliseconds; NaN while there was none. */
  firstTime: number
  lastTime: number
  /** By partition: the next offset, and the latest event time. */
  readonly next: number[]
  readonly latest: number[]
}

export interface PassOptions {
  /** Name of the topic that the payments would be on, for the ids of decisions. */
  readonly topic: string
  /** None where only features are wanted. */
  readonly candidates: readonly Candidate[]
  /** One for each set of features among the candidates. */
  readonly histories: readonly History[]
  /** By transaction_id, labels that lie apart from the payments. */
  readonly known: ReadonlyMap<string, readonly Finding[]>
  /** Labels observed later are not known yet, epoch milliseconds. They feed the features all the same, when due. */
  readonly cutOff: number
  /** Payments taken at most. */
  readonly limit: number
  readonly tally: PassTally
  /** Gets each chunk once all candidates have decided it, in order. */
  readonly onDecided: (chunk: DecidedChunk) => Promise<void> | void
  readonly onRejected: (at: string, reason: string) => void
}

export const newTally = (): PassTally => ({
  items: 0,
  payments: 0,
  labels: 0,
  rejected: 0,
  firstTime: Number.NaN,
  lastTime: Number.NaN,
  next: [],
  latest: [],
})

/** Candidates with the same features, the same file and no lookups of their own, share a history. */
export function historiesOf(candidates: readonly Candidate[]): History[] {
  const features = new Set(candidates.map(({ active }) => active.features))
  return [...features].map((one) => new History(one))
}

/**
 * One pass over history: every payment is enriched once for each set of features, then judged by all candidates with the
 * functions of the live stream. While models score a chunk in their threads, the next one is enriched.
 */
export class Pass {
  readonly #options: PassOptions
  #arrivals: Arrival[] = []
  #labels: PlacedLabel[] = []
  /** Of the payments in `#arrivals`: what comes with them. */
  #own: (readonly Label[])[] = []
  #scoring: Promise<DecidedChunk> | null = null

  constructor(options: PassOptions) {
    this.#options = options
  }

  /** Takes items in the order of history. */
  async take(items: readonly HistoryItem[]): Promise<void> {
    const { tally, onRejected } = this.#options
    for (const item of items) {
      if (this.isFull && item.kind === 'transaction') return
      tally.items++
      if (item.kind === 'transaction') this.#takePayment(item)
      else if (item.kind === 'label') {
        tally.labels++
        this.#labels.push({ before: this.#arrivals.length, label: item.label })
      } else {
        tally.rejected++
        onRejected(item.at, item.reason)
      }
      if (this.#arrivals.length === chunkPayments) await this.#begin()
    }
  }

  /** Whether as many payments were taken as are wanted. */
  get isFull(): boolean {
    return this.#options.tally.payments >= this.#options.limit
  }

  /** Decides all that was taken: then the states are those after it. */
  async settle(): Promise<void> {
    await this.#begin()
    const last = this.#scoring
    this.#scoring = null
    if (last !== null) await this.#options.onDecided(await last)
  }

  #takePayment({ partition, offset, transaction, labels }: HistoryItem & { kind: 'transaction' }): void {
    const { tally, histories, onRejected } = this.#options
    for (const { features } of histories) {
      const refusal = refusedAmount(transaction, features)
      if (refusal === null) continue
      tally.rejected++
      onRejected(`transaction ${transaction.transaction_id}`, refusal.message)
      return
    }
    const { event_time } = transaction
    tally.payments++
    if (!(tally.firstTime <= event_time)) tally.firstTime = event_time
    if (!(tally.lastTime >= event_time)) tally.lastTime = event_time
    tally.next[partition] = offset + 1
    tally.latest[partition] = Math.max(tally.latest[partition] ?? event_time, event_time)
    this.#arrivals.push({ partition, offset, transaction })
    this.#own.push(labels)
  }

  /** Enriches the chunk and hands it to the models; then waits for the one before. */
  async #begin(): Promise<void> {
    if (this.#arrivals.length === 0 && this.#labels.length === 0) return
    const { topic, candidates, histories } = this.#options
    const [arrivals, labels, own] = [this.#arrivals, this.#labels, this.#own]
    this.#arrivals = []
    this.#labels = []
    this.#own = []
    const chunk: Chunk = { topic, arrivals }
    const enriched = new Map(histories.map((history) => [history.features, history.enrich(arrivals, labels)]))
    if (arrivals.length === 0) return
    const before = this.#scoring
    this.#scoring = this.#judge(chunk, enriched, own, candidates)
    // Awaited later: until then its failure is nobody's.
    this.#scoring.catch(() => {})
    if (before !== null) await this.#options.onDecided(await before)
  }

  async #judge(
    chunk: Chunk,
    enriched: ReadonlyMap<CompiledFeatures, Enriched>,
    own: readonly (readonly Label[])[],
    candidates: readonly Candidate[],
  ): Promise<DecidedChunk> {
    const judged = await Promise.all(
      candidates.map(({ active }) => judge(chunk, enriched.get(active.features) as Enriched, active)),
    )
    const [[features, { arrivals, rows }]] = [...enriched] as [[CompiledFeatures, Enriched]]
    return {
      arrivals,
      rows,
      amounts: Float64Array.from(chunk.arrivals, ({ transaction }) => {
        const factor = currencyFactor(features, transaction.currency) as number
        return convertedAmount(transaction, factor) / 100
      }),
      truths: chunk.arrivals.map(({ transaction }, i) =>
        this.#truthOf(transaction.transaction_id, own[i] ?? []),
      ),
      decisions: judged.map(({ decisions }) => decisions),
    }
  }

  #truthOf(transactionId: string, own: readonly Label[]): Truth | null {
    const { known, cutOff } = this.#options
    const apart = known.get(transactionId)
    if (apart === undefined && own.length === 0) return null
    const views = viewsOf([...(apart ?? []), ...own].filter(({ observed_time }) => observed_time <= cutOff))
    const last = views.at(-1)
    if (last === undefined) return null
    const { fraud, observed_time, fraud_type } = last
    return { fraud, observed_time, fraud_type, before: views.slice(0, -1) }
  }
}

/** All that became known of each labelled payment by `cutOff`. */
export async function knownBy(
  cutOff: number,
  labels: AsyncIterable<readonly Label[]>,
): Promise<Map<string, Finding[]>> {
  const known = new Map<string, Finding[]>()
  for await (const some of labels) {
    for (const { transaction_id, fraud, state, source, observed_time, fraud_type } of some) {
      if (observed_time > cutOff) continue
      const finding = { fraud, state, source, observed_time, fraud_type }
      const earlier = known.get(transaction_id)
      if (earlier === undefined) known.set(transaction_id, [finding])
      else earlier.push(finding)
    }
  }
  return known
}
