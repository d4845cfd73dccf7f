import type { CompiledSca, Limit } from './sca-policy.ts'
import type { Outcome, Transaction } from './types.ts'

/**
 * How a payment is to be authenticated, by the strong customer authentication (SCA) of PSD2. "The regulation" is
 * Commission Delegated Regulation (EU) 2018/389 of 27 November 2017, "the directive" Directive (EU) 2015/2366. What is
 * taken into account and what is not, article by article: docs/policy.md.
 *
 * challenge         authenticate the payer, whatever an exemption would allow: 3-D Secure for cards
 * required          authenticate the payer: within the scope, and no exemption holds
 * exempt-low-value  an exemption may be asked for: Article 16
 * exempt-tra        Article 18, transaction risk analysis
 * exempt-recurring  Article 14
 * out-of-scope      the directive asks for none: the payer does not initiate it, or not electronically
 */
export type Sca =
  | 'challenge'
  | 'required'
  | 'exempt-low-value'
  | 'exempt-tra'
  | 'exempt-recurring'
  | 'out-of-scope'

/** What is known of a decided payment. */
export interface ScaCase {
  readonly outcome: Outcome
  readonly transaction: Transaction
  /** 0 to 999; null where the model gave none. */
  readonly riskScore: number | null
  /** The vector that was scored, as decisions carry it; empty where nothing was. */
  readonly features: Buffer
  /** Whether a list or rule spoke against it, whatever came of that. */
  readonly flagged: boolean
  /** Whether it came after a later one: its counts do not see that. */
  readonly late: boolean
}

/** Payments begun at a distance: the payer is at no terminal. */
const remote: readonly string[] = ['ecommerce', 'recurring', 'transfer']

/**
 * null where there is nothing to say: declined, paid back, or at a terminal, which asks the payer itself.
 *
 * An exemption is a leave to ask: the payer's provider, who knows when it last authenticated the payer, decides
 * (EBA-Op-2018-04, table 2). None is given to what is not approved, or what a list or rule spoke against.
 */
export function scaOf(sca: CompiledSca, payment: ScaCase): Sca | null {
  const { outcome, transaction, flagged } = payment
  const { channel, type } = transaction
  if (outcome === 'decline' || type === 'refund') return null
  if (outcome === 'challenge') return 'challenge'
  // Recital 95 of the directive, and its Article 97(1)(b) with EBA Q&A 2018_4031: under a mandate the payee initiates.
  if (channel === 'moto' || (channel === 'recurring' && sca.recurring === 'payee')) return 'out-of-scope'
  if (!remote.includes(channel)) return null
  if (outcome !== 'approve' || flagged) return 'required'
  if (channel === 'recurring' && isSubsequent(sca, payment)) return 'exempt-recurring'
  if (isLowValue(sca, payment)) return 'exempt-low-value'
  return isLowRisk(sca, payment) ? 'exempt-tra' : 'required'
}

/** Missing where nothing was scored. */
const featureAt = (features: Buffer, column: number): number =>
  features.length === 0 ? Number.NaN : features.readFloatLE(column * 4)

/** Article 14(2): a payment of a series that the payer began with SCA. That it is one is the payment system's word. */
const isSubsequent = ({ recurring, first }: CompiledSca, { features }: ScaCase): boolean =>
  recurring === 'payer' && featureAt(features, first) === 0

/** Article 16(a), (b) and (c), amounts in hundredths of a euro. */
const lowValue = { amount: 3_000, sum: 10_000, count: 5 }

/** Hundredths. Other currencies are never exempted: the rates of a feature file are fixed, none of the day. */
const eurosOf = ({ currency, amount_minor }: Transaction): number =>
  currency === 'EUR' ? amount_minor : Number.POSITIVE_INFINITY

/**
 * Article 16, the limits counting this payment too. The article counts from the last authentication, which weir does
 * not see: the features count every payment of their window in its place.
 */
function isLowValue({ count, sum }: CompiledSca, { transaction, features, late }: ScaCase): boolean {
  const amount = eurosOf(transaction)
  if ((count === null && sum === null) || late || amount > lowValue.amount) return false
  const before = ({ channels, column }: Limit) =>
    channels === null || channels.includes(transaction.channel) ? featureAt(features, column) : Number.NaN
  // Features are float32: back to the hundredths that they were made of.
  const spent = sum === null ? 0 : Math.round(before(sum) * 100)
  const made = count === null ? 0 : before(count)
  return spent + amount <= lowValue.sum && made + 1 <= lowValue.count
}

/** Article 18(2): (a) and (b) by the band of the annex, (c) by risk score and signs. */
function isLowRisk(
  { most, riskBelow, signs }: CompiledSca,
  { transaction, riskScore, features }: ScaCase,
): boolean {
  if (riskScore === null || riskScore >= riskBelow) return false
  if (eurosOf(transaction) > 100 * (transaction.channel === 'transfer' ? most.transfer : most.card))
    return false
  return signs.every(({ column, from, to }) => {
    const value = featureAt(features, column)
    return value < from || value > to
  })
}
