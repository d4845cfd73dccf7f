import type { CompiledFeatures } from './features/compile.ts'
import type { FeatureDefinition } from './features/definition.ts'

/** A feature that must not lie in a range; one that is missing counts as if it did. */
export interface ScaSign {
  readonly feature: string
  readonly at_least?: number | undefined
  readonly at_most?: number | undefined
}

/** The section `sca` of a policy file. What is not named is not exempted. */
export interface ScaFile {
  /** Article 16. Features of the customer's past; where both are named, both limits must hold. */
  readonly low_value?: { readonly count?: string | undefined; readonly sum?: string | undefined } | undefined
  readonly tra?:
    | {
        /** Of all remote payments of the last 90 days, fraud / all by value, 0 to 1, as Article 19 has it. */
        readonly fraud_rate: { readonly card?: number | undefined; readonly transfer?: number | undefined }
        /** Risk scores below this pose a low level of risk. */
        readonly risk_below: number
        /** Signs that Article 18(2)(c) rules out: abnormal spending, device, place, a known scenario. */
        readonly unless: readonly ScaSign[]
      }
    | undefined
  /** What payments of the channel `recurring` are. `first`: 1 at a payee whom the customer has not paid yet. */
  readonly recurring?:
    | { readonly initiated_by: 'payee' | 'payer'; readonly first?: string | undefined }
    | undefined
}

/** The annex: an exemption threshold value in EUR, and the reference fraud rates, as shares, up to which it holds. */
const bands = [
  { most: 500, card: 0.0001, transfer: 0.00005 },
  { most: 250, card: 0.0006, transfer: 0.0001 },
  { most: 100, card: 0.0013, transfer: 0.00015 },
] as const

/** The most, in EUR, that Article 18 exempts at a provider's own fraud rate, a share; 0: nothing. */
export const exemptionThreshold = (kind: 'card' | 'transfer', fraudRate: number): number =>
  bands.find((band) => fraudRate <= band[kind])?.most ?? 0

export interface Limit {
  readonly column: number
  /** Those whose payments the feature sees; null: all. */
  readonly channels: readonly string[] | null
}

/** The section made ready for one set of features. */
export interface CompiledSca {
  readonly count: Limit | null
  readonly sum: Limit | null
  readonly most: { readonly card: number; readonly transfer: number }
  readonly riskBelow: number
  readonly signs: readonly { readonly column: number; readonly from: number; readonly to: number }[]
  readonly recurring: 'payee' | 'payer' | null
  readonly first: number
}

/**
 * @param invalid makes the error that is thrown, from a clause that says what is wrong.
 * @throws what `invalid` makes, where the section names a feature that cannot serve.
 */
export function compileSca(
  { low_value, tra, recurring }: ScaFile,
  features: CompiledFeatures,
  invalid: (what: string) => Error,
): CompiledSca {
  const named = (feature: string, where: string): FeatureDefinition => {
    const definition = features.file.features.find(({ name }) => name === feature)
    if (definition !== undefined) return definition
    throw invalid(`${where} names the feature ${feature}, which the feature file lacks`)
  }
  const columnOf = (feature: string) => features.names.indexOf(feature)
  return {
    ...limitsOf(low_value, features, named, invalid),
    most: {
      card: exemptionThreshold('card', tra?.fraud_rate.card ?? 1),
      transfer: exemptionThreshold('transfer', tra?.fraud_rate.transfer ?? 1),
    },
    riskBelow: tra?.risk_below ?? 0,
    signs: (tra?.unless ?? []).map(({ feature, at_least, at_most }) => {
      named(feature, 'sca.tra.unless')
      if (at_least === undefined && at_most === undefined) {
        throw invalid(`sca.tra.unless of ${feature} needs at_least or at_most`)
      }
      return { column: columnOf(feature), from: at_least ?? -Infinity, to: at_most ?? Infinity }
    }),
    recurring: recurring?.initiated_by ?? null,
    first: recurring?.initiated_by === 'payer' ? columnOf(firstOf(recurring.first, named, invalid)) : -1,
  }
}

type Named = (feature: string, where: string) => FeatureDefinition

function limitsOf(
  lowValue: ScaFile['low_value'],
  { file, names }: CompiledFeatures,
  named: Named,
  invalid: (what: string) => Error,
): Pick<CompiledSca, 'count' | 'sum'> {
  if (lowValue === undefined) return { count: null, sum: null }
  const { count, sum } = lowValue
  if (count === undefined && sum === undefined) {
    throw invalid('sca.low_value names neither count nor sum: nothing would limit it')
  }
  if (sum !== undefined && file.reference_currency !== 'EUR') {
    throw invalid(
      `sca.low_value.sum is in EUR and the features in ${file.reference_currency}: name count alone`,
    )
  }
  const limit = (kind: 'count' | 'sum', name: string | undefined): Limit | null => {
    if (name === undefined) return null
    const past = pastOf(named(name, `sca.low_value.${kind}`), kind)
    if (past !== null) return { column: names.indexOf(name), channels: past.channel ?? null }
    throw invalid(
      `sca.low_value.${kind} needs a ${kind} of all payments of the customer, or of channels: ${name} is none`,
    )
  }
  return { count: limit('count', count), sum: limit('sum', sum) }
}

function firstOf(first: string | undefined, named: Named, invalid: (what: string) => Error): string {
  const definition = first === undefined ? undefined : named(first, 'sca.recurring.first')
  if (definition !== undefined && 'first_seen' in definition && definition.first_seen === 'merchant_id') {
    return definition.name
  }
  throw invalid('sca.recurring of the payer needs `first`: a feature of `first_seen: merchant_id`')
}

/** Which payments a count or sum of the customer's past sees; null where it is no such feature, or sees some only. */
function pastOf(
  definition: FeatureDefinition,
  kind: 'count' | 'sum',
): { readonly channel?: readonly string[] | undefined } | null {
  if (definition.entity !== 'customer') return null
  if ('fact' in definition) return kind === 'count' && definition.fact === 'total_count' ? {} : null
  if (!('aggregate' in definition) || definition.aggregate !== kind) return null
  const { same, where = {} } = definition
  return same !== undefined || where.type !== undefined ? null : where
}
