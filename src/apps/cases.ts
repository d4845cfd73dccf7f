import { type Case, type CaseAction, casesOf, type ListedCase, workingList } from '../core/cases.ts'
import { WeirError } from '../core/errors.ts'
import type { Alert } from '../core/types.ts'
import { shown } from '../files/shown.ts'
import { type Desk, readAllSince } from './desk.ts'

/** An alert as it lies on its topic. */
export interface DeskAlert extends Alert {
  readonly partition: number
  /** Record timestamp, epoch milliseconds: when it was decided. */
  readonly decided_time: number
}

export type DeskCase = Case<DeskAlert>

/** What cases are made of. */
export interface DeskRecords {
  readonly alerts: readonly DeskAlert[]
  readonly actions: readonly CaseAction[]
}

/** Alerts and actions of the last `cases.look_back_ms`. @param now epoch milliseconds. */
export async function readDesk(desk: Desk, now: number): Promise<DeskRecords> {
  const { topics, cases } = desk.config
  const since = { from: now - cases.look_back_ms }
  const alerts = await readAllSince(desk, topics.alerts, desk.contracts.alerts, since)
  const actions = await readAllSince(desk, topics.case_actions, desk.actions, since)
  return {
    alerts: alerts.map(({ value, partition, timestamp }) => ({
      ...value,
      partition,
      decided_time: timestamp,
    })),
    actions: actions.map(({ value }) => value),
  }
}

export interface ListOptions {
  /** Cases a day; null: all. */
  readonly perDay: number | null
  /** UTC day that cases were opened on, ISO 8601; null: any. */
  readonly day: string | null
  /** Whether closed ones are listed as well. */
  readonly closed: boolean
}

/** The working list: see core/cases.ts. Closed cases use up the budget of their day, whether they are listed or not. */
export async function listCases(
  desk: Desk,
  { perDay, day, closed }: ListOptions,
  now: number,
): Promise<ListedCase<DeskCase>[]> {
  const { alerts, actions } = await readDesk(desk, now)
  const cases = casesOf(alerts, actions, desk.config.cases.window_ms)
  const listed = workingList(cases, perDay ?? Number.POSITIVE_INFINITY)
  return listed.filter((one) => (day === null || one.day === day) && (closed || one.case.status !== 'closed'))
}

/**
 * A case by the id of any of its alerts.
 *
 * @throws WeirError WEIR_CASE_NOT_FOUND.
 */
export function caseNamed(
  { config: { cases } }: Desk,
  { alerts, actions }: DeskRecords,
  id: string,
): DeskCase {
  const found = casesOf(alerts, actions, cases.window_ms).find(
    (one) => one.case_id === id || one.alerts.some(({ alert_id }) => alert_id === id),
  )
  if (found !== undefined) return found
  const days = cases.look_back_ms / 86_400_000
  throw new WeirError(
    'WEIR_CASE_NOT_FOUND',
    `no alert of the last ${days} days has the id ${shown(id, 300)}`,
    {
      cure: 'weir alerts list --all shows what there is; cases.look_back_ms says how far back it is looked',
    },
  )
}
