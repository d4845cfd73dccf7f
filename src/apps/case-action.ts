import { sha256 } from '../config/definitions.ts'
import { mostAlerts, validateCaseAction } from '../core/case-action.ts'
import type { CaseAction } from '../core/cases.ts'
import { WeirError } from '../core/errors.ts'
import { partitionOf } from '../core/partition.ts'
import type { NewRecord } from '../core/ports.ts'
import type { Label } from '../core/types.ts'
import { caseNamed, type DeskAlert, type DeskCase, readDesk } from './cases.ts'
import type { Desk } from './desk.ts'
import { labelRecord, labelsOf } from './label.ts'

/** What somebody wants to do with a case. */
export interface CaseRequest extends Pick<CaseAction, 'action' | 'who' | 'text' | 'disposition'> {
  /** Of any of its alerts. */
  readonly id: string
}

export interface CaseDone {
  /** As it is now. */
  readonly case: DeskCase
  /** Whether something was written: what was done before changes nothing. */
  readonly isNew: boolean
  /** Labels that were written with it. */
  readonly labels: number
}

/**
 * Takes, releases, notes or disposes of a case. A disposition fraud or good labels the payment of each of its alerts in
 * the same append; done again it writes what is missing of that, and nothing where nothing is.
 *
 * @param now epoch milliseconds.
 * @throws WeirError WEIR_CASE_NOT_FOUND, WEIR_CASE_REFUSED.
 */
export async function actOnCase(desk: Desk, request: CaseRequest, now: number): Promise<CaseDone> {
  const read = await readDesk(desk, now)
  const found = caseNamed(desk, read, request.id)
  refuseUnfit(found, request)
  const { action, who, text, disposition } = request
  const isDone =
    action === 'dispose' ? found.status === 'closed' : action === 'take' && found.taken_by === who
  const time = isDone && found.closed_time !== null ? found.closed_time : now
  const closed = action === 'dispose' ? found.alerts.slice(0, mostAlerts) : []
  const made: CaseAction = {
    action_id: sha256(JSON.stringify([found.case_id, action, who, text, disposition, time])).slice(0, 32),
    case_id: found.case_id,
    customer_id: found.customer_id,
    action,
    who,
    action_time: time,
    text,
    disposition,
    alert_ids: closed.map(({ alert_id }) => alert_id),
  }
  const checked = validateCaseAction(made)
  if (!checked.ok)
    throw refused(
      checked.rejection.message,
      'leave card numbers out and keep to the lengths of schemas/case-action.avsc',
    )
  const labels = disposition === null ? [] : await missingLabels(desk, closed, made, isDone)
  const records = await Promise.all(labels.map((label) => labelRecord(desk, label)))
  if (!isDone) records.unshift(await actionRecord(desk, made))
  if (records.length > 0) await desk.log.append(records)
  const actions = isDone ? read.actions : [...read.actions, made]
  const after = caseNamed(desk, { ...read, actions }, found.case_id)
  return { case: after, isNew: records.length > 0, labels: labels.length }
}

function refuseUnfit({ case_id, status, taken_by, disposition, closed_by }: DeskCase, asked: CaseRequest) {
  const { action, who } = asked
  if (status === 'closed' && (action === 'take' || action === 'release'))
    throw refused(
      `case ${case_id} is closed as ${disposition}`,
      'a later alert of the customer opens a new case',
    )
  if (status === 'closed' && action === 'dispose' && disposition !== asked.disposition)
    throw refused(
      `case ${case_id} is closed as ${disposition} by ${closed_by}`,
      'correct its labels by weir label TRANSACTION --fraud or --good --source analyst',
    )
  if (action === 'take' && taken_by !== null && taken_by !== who)
    throw refused(`case ${case_id} is taken by ${taken_by}`, `release it first: weir alerts release ${case_id}`)
}

const refused = (message: string, cure: string): WeirError =>
  new WeirError('WEIR_CASE_REFUSED', message, { cure })

/** The labels of a disposition, but for those that lie on the topic already. */
async function missingLabels(
  desk: Desk,
  closed: readonly DeskAlert[],
  { case_id, customer_id, action_time, disposition }: CaseAction,
  isDone: boolean,
): Promise<Label[]> {
  if (disposition === 'inconclusive') return []
  const wanted = closed.map(
    (alert): Label => ({
      label_id: sha256(JSON.stringify([case_id, alert.transaction_id])).slice(0, 32),
      transaction_id: alert.transaction_id,
      customer_id: alert.customer_id,
      merchant_id: alert.merchant_id,
      terminal_id: alert.terminal_id,
      device_id: alert.device_id,
      fraud: disposition === 'fraud',
      state: 'confirmed',
      source: 'analyst',
      fraud_type: null,
      effective_time: alert.event_time,
      observed_time: Math.max(action_time, alert.event_time),
    }),
  )
  if (!isDone) return wanted
  const there = await labelsOf(desk, customer_id, action_time)
  const ids = new Set(there.map(({ label_id }) => label_id))
  return wanted.filter(({ label_id }) => !ids.has(label_id))
}

async function actionRecord({ actions, config, log }: Desk, action: CaseAction): Promise<NewRecord> {
  const topic = config.topics.case_actions
  const key = action.customer_id
  const partition = partitionOf(key, await log.partitions(topic))
  return { topic, partition, key, value: actions.encode(action), timestamp: action.action_time }
}
