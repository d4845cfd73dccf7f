import type { Label } from './types.ts'

/** Who labels, the most trusted first; `issuer` is the older name of an early fraud warning. */
export const claimants = ['chargeback', 'analyst', 'early_fraud_warning', 'customer'] as const

/** What a source says of a transaction, the least trusted first. A reversal takes back what the source said before. */
const standings = ['reversed', 'reported', 'confirmed'] as const

/** One source's word on a transaction, in numbers. */
export interface Claim {
  /** Position in `claimants`. */
  readonly claimant: number
  /** 0 taken back, 1 reported, 2 confirmed. */
  readonly standing: number
  readonly fraud: boolean
  /** Epoch milliseconds. */
  readonly observedTime: number
}

/** The fields of a label that the view is made of. */
export type Finding = Pick<Label, 'source' | 'state' | 'fraud' | 'fraud_type' | 'observed_time'>

export function claimOf({ source, state, fraud, observed_time }: Omit<Finding, 'fraud_type'>): Claim {
  const claimant = claimants.indexOf((source === 'issuer' ? 'early_fraud_warning' : source) as never)
  return { claimant, standing: standings.indexOf(state as never), fraud, observedTime: observed_time }
}

/**
 * The claims once a label has come: each source's own latest word by `observedTime`, the later in the log at one time. So
 * whatever the order in which labels of different times come, the same claims are left.
 */
export function withClaim<C extends Claim>(claims: readonly C[], claim: C): readonly C[] {
  const own = claims.find(({ claimant }) => claimant === claim.claimant)
  if (own !== undefined && own.observedTime > claim.observedTime) return claims
  return [...claims.filter((one) => one !== own), claim]
}

/**
 * The claim that holds where sources disagree: confirmed over reported; of equals, chargeback over analyst over early
 * fraud warning over customer. undefined where nobody claims anything any more: then the payment counts as good.
 */
export function holding<C extends Claim>(claims: readonly C[]): C | undefined {
  return claims.filter(({ standing }) => standing > 0).toSorted(byTrust)[0]
}

const byTrust = (a: Claim, b: Claim): number => b.standing - a.standing || a.claimant - b.claimant

/** What is held of a transaction. */
export interface LabelView extends Finding {
  /** Since when `fraud` has been held to be what it is, epoch milliseconds: a later label that agrees leaves it. */
  readonly observed_time: number
}

/**
 * What was known of a transaction on a day: labels observed later play no part, so a reversal changes later views only.
 *
 * @param labels all of one transaction, in the order of the log.
 * @param day epoch milliseconds, itself included.
 * @returns null where nobody had said anything by then.
 */
export function viewAt(labels: readonly Finding[], day: number): LabelView | null {
  return viewsOf(labels.filter(({ observed_time }) => observed_time <= day)).at(-1) ?? null
}

/** All that was ever held of a transaction, in order of time: one view for each time that `fraud` changed. */
export function viewsOf(labels: readonly Finding[]): LabelView[] {
  const views: LabelView[] = []
  let claims: readonly (Claim & { readonly label: Finding })[] = []
  for (const label of labels.toSorted((a, b) => a.observed_time - b.observed_time)) {
    claims = withClaim(claims, { ...claimOf(label), label })
    const held = holding(claims)
    const fraud = held?.fraud ?? false
    const { source, state } = held?.label ?? label
    const last = views.at(-1)
    const observed_time = last?.fraud === fraud ? last.observed_time : label.observed_time
    if (last?.fraud === fraud) views.pop()
    views.push({ fraud, state, source, observed_time, fraud_type: fraud ? typeOf(claims) : null })
  }
  return views
}

/** As the most trusted of those who say fraud and know the kind. */
function typeOf(claims: readonly (Claim & { readonly label: Finding })[]): string | null {
  return (
    holding(claims.filter(({ fraud, label }) => fraud && label.fraud_type !== null))?.label.fraud_type ?? null
  )
}
