import { type NarratorSettings, narrateExternally } from '../adapters/llm-narrator.ts'
import { type CaseDetails, caseDetails, type LinkedPayment } from '../apps/case-details.ts'
import type { DeskAlert, DeskCase } from '../apps/cases.ts'
import type { Desk } from '../apps/desk.ts'
import type { ListedCase } from '../core/cases.ts'
import { numbered } from '../core/numbers.ts'
import { shown } from '../files/shown.ts'
import { money, note, print, printJson, printTable, styled } from './output.ts'
import { verdict, when } from './tail.ts'

const mostText = 2_000

/** The working list as a table. */
export function showList(listed: readonly ListedCase<DeskCase>[]): void {
  if (listed.length === 0) {
    print('no cases')
    return
  }
  printTable(
    ['CASE', 'OPENED', 'CUSTOMER', 'ALERTS', 'LOSS', 'RISK', 'STATE', 'REASONS'],
    listed.map(({ case: one, isOverBudget }) => [
      one.case_id,
      when(one.opened_time).slice(0, 16),
      shown(one.customer_id),
      String(one.alerts.length),
      one.loss.toFixed(2),
      String(one.risk_score ?? '-'),
      stateOf(one) + (isOverBudget ? styled('dim', ', over budget') : ''),
      [...new Set(one.alerts.flatMap(({ reasons }) => reasons.map(({ code }) => code)))]
        .slice(0, 4)
        .join(' '),
    ]),
  )
}

function stateOf({ status, taken_by, disposition }: DeskCase): string {
  if (disposition !== null) return styled(disposition === 'fraud' ? 'red' : 'green', disposition)
  return taken_by === null ? status : `taken by ${shown(taken_by)}`
}

/** One case, for a person or a program. @param narrator tells each alert anew; null: as the alert has it. */
export async function showCase(
  desk: Desk,
  id: string,
  narrator: NarratorSettings | null,
  json: boolean,
): Promise<void> {
  const found = await caseDetails(desk, id, Date.now())
  const details = narrator === null ? found : await narrated(found, narrator)
  const { case: one, payments, withoutPayment, isCut } = details
  if (json) {
    return printJson({
      ...one,
      payments: payments.map(paymentJson),
      payments_gone: withoutPayment.map(({ transaction_id }) => transaction_id),
      is_cut: isCut,
    })
  }
  showDetails(details)
}

async function narrated(details: CaseDetails, narrator: NarratorSettings): Promise<CaseDetails> {
  const alerts: DeskAlert[] = []
  // One after the other: who asks reads them so, and the model is somebody else's.
  for (const alert of details.case.alerts) {
    const { text, instead } = await narrateExternally(alert, narrator)
    if (instead !== null) note(`${alert.alert_id}: in weir's own words, since ${instead}`)
    alerts.push({ ...alert, narrative: text })
  }
  return { ...details, case: { ...details.case, alerts } }
}

function showDetails({ case: one, payments, withoutPayment, isCut }: CaseDetails): void {
  print(`${styled('bold', one.case_id)}  ${stateOf(one)}`)
  print(
    `customer ${shown(one.customer_id)}, opened ${when(one.opened_time)}, expected loss ${one.loss.toFixed(2)}`,
  )
  if (one.closed_time !== null) print(`closed by ${shown(one.closed_by ?? '')} at ${when(one.closed_time)}`)
  for (const alert of one.alerts) showAlert(alert)
  print('')
  print(`${numbered(payments.length, 'payment')} of the customer from an hour before to an hour after:`)
  printTable(
    ['TIME', 'TRANSACTION', 'AMOUNT', 'CHANNEL', 'MERCHANT', 'DECISION', 'LABEL'],
    payments.map(({ transaction: t, decision, isAlert, label }) => [
      when(t.event_time),
      `${isAlert ? styled('bold', shown(t.transaction_id)) : shown(t.transaction_id)}`,
      money(t.amount_minor, t.currency),
      t.channel,
      shown(t.merchant_name ?? t.merchant_id),
      decision === null ? '-' : verdict(decision),
      label === null ? '' : `${label.fraud ? 'fraud' : 'good'}, ${label.state} by ${label.source}`,
    ]),
  )
  for (const { alert_id, transaction_id } of withoutPayment) {
    note(
      `${shown(transaction_id)}, the payment of alert ${alert_id}, was not found: retention may have taken it`,
    )
  }
  if (isCut) note('more payments lay there than are read for one case: some may lack')
  for (const { who, action_time, text } of one.notes) {
    print('')
    print(`${styled('dim', `${when(action_time)} ${shown(who)}:`)} ${shown(text ?? '', mostText)}`)
  }
}

function showAlert(alert: DeskAlert): void {
  const { event_time, amount_minor, currency, channel, merchant_name, merchant_id, reasons, narrative } =
    alert
  const where = shown(merchant_name ?? merchant_id)
  print('')
  print(`${when(event_time)}  ${verdict(alert)}  ${money(amount_minor, currency)}, ${channel}, ${where}`)
  if (narrative !== '') print(`  ${shown(narrative, mostText)}`)
  for (const { code, text } of reasons) print(`  ${styled('dim', code)} ${shown(text, mostText)}`)
  const hits = [
    ...alert.rules_hit.map((rule) => `rule ${rule}`),
    ...alert.lists_hit.map((list) => `list ${list}`),
  ]
  if (hits.length > 0) print(`  ${styled('dim', 'hit')} ${hits.map((hit) => shown(hit)).join(', ')}`)
}

/** Without the vector, which only its feature file can read. */
function paymentJson({ transaction, decision, isAlert, label }: LinkedPayment) {
  const { features: _, ...rest } = decision ?? { features: null }
  return { transaction, decision: decision === null ? null : rest, is_alert: isAlert, label }
}
