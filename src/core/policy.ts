import { WeirError } from './errors.ts'
import { type CompiledFeatures, canonical } from './features/compile.ts'
import { type Language, worded } from './narrative/language.ts'
import { type CompiledSca, compileSca, type ScaFile } from './sca-policy.ts'
import { type CutOffs, mistakeIn, outcomeAt, thresholdsFor } from './thresholds.ts'
import { type Outcome, outcomes, type Reason, type Transaction } from './types.ts'

/** A policy file: how a risk score becomes an outcome, and why in words. Documented in docs/policy.md. */
export interface PolicyFile extends CutOffs {
  readonly version: string
  /** Of reasons and narratives; English where it is not given. */
  readonly language?: Language | undefined
  /** Outcomes that a person should see. */
  readonly alert_on: readonly Outcome[]
  /** What is decided when no score can be had in time: the first row that matches. The last row matches all. */
  readonly degraded: readonly DegradedRow[]
  /** Weightiest first; the first four that hold are given. */
  readonly reasons: readonly ReasonRow[]
  /** How payments are to be authenticated; without it decisions do not say. */
  readonly sca?: ScaFile | undefined
}

export interface DegradedRow {
  readonly channel?: readonly string[] | undefined
  /** Least amount in major units of the reference currency. */
  readonly amount_at_least?: number | undefined
  readonly outcome: Outcome
  readonly alert: boolean
}

export interface ReasonRow {
  readonly code: string
  /** Whose value must lie within the limits. */
  readonly feature: string
  /** Others that tell of the same: their contributions count for this reason, too. */
  readonly features?: readonly string[] | undefined
  readonly at_least?: number | undefined
  readonly at_most?: number | undefined
  /** `{value}` stands for the feature's value. */
  readonly text: string
  /** The same in simplified Chinese. */
  readonly text_zh?: string | undefined
  /** What is usual for the customer, said after `text` where it is known; `{usual}` stands for `feature` / `per`. */
  readonly usual?:
    | {
        readonly feature: string
        readonly per: number
        readonly text: string
        readonly text_zh?: string | undefined
      }
    | undefined
}

/** A policy made ready for one set of features. */
export interface CompiledPolicy {
  readonly file: PolicyFile
  /** version#hash, as decisions carry it. */
  readonly id: string
  /** null: off. */
  readonly sca: CompiledSca | null
  readonly reasons: readonly CompiledReason[]
}

interface CompiledReason {
  readonly row: ReasonRow
  readonly column: number
  /** `column`, and those of the others. */
  readonly group: readonly number[]
  /** -1: nothing usual is said. */
  readonly usual: number
}

export const mostReasons = 4
/** Of the reason that is given where no other holds. */
export const scoreCode = 'SCORE'
export const staleReason: Reason = {
  code: 'ENTITY_VALUES_STALE',
  text: 'What is known of the merchant, terminal or device was too old to be used.',
}
const none: readonly Reason[] = []
const onlyStale: readonly Reason[] = [staleReason]
/** Of decisions by the degraded table, by what could not be had. */
export const degradedReasons = {
  states: {
    code: 'DEGRADED',
    text: 'The features could not be had in time; the policy decided by amount and channel.',
  },
  model: {
    code: 'DEGRADED_MODEL',
    text: 'The model gave no score in time; the policy decided by amount and channel.',
  },
} as const satisfies Record<string, Reason>
export type Missing = keyof typeof degradedReasons

/** What a degraded decision lacked, by its reasons. */
export const missingBy = (reasons: readonly string[]): Missing =>
  reasons.includes(degradedReasons.model.code) ? 'model' : 'states'

/** @throws WeirError WEIR_POLICY_INVALID that names the row and what is wrong with it. */
export function compilePolicy(
  file: PolicyFile,
  features: CompiledFeatures,
  sha256: (text: string) => string,
): CompiledPolicy {
  const mistake = mistakeIn(file)
  if (mistake !== null) throw invalid(mistake)
  const last = file.degraded.at(-1)
  if (last === undefined || last.channel !== undefined || last.amount_at_least !== undefined) {
    throw invalid(
      'the last row of `degraded` must match every transaction: give it an outcome and no condition',
    )
  }
  const reasons = file.reasons.map((given): CompiledReason => {
    const row = worded(given, languageOf(file))
    const columnOf = (feature: string): number => {
      const column = features.names.indexOf(feature)
      if (column >= 0) return column
      throw invalid(`reason ${row.code} names the feature ${feature}, which the feature file lacks`)
    }
    const column = columnOf(row.feature)
    const group = [...new Set([column, ...(row.features ?? []).map(columnOf)])]
    return { row, column, group, usual: row.usual === undefined ? -1 : columnOf(row.usual.feature) }
  })
  const sca = file.sca === undefined ? null : compileSca(file.sca, features, invalid)
  return { file, id: policyId(file, sha256), sca, reasons }
}

