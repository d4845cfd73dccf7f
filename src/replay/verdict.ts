import type { Decision } from '../core/types.ts'
import type { Version } from './at-hand.ts'

/** One value of a decision that is not what it must be. */
export interface Difference {
  readonly decision_id: string
  /** Of the decision's schema, `features.NAME` for one column, or `dead_letter`. */
  readonly field: string
  readonly recorded: unknown
  readonly recomputed: unknown
}

/** How many of something were compared, and how many were not what they must be. */
export interface Compared {
  compared: number
  differ: number
}

/** What was found about merchants', terminals' and devices' columns: they depend on the moment, so it is no breach. */
export interface EntityDifferences {
  /** Values compared, and those of them that differ. */
  values: number
  differ: number
  /** Of those that differ: on one side there is no value. */
  missing_on_one_side: number
  /** Decisions with at least one value that differs. */
  decisions: number
  /** Decisions whose outcome the recomputed values would have made another. */
  outcomes_differ: number
  /** |a - b| / max(|a|, |b|) of those that differ and are there on both sides; null where there are none. */
  largest_relative: number | null
  /** Within 1 %. */
  median_relative: number | null
  /** Values that differ, by column. */
  readonly columns: Record<string, number>
}

/** Decisions of one version that could not be compared. */
export interface Unverifiable extends Omit<Version, 'control_offset'> {
  decisions: number
  /** What is not at hand. */
  readonly why: string
}

/** What was read of one partition of transactions. */
export interface VerifiedRange {
  readonly partition: number
  /** Offsets from `from` up to, not including, `to` were verified. */
  readonly from: number
  readonly to: number
  /** The first offset that the log still has. Above 0 retention has cut it. */
  readonly first: number
  /** From here on customers' states can be recomputed; null: what they need is no longer on the log. */
  readonly states_from: number | null
}

export interface Verification {
  readonly ranges: readonly VerifiedRange[]
  transactions: number
  decisions: number
  degraded: number
  duplicates: number
  /** By the values that the decisions store. */
  readonly as_recorded: Compared & { readonly fields: Record<string, number> }
  /** By the log alone. */
  readonly recomputed: Compared & {
    /** Values that differ, by column of the payment and its customer. */
    readonly customer_columns_differ: Record<string, number>
    /** Null where they cannot be recomputed: some partition of payments or labels has lost its first records. */
    readonly entity: EntityDifferences | null
  }
  readonly dead_letters: Compared
  /** Transactions without an answer. */
  lost: number
  /** Answers too many: a second one, or one out of its order. */
  doubled: number
  /** Answers to no transaction, or that cannot be read. */
  stray: number
  /** Transactions from before the first answer that retention has left. */
  answer_gone: number
  /** Transactions in ranges that were declared skipped: not decided, and part of the states. */
  skipped: number
  readonly unverifiable: { decisions: number; readonly versions: Unverifiable[] }
  first_difference: Difference | null
  /** The first of what is lost, doubled or stray, in words. */
  readonly findings: string[]
}

const mostFindings = 20

/** Counts what is found while decisions are verified. */
export class Verdict {
  readonly result: Verification
  /** Relative differences of entity values. */
  readonly #spread = new Spread()

  /** @param hasEntities whether values of merchants, terminals and devices can be recomputed. */
  constructor(ranges: readonly VerifiedRange[], hasEntities: boolean) {
    this.result = {
      ranges,
      transactions: 0,
      decisions: 0,
      degraded: 0,
      duplicates: 0,
      as_recorded: { compared: 0, differ: 0, fields: {} },
      recomputed: {
        compared: 0,
        differ: 0,
        customer_columns_differ: {},
        entity: hasEntities ? noDifferences() : null,
      },
      dead_letters: { compared: 0, differ: 0 },
      lost: 0,
      doubled: 0,
      stray: 0,
      answer_gone: 0,
      skipped: 0,
      unverifiable: { decisions: 0, versions: [] },
      first_difference: null,
      findings: [],
    }
  }

