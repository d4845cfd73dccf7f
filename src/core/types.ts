/**
 * Terminology
 *
 * transaction   one payment authorisation or transfer, as schemas/transaction.avsc describes it
 * decision      what weir says about a transaction: an outcome and everything that led to it
 * outcome       approve, challenge (ask the payer to prove who they are), review, decline
 * score         calibrated probability of fraud, 0 to 1
 * risk score    0 to 999, a monotone map of the score whose meaning is kept over retraining
 * alert         a decision that a person should see
 * label         what became known about a transaction later: fraud or not, from whom, since when
 * entity        whom features are kept for: the customer, and across customers the merchant,
 *               the terminal and the device
 * state         what is kept of an entity's past, packed; features are read from it
 * chunk         transactions of one partition in log order that are decided together
 * lane          the one processor of one input partition
 * watermark     the offset up to which a lane's states contain the log
 *
 * Field names are those of the contracts in schemas/: one thing has one name on the wire, in the
 * code, in the feature file and in the training table.
 */

/** One payment, validated. Units, ranges and standards: schemas/transaction.avsc. */
export interface Transaction {
  readonly transaction_id: string
  readonly event_time: number
  readonly customer_id: string
  readonly amount_minor: number
  readonly currency: string
  readonly type: string
  readonly channel: string
  readonly entry_mode: string | null
  readonly merchant_id: string
  readonly merchant_name: string | null
  readonly mcc: string | null
  readonly terminal_id: string | null
  readonly device_id: string | null
  readonly ip: string | null
  readonly country: string | null
  readonly latitude: number | null
  readonly longitude: number | null
  readonly utc_offset_minutes: number | null
  readonly card_token: string | null
  readonly card_bin: string | null
  readonly card_last4: string | null
  readonly counterparty_id: string | null
  readonly email_hash: string | null
  readonly description: string | null
}

export const transactionTypes = ['purchase', 'refund', 'cash', 'transfer', 'payment'] as const
export const channels = ['pos', 'atm', 'ecommerce', 'moto', 'recurring', 'transfer'] as const
export const entryModes = ['chip', 'contactless', 'magstripe', 'manual', 'stored', 'online'] as const

export const outcomes = ['approve', 'challenge', 'review', 'decline'] as const
export type Outcome = (typeof outcomes)[number]

/** How a decision came about: see schemas/decision.avsc. */
export type DecisionStatus = 'scored' | 'degraded' | 'duplicate'

/** One decision. Units, ranges and meaning: schemas/decision.avsc. */
export interface Decision {
  readonly decision_id: string
  readonly transaction_id: string
  readonly customer_id: string
  readonly event_time: number
  readonly status: DecisionStatus
  readonly outcome: Outcome | null
  readonly score: number | null
  readonly risk_score: number | null
  readonly reasons: readonly string[]
  readonly duplicate_of: string | null
  readonly late: boolean
  readonly entity_age_ms: number | null
  readonly feature_hash: string
  readonly features: Buffer
  readonly model: string
  readonly model_sha256: string
  readonly policy: string
  readonly control_offset: number | null
  readonly rules: string | null
  readonly rules_hit: readonly string[]
  readonly lists_hit: readonly string[]
  readonly adjustment: number
  readonly sca: string | null
}

/** Why, in a code that machines count and a sentence that people read. */
export interface Reason {
  readonly code: string
  readonly text: string
}

/** One alert: schemas/alert.avsc. */
export interface Alert {
  readonly alert_id: string
  readonly transaction_id: string
  readonly customer_id: string
  readonly event_time: number
  readonly outcome: Outcome
  readonly status: DecisionStatus
  readonly risk_score: number | null
  readonly amount_minor: number
  readonly currency: string
  readonly type: string
  readonly channel: string
  readonly merchant_id: string
  readonly merchant_name: string | null
  readonly mcc: string | null
  readonly country: string | null
  readonly terminal_id: string | null
  readonly device_id: string | null
  readonly reasons: readonly Reason[]
  readonly score: number | null
  readonly rules_hit: readonly string[]
  readonly lists_hit: readonly string[]
  readonly sca: string | null
  readonly loss: number | null
  readonly parts: readonly PartScore[]
  readonly disagreement: number | null
  readonly base: number | null
  readonly contributions: readonly Contribution[]
  readonly narrative: string
}

/** What one model of a fused package says alone. */
export interface PartScore {
  readonly name: string
  /** Calibrated probability of fraud. */
  readonly score: number
}

/** What one column adds to the log-odds of fraud. */
export interface Contribution {
  readonly feature: string
  /** As it was scored; NaN is missing. */
  readonly value: number
  readonly contribution: number
}

/** A change of what decides: schemas/control.avsc. */
export interface Control {
  readonly control_id: string
  readonly kind: string
  readonly name: string
  readonly version: string
  readonly sha256: string
  readonly body: Buffer
  readonly author: string
  readonly comment: string | null
  readonly created_time: number
}

/** What became known about a transaction: schemas/label.avsc. */
export interface Label {
  readonly label_id: string
  readonly transaction_id: string
  readonly customer_id: string
  readonly merchant_id: string
  readonly terminal_id: string | null
  readonly device_id: string | null
  readonly fraud: boolean
  readonly state: string
  readonly source: string
  readonly fraud_type: string | null
  readonly effective_time: number
  readonly observed_time: number
}

export const entityKinds = ['merchant', 'terminal', 'device'] as const
export type EntityKind = (typeof entityKinds)[number]

/** What a chunk adds to one entity: schemas/entity-update.avsc. */
export interface EntityDelta {
  readonly kind: EntityKind
  readonly key: string
  readonly time: number
  readonly count: number
  readonly sum: number
  readonly frauds: number
  readonly payment_frauds: number
  readonly odd_payments: number
  readonly customers: readonly number[]
}

/** The deltas of one chunk for the entities of one partition: schemas/entity-update.avsc. */
export interface EntityUpdate {
  readonly source_kind: 't' | 'l'
  readonly source_partition: number
  readonly source_offset: number
  readonly time: number
  readonly deltas: readonly EntityDelta[]
}
