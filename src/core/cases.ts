import { dayOf, isoDay } from './days.ts'
import type { Alert } from './types.ts'

export const caseActions = ['take', 'release', 'note', 'dispose'] as const
export type CaseActionKind = (typeof caseActions)[number]

export const dispositions = ['fraud', 'good', 'inconclusive'] as const
export type Disposition = (typeof dispositions)[number]

/** What a person did with a case: schemas/case-action.avsc. */
export interface CaseAction {
  readonly action_id: string
  readonly case_id: string
  readonly customer_id: string
  readonly action: CaseActionKind
  readonly who: string
  /** Epoch milliseconds. */
  readonly action_time: number
  readonly text: string | null
  readonly disposition: Disposition | null
  readonly alert_ids: readonly string[]
}

/** What a case needs to know of an alert. */
export type CaseAlert = Pick<Alert, 'alert_id' | 'customer_id' | 'event_time' | 'risk_score' | 'loss'>

/** Alerts of one customer that are worked together. */
export interface Case<A extends CaseAlert = CaseAlert> {
  /** alert_id of the first. */
  readonly case_id: string
  readonly customer_id: string
  /** event_time of the first alert, epoch milliseconds. */
  readonly opened_time: number
  readonly status: 'new' | 'open' | 'closed'
  /** Who works, or worked, on it. */
  readonly taken_by: string | null
  readonly disposition: Disposition | null
  readonly closed_by: string | null
  /** Epoch milliseconds. */
  readonly closed_time: number | null
  /** Expected loss: the sum over its alerts, major units of the reference currency; an alert without a score adds none. */
  readonly loss: number
  /** The highest of its alerts, 0 to 999. */
  readonly risk_score: number | null
  /** In the order of the log. */
  readonly alerts: readonly A[]
  readonly notes: readonly Pick<CaseAction, 'who' | 'action_time' | 'text'>[]
}

/**
 * The cases that alerts and actions make. A customer's first alert opens one; the alerts that follow within `windowMs` of
 * its event time are linked to it while it is not closed. A dispose closes the alerts that it names and no other: one
 * that nobody had seen opens a new case. An alert that actions name as a case stays one, whatever the window.
 *
 * @param alerts each customer's in the order of the log; customers may be interleaved in any way.
 * @param actions likewise.
 * @param windowMs milliseconds of event time.
 * @returns by opened_time, then case_id.
 */
export function casesOf<A extends CaseAlert>(
  alerts: readonly A[],
  actions: readonly CaseAction[],
  windowMs: number,
): Case<A>[] {
  const actionsBy = Map.groupBy(actions, ({ customer_id }) => customer_id)
  return [...Map.groupBy(alerts, ({ customer_id }) => customer_id)]
    .flatMap(([customer, own]) => casesOfCustomer(own, once(actionsBy.get(customer) ?? []), windowMs))
    .sort((a, b) => a.opened_time - b.opened_time || compareText(a.case_id, b.case_id))
}

function casesOfCustomer<A extends CaseAlert>(
  alerts: readonly A[],
  actions: readonly CaseAction[],
  windowMs: number,
): Case<A>[] {
  const byCase = Map.groupBy(actions, ({ case_id }) => case_id)
  const closed = new Map<string, string>()
  for (const [caseId, ofCase] of byCase) {
    const { alert_ids } = disposeIn(ofCase) ?? { alert_ids: [] }
    for (const id of alert_ids) if (!closed.has(id)) closed.set(id, caseId)
  }
  const linked = new Map<string, A[]>()
  let latest: A | undefined
  for (const alert of alerts) {
    const closedIn = closed.get(alert.alert_id)
    const isNear = latest !== undefined && Math.abs(alert.event_time - latest.event_time) < windowMs
    const joins = isNear && !byCase.has(alert.alert_id) ? latest?.alert_id : undefined
    const caseId = closedIn ?? joins ?? alert.alert_id
    const others = linked.get(caseId)
    if (others === undefined) linked.set(caseId, [alert])
    else others.push(alert)
    const isClosed = disposeIn(byCase.get(alert.alert_id) ?? []) !== undefined
    if (caseId === alert.alert_id && !isClosed) latest = alert
  }
  return [...linked].map(([caseId, own]) => caseFrom(caseId, own, byCase.get(caseId) ?? []))
}

function caseFrom<A extends CaseAlert>(
  case_id: string,
  alerts: readonly A[],
  actions: readonly CaseAction[],
): Case<A> {
  const dispose = disposeIn(actions)
  const [first] = alerts as readonly [A]
  const scores = alerts.flatMap(({ risk_score }) => risk_score ?? [])
  const taken_by = takerIn(actions)
  return {
    case_id,
    customer_id: first.customer_id,
    opened_time: first.event_time,
    status: dispose !== undefined ? 'closed' : taken_by === null ? 'new' : 'open',
    taken_by,
    disposition: dispose?.disposition ?? null,
    closed_by: dispose?.who ?? null,
    closed_time: dispose?.action_time ?? null,
    loss: alerts.reduce((sum, { loss }) => sum + (loss ?? 0), 0),
    risk_score: scores.length === 0 ? null : Math.max(...scores),
    alerts,
    notes: actions
      .filter(({ text }) => text !== null)
      .map(({ who, action_time, text }) => ({ who, action_time, text })),
  }
}

/** The first counts: a closed case is not closed again. */
const disposeIn = (actions: readonly CaseAction[]): CaseAction | undefined =>
  actions.find(({ action }) => action === 'dispose')

/** Who took it and has not released it; while one has it nobody else takes it, and once it is closed nothing changes. */
function takerIn(actions: readonly CaseAction[]): string | null {
  let taker: string | null = null
  for (const { action, who } of actions) {
    if (action === 'dispose') break
    if (action === 'take') taker ??= who
    if (action === 'release') taker = null
  }
  return taker
}

function once(actions: readonly CaseAction[]): CaseAction[] {
  const first = new Map<string, CaseAction>()
  for (const action of actions) if (!first.has(action.action_id)) first.set(action.action_id, action)
  return [...first.values()]
}

/** A case on the working list. */
export interface ListedCase<C extends Case> {
  readonly case: C
  /** UTC day of its first alert, ISO 8601. */
  readonly day: string
  /** Whether the day has as many cases as can be worked without it. */
  readonly isOverBudget: boolean
}

/**
 * The alert budget: of each day at most `perDay` cases are to be worked, those of the largest expected loss. A case that
 * somebody has taken or closed keeps its place, also when larger ones come.
 *
 * @param perDay Infinity for all.
 * @returns all cases: first those within the budget, each part by expected loss, the largest first.
 */
export function workingList<C extends Case>(cases: readonly C[], perDay: number): ListedCase<C>[] {
  const byDay = Map.groupBy(cases, ({ opened_time }) => isoDay(dayOf(opened_time)))
  const listed = [...byDay].flatMap(([day, ofDay]) =>
    ofDay
      .toSorted((a, b) => Number(isWorked(b)) - Number(isWorked(a)) || byLoss(a, b))
      .map((one, place) => ({ case: one, day, isOverBudget: place >= perDay })),
  )
  return listed.sort((a, b) => Number(a.isOverBudget) - Number(b.isOverBudget) || byLoss(a.case, b.case))
}

const isWorked = ({ status }: Case): boolean => status !== 'new'

const byLoss = (a: Case, b: Case): number =>
  b.loss - a.loss ||
  (b.risk_score ?? -1) - (a.risk_score ?? -1) ||
  a.opened_time - b.opened_time ||
  compareText(a.case_id, b.case_id)

const compareText = (a: string, b: string): number => (a < b ? -1 : Number(a > b))