export const languageOf = ({ language }: PolicyFile): Language => language ?? 'en'

/** version#hash, as decisions carry it. */
export const policyId = (file: PolicyFile, sha256: (text: string) => string): string =>
  `${file.version}#${sha256(canonical(file)).slice(0, 8)}`

/**
 * @param riskScore 0 to 999.
 * @param amount major units of the reference currency.
 */
export const outcomeOf = (
  { file }: Pick<CompiledPolicy, 'file'>,
  riskScore: number,
  transaction: Transaction,
  amount: number,
): Outcome => outcomeAt(thresholdsFor(file, transaction, amount), riskScore)

/** The row that decides without a score. @param amount major units of the reference currency. */
export function degradedRow(
  { file }: Pick<CompiledPolicy, 'file'>,
  transaction: Transaction,
  amount: number,
): DegradedRow {
  const row = file.degraded.find(
    ({ channel, amount_at_least }) =>
      (channel === undefined || channel.includes(transaction.channel)) &&
      (amount_at_least === undefined || amount >= amount_at_least),
  )
  return row as DegradedRow
}

/**
 * Why, weightiest first, at most four; never empty but for an approve that was made on all that could be known.
 *
 * @param features the vector that was scored, as decisions carry it.
 * @param stale whether a value of merchant, terminal or device was too old to be used.
 * @param contributions of the vector's columns to its log-odds: of the rows that hold, those whose columns together
 * speak for fraud are given, by how much. Null: those that hold, in the order of the file.
 */
export function reasonsOf(
  policy: CompiledPolicy,
  outcome: Outcome,
  features: Buffer,
  riskScore: number,
  stale: boolean,
  contributions: Float64Array | null = null,
): readonly Reason[] {
  if (outcome === 'approve') return stale ? onlyStale : none
  const holding = policy.reasons.filter(({ row, column }) => {
    const value = features.readFloatLE(column * 4)
    return value >= (row.at_least ?? -Infinity) && value <= (row.at_most ?? Infinity)
  })
  const ordered = contributions === null ? holding : byContribution(holding, contributions)
  const language = languageOf(policy.file)
  const reasons = ordered.map((reason) => ({
    code: reason.row.code,
    text: inFull(reason, features, language),
  }))
  if (stale) reasons.unshift(staleReason)
  if (reasons.length === 0) {
    reasons.push({
      code: scoreCode,
      text: `The model sees a risk of ${riskScore} of 999 in the payment as a whole.`,
    })
  }
  return reasons.slice(0, mostReasons)
}

/** Those that speak for fraud, the most first; of equals the first in the file. */
function byContribution(
  reasons: readonly CompiledReason[],
  contributions: Float64Array,
): readonly CompiledReason[] {
  return reasons
    .map((reason) => ({
      reason,
      sum: reason.group.reduce((sum, column) => sum + (contributions[column] as number), 0),
    }))
    .filter(({ sum }) => sum > 0)
    .sort((a, b) => b.sum - a.sum)
    .map(({ reason }) => reason)
}

function inFull({ row, column, usual }: CompiledReason, features: Buffer, language: Language): string {
  const text = row.text.replaceAll('{value}', inWords(features.readFloatLE(column * 4), language))
  const known = usual < 0 ? Number.NaN : features.readFloatLE(usual * 4)
  if (row.usual === undefined || Number.isNaN(known)) return text
  const beside = row.usual.text.replaceAll('{usual}', inWords(known / row.usual.per, language))
  const [between, end] = language === 'zh' ? ['，', '。'] : ['; ', '.']
  return `${text.replace(/[.。]$/, '')}${between}${beside}${end}`
}

/** At most one decimal: reasons are for people. */
const inWords = (value: number, language: Language): string =>
  value > 0 && value < 0.05 ? least[language] : String(Math.round(value * 10) / 10)
const least: Readonly<Record<Language, string>> = { en: 'less than 0.1', zh: '不到0.1' }

function invalid(what: string): WeirError {
  return new WeirError('WEIR_POLICY_INVALID', `policy file: ${what}`, {
    cure: `Mend the policy file. Outcomes are ${outcomes.join(', ')}.`,
  })
}
