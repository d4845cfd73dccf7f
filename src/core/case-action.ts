import { type CaseAction, caseActions, dispositions } from './cases.ts'
import type { Checked, Rejection } from './errors.ts'
import {
  id,
  integer,
  lastInstantMs,
  oneOf,
  optionalText,
  outOfRange,
  pan,
  type Unchecked,
} from './validate.ts'

const actionSet = new Set<unknown>(caseActions)
const dispositionSet = new Set<unknown>(dispositions)
/** An alert_id is topic-partition-offset, and Kafka's topics have up to 249 characters. */
const longestAlertId = 300
const longestText = 1_000
/** Alerts that one action closes at most: more are closed one action after the other. */
export const mostAlerts = 1_000

/** Checks an action against its contract, schemas/case-action.avsc. No message contains a value. */
export function validateCaseAction(candidate: Unchecked<CaseAction>): Checked<CaseAction> {
  const a = candidate
  const rejection =
    pan({ action_id: a.action_id, customer_id: a.customer_id, who: a.who, text: a.text }) ??
    id('action_id', a.action_id) ??
    alertId('case_id', a.case_id) ??
    id('customer_id', a.customer_id) ??
    oneOf('action', a.action, actionSet) ??
    id('who', a.who) ??
    integer('action_time', a.action_time, 0, lastInstantMs) ??
    optionalText('text', a.text, longestText) ??
    (a.action === 'note' && (a.text === null || a.text === '')
      ? outOfRange('text', 'given, as a note needs it')
      : undefined) ??
    disposed(a)
  return rejection ? { ok: false, rejection } : { ok: true, value: candidate as CaseAction }
}

function disposed({ action, disposition, alert_ids }: Unchecked<CaseAction>): Rejection | undefined {
  if (action !== 'dispose')
    return disposition === null ? undefined : outOfRange('disposition', 'null, as nothing is disposed of')
  if (!Array.isArray(alert_ids) || alert_ids.length === 0 || alert_ids.length > mostAlerts)
    return outOfRange('alert_ids', `1 to ${mostAlerts} alerts`)
  for (const one of alert_ids) {
    const rejection = alertId('alert_ids', one)
    if (rejection !== undefined) return rejection
  }
  return oneOf('disposition', disposition, dispositionSet)
}

function alertId(field: string, value: unknown): Rejection | undefined {
  return value === '' || value === null
    ? outOfRange(field, 'an alert_id')
    : optionalText(field, value, longestAlertId)
}
