import { type CompiledPolicy, degradedReasons, outcomeOf, scoreCode, staleReason } from './policy.ts'
import { type Sca, scaOf } from './sca.ts'
import type { Outcome, Reason, Transaction } from './types.ts'

export const listNames = ['allow', 'deny', 'watch'] as const
export type ListName = (typeof listNames)[number]

export const listTypes = ['customer', 'card', 'device', 'ip', 'merchant', 'email', 'country'] as const
export type ListType = (typeof listTypes)[number]

/** Something of a payment that stands on a list. */
export interface ListHit {
  readonly list: ListName
  readonly type: ListType
  /** Of a deny entry: no allow entry overrides it. */
  readonly isFinal: boolean
}

/** What stands on lists. Pure: it answers by the payment's event_time. */
export interface Lists {
  /** In the order of listNames, then of listTypes; each pair once, final where any of its entries is. */
  hits(transaction: Transaction): readonly ListHit[]
}

/** What a rule may look at beside lists. */
export interface RuleFacts {
  readonly transaction: Transaction
  /** The vector that was scored, as decisions carry it. */
  readonly features: Buffer
  readonly score: number
  readonly riskScore: number
  /** Scores of the model's parts, in the order of Model.parts. */
  readonly parts: readonly number[]
  readonly lists: readonly ListHit[]
}

/** A rule that holds for a payment. */
export interface RuleHit {
  readonly id: string
  /** What it makes of the payment; null where it only adjusts. */
  readonly outcome: Outcome | null
  /** Points added to the risk score. */
  readonly adjust: number
  /** The higher one decides. */
  readonly priority: number
  readonly reason: Reason
}

/** Rules made ready for one set of features and one model. Pure. */
export interface Rules {
  /** version#hash, as decisions carry it. */
  readonly id: string
  /** Those that hold and are not snoozed, in the order of the file. */
  hits(facts: RuleFacts): readonly RuleHit[]
}

/** What is made of a payment, and by whom. */
export interface Verdict {
  readonly outcome: Outcome
  readonly rules: readonly RuleHit[]
  readonly lists: readonly ListHit[]
  /** Points that the rules add. */
  readonly adjustment: number
  /** Why, where lists or rules say so; the model's reasons come after these. */
  readonly reasons: readonly Reason[]
  /** How the payer is to be authenticated; null where the policy does not say. */
  readonly sca: Sca | null
}

/** What a verdict is made of, beside rules and lists. */
export interface VerdictFacts extends Omit<RuleFacts, 'lists'> {
  /** Major units of the reference currency. */
  readonly amount: number
  /** Whether a later payment of the customer came before it. */
  readonly late: boolean
}

/** What speaks for and against a payment. */
export interface Case {
  readonly policy: CompiledPolicy
  readonly lists: Lists | null
  readonly rules: Rules | null
}

const listReasons: Readonly<Record<ListName, Readonly<Record<ListType, Reason>>>> = {
  allow: reasonsOfList('ALLOW_LISTED', 'is on the allow list'),
  deny: reasonsOfList('DENY_LISTED', 'is on the deny list'),
  watch: reasonsOfList('WATCH_LISTED', 'is being watched'),
}

function reasonsOfList(code: string, words: string): Record<ListType, Reason> {
  const texts = listTypes.map((type) => [type, { code, text: `The ${type} ${words}.` }] as const)
  return Object.fromEntries(texts) as Record<ListType, Reason>
}

/** Codes of the reasons that weir gives of its own accord: no rule or policy may give one in another sense. */
export const ownCodes: ReadonlySet<string> = new Set([
  scoreCode,
  staleReason.code,
  ...Object.values(degradedReasons).map(({ code }) => code),
  ...listNames.map((list) => listReasons[list].customer.code),
])

const nothing: readonly never[] = []
/** Of outcomes: the later one is stricter. */
const strictness: Readonly<Record<Outcome, number>> = { approve: 0, challenge: 1, review: 2, decline: 3 }

/**
 * One outcome of score, rules and lists. In this order, the first that speaks decides (docs/decisioning.md):
 *
 * 1. a final deny entry: decline
 * 2. an allow entry: approve
 * 3. a deny entry: decline
 * 4. of the rules with an outcome, the one of the highest priority; of equal ones the strictest
 * 5. the policy's thresholds on the risk score with the rules' adjustments, 0 to 999
 */
export function verdictOf(facts: VerdictFacts, { policy, lists, rules }: Case): Verdict {
  const listed = lists === null ? nothing : lists.hits(facts.transaction)
  const held = rules === null ? nothing : rules.hits({ ...facts, lists: listed })
  let adjustment = 0
  for (const { adjust } of held) adjustment += adjust
  const adjusted = Math.min(999, Math.max(0, facts.riskScore + adjustment))
  const outcome =
    outcomeOfLists(listed) ??
    outcomeOfRules(held) ??
    outcomeOf(policy, adjusted, facts.transaction, facts.amount)
  const reasons =
    listed.length + held.length === 0
      ? nothing
      : [...reasonsOfLists(listed), ...held.map(({ reason }) => reason)]
  const { transaction, features, late } = facts
  const flagged = isFlagged(listed, held)
  const sca =
    policy.sca && scaOf(policy.sca, { outcome, transaction, riskScore: adjusted, features, flagged, late })
  return { outcome, rules: held, lists: listed, adjustment, reasons, sca }
}

/** What lists alone make of a payment; null where they leave it to others. */
export function outcomeOfLists(hits: readonly ListHit[]): Outcome | null {
  if (hits.length === 0) return null
  if (hits.some(({ isFinal }) => isFinal)) return 'decline'
  if (hits.some(({ list }) => list === 'allow')) return 'approve'
  return hits.some(({ list }) => list === 'deny') ? 'decline' : null
}

function outcomeOfRules(hits: readonly RuleHit[]): Outcome | null {
  let first: { outcome: Outcome; priority: number } | null = null
  for (const { outcome, priority } of hits) {
    if (outcome === null) continue
    const isFirst =
      first === null ||
      priority > first.priority ||
      (priority === first.priority && strictness[outcome] > strictness[first.outcome])
    if (isFirst) first = { outcome, priority }
  }
  return first?.outcome ?? null
}

/** Whether a list or a rule spoke against a payment, whatever came of that. */
export const isFlagged = (lists: readonly ListHit[], rules: readonly RuleHit[]): boolean =>
  lists.some(({ list }) => list !== 'allow') ||
  rules.some(({ outcome }) => outcome !== null && outcome !== 'approve')

/** As decisions name it. */
export const nameOfHit = ({ list, type }: ListHit): string => `${list}:${type}`

/**
 * Whether a person is to see it: by the policy, or because it names something that is being watched, whatever its outcome.
 *
 * @param listsHit as decisions name them.
 */
export const isForPeople = (
  outcome: Outcome,
  listsHit: readonly string[],
  { alert_on }: CompiledPolicy['file'],
): boolean => alert_on.includes(outcome) || listsHit.some((name) => name.startsWith('watch:'))

export const reasonsOfLists = (hits: readonly ListHit[]): readonly Reason[] =>
  hits.map(({ list, type }) => listReasons[list][type])
