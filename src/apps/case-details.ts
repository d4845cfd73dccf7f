import type { Codec } from '../adapters/avro.ts'
import { offsetIn } from '../core/decide.ts'
import { type LabelView, viewAt } from '../core/labels-view.ts'
import { partitionOf } from '../core/partition.ts'
import type { Decision, Transaction } from '../core/types.ts'
import { caseNamed, type DeskAlert, type DeskCase, readDesk } from './cases.ts'
import { type Desk, readSince, type Since } from './desk.ts'

/** A payment near the alerts of a case. */
export interface LinkedPayment {
  readonly transaction: Transaction
  /** null where none was found near the alerts. */
  readonly decision: Decision | null
  readonly isAlert: boolean
  /** What labels say now; null where nobody has said anything. */
  readonly label: LabelView | null
}

export interface CaseDetails {
  readonly case: DeskCase
  /** By event_time. */
  readonly payments: readonly LinkedPayment[]
  /** Alerts whose own payment was not found: retention may have taken it. */
  readonly withoutPayment: readonly DeskAlert[]
  /** Whether more records lay near the alerts than are read for one case, so that payments may lack. */
  readonly isCut: boolean
}

/** How far around the alerts of a case its customer's payments are shown. */
const aroundMs = 3_600_000
/** Records of a topic that are read for one case. */
const mostRead = 500_000

/**
 * A case with its customer's payments from an hour before its first alert to an hour after its last, those of its alerts
 * among them wherever they lie on the log.
 *
 * @param id of any of its alerts.
 * @throws WeirError WEIR_CASE_NOT_FOUND.
 */
export async function caseDetails(desk: Desk, id: string, now: number): Promise<CaseDetails> {
  const { config, contracts, log } = desk
  const { topics, limits } = config
  const found = caseNamed(desk, await readDesk(desk, now), id)
  const { customer_id, alerts } = found
  let isCut = false
  const ofCustomer = async <T extends { readonly customer_id: string }>(
    topic: string,
    codec: Codec<T>,
    since: Since,
  ): Promise<T[]> => {
    const own: T[] = []
    const onCut = () => {
      isCut = true
    }
    for await (const some of readSince(desk, topic, codec, { ...since, most: mostRead, onCut })) {
      for (const { value } of some) if (value.customer_id === customer_id) own.push(value)
    }
    return own
  }
  const partition = alerts[0]?.partition as number
  const times = alerts.map(({ event_time }) => event_time)
  const decidedTimes = alerts.map(({ decided_time }) => decided_time)
  const from = Math.min(...times) - aroundMs
  const to = Math.max(...times) + aroundMs
  const alerted = new Set(alerts.map(({ transaction_id }) => transaction_id))
  const read = await ofCustomer(topics.transactions, contracts.transactions, {
    partition,
    // A payment's event_time may lie a little after its record timestamp.
    from: from - limits.event_time_future_ms,
    to,
    // One that came late, or was put back, lies behind what is older than it.
    including: alerts.flatMap(({ alert_id }) => offsetIn(alert_id, topics.transactions, partition) ?? []),
  })
  const payments = read
    .filter((one) => (one.event_time >= from && one.event_time < to) || alerted.has(one.transaction_id))
    .sort((a, b) => a.event_time - b.event_time)
  const decisions = await ofCustomer(topics.decisions, contracts.decisions, {
    partition,
    from: Math.min(...decidedTimes) - aroundMs,
    to: Math.max(...decidedTimes) + aroundMs,
  })
  const labels = await ofCustomer(topics.labels, contracts.labels, {
    partition: partitionOf(customer_id, await log.partitions(topics.labels)),
    from,
  })
  const decisionOn = new Map(decisions.map((one) => [one.transaction_id, one]))
  const labelsOn = Map.groupBy(labels, ({ transaction_id }) => transaction_id)
  const ids = new Set(payments.map(({ transaction_id }) => transaction_id))
  return {
    case: found,
    payments: payments.map((transaction) => ({
      transaction,
      decision: decisionOn.get(transaction.transaction_id) ?? null,
      isAlert: alerted.has(transaction.transaction_id),
      label: viewAt(labelsOn.get(transaction.transaction_id) ?? [], now),
    })),
    withoutPayment: alerts.filter(({ transaction_id }) => !ids.has(transaction_id)),
    isCut,
  }
}