  /** True when a promise of weir does not hold, or could not be looked at. */
  get isBreach(): boolean {
    const { as_recorded, recomputed, dead_letters, lost, doubled, stray, unverifiable } = this.result
    const differ = as_recorded.differ + recomputed.differ + dead_letters.differ
    return differ + lost + doubled + stray + unverifiable.decisions > 0
  }

  finish(): Verification {
    const { entity } = this.result.recomputed
    if (entity !== null) {
      entity.largest_relative = this.#spread.largest
      entity.median_relative = this.#spread.median
    }
    return this.result
  }

  find(what: 'lost' | 'doubled' | 'stray', words: string): void {
    this.result[what]++
    if (this.result.findings.length < mostFindings) this.result.findings.push(`${what}: ${words}`)
  }

  /** A decision by its own values and by the log; the first difference named is the one that the others follow from. */
  compared(recomputed: readonly Difference[] | null, asRecorded: readonly Difference[]): void {
    const { as_recorded, recomputed: byLog } = this.result
    if (recomputed !== null) {
      byLog.compared++
      if (recomputed.length > 0) byLog.differ++
      for (const { field } of recomputed) {
        if (field.startsWith('features.'))
          count(byLog.customer_columns_differ, field.slice('features.'.length))
      }
    }
    as_recorded.compared++
    if (asRecorded.length > 0) as_recorded.differ++
    for (const { field } of asRecorded) count(as_recorded.fields, field)
    this.name([...(recomputed ?? []), ...asRecorded])
  }

  name([first]: readonly Difference[]): void {
    this.result.first_difference ??= first ?? null
  }

  /** One value of a merchant, terminal or device that differs. */
  entityValue(entity: EntityDifferences, column: string, recorded: number, recomputed: number): void {
    entity.differ++
    count(entity.columns, column)
    if (Number.isNaN(recorded) || Number.isNaN(recomputed)) entity.missing_on_one_side++
    else if (recorded !== recomputed) {
      this.#spread.add(Math.abs(recorded - recomputed) / Math.max(Math.abs(recorded), Math.abs(recomputed)))
    }
  }

  cannotVerify({ feature_hash, model, model_sha256, policy, rules }: Decision, why: string): void {
    const { unverifiable } = this.result
    unverifiable.decisions++
    const version = { feature_hash, model, model_sha256, policy, rules }
    const known = unverifiable.versions.find((one) =>
      (Object.keys(version) as (keyof typeof version)[]).every((part) => one[part] === version[part]),
    )
    if (known === undefined) unverifiable.versions.push({ ...version, decisions: 1, why })
    else known.decisions++
  }
}

const count = (counts: Record<string, number>, name: string): void => {
  counts[name] = (counts[name] ?? 0) + 1
}

const noDifferences = (): EntityDifferences => ({
  values: 0,
  differ: 0,
  missing_on_one_side: 0,
  decisions: 0,
  outcomes_differ: 0,
  largest_relative: null,
  median_relative: null,
  columns: {},
})

/** Of an octave: a median is told within half of one, 1 %. */
const bucketsAnOctave = 32

/** Largest and median of any number of positive values, in the memory of a few hundred. */
class Spread {
  largest: number | null = null
  #size = 0
  readonly #counts = new Map<number, number>()

  add(value: number): void {
    this.largest = Math.max(value, this.largest ?? 0)
    const bucket = Math.floor(Math.log2(value) * bucketsAnOctave)
    this.#counts.set(bucket, (this.#counts.get(bucket) ?? 0) + 1)
    this.#size++
  }

  /** The middle of the bucket that holds it. */
  get median(): number | null {
    let below = 0
    for (const [bucket, size] of [...this.#counts].sort(([a], [b]) => a - b)) {
      below += size
      if (below * 2 >= this.#size) return 2 ** ((bucket + 0.5) / bucketsAnOctave)
    }
    return null
  }
}
