import { sha256 } from '../config/definitions.ts'
import { WeirError } from '../core/errors.ts'
import { claimOf, type LabelView, viewAt } from '../core/labels-view.ts'
import { partitionOf } from '../core/partition.ts'
import type { NewRecord } from '../core/ports.ts'
import type { Alert, Label, Transaction } from '../core/types.ts'
import { validateLabel } from '../core/validate.ts'
import { anyTime } from '../files/payments.ts'
import { shown } from '../files/shown.ts'
import { type Desk, readAllSince, readSince } from './desk.ts'

/** What somebody says of a payment. */
export interface LabelRequest
  extends Pick<Label, 'transaction_id' | 'fraud' | 'state' | 'source' | 'fraud_type'> {
  /** Where known: one partition is read, not all. */
  readonly customer_id: string | null
}

export interface Labelled {
  readonly label: Label
  /** Whether it was written: what the source says already changes nothing. */
  readonly isNew: boolean
  /** What is held of the payment now. */
  readonly view: LabelView
}

/**
 * Labels a payment that lies on the alerts topic or the transactions topic within `cases.look_back_ms`.
 *
 * @param now epoch milliseconds: when it became known.
 * @throws WeirError WEIR_LABEL_NOT_FOUND where there is no such payment, WEIR_LABEL_REFUSED for a label that the
 *   contract does not allow, and for a reversal of what nobody said.
 */
export async function labelPayment(desk: Desk, request: LabelRequest, now: number): Promise<Labelled> {
  const { transaction_id, fraud, state, source, fraud_type } = request
  const payment = await findPayment(desk, request, now)
  const { customer_id, merchant_id, terminal_id, device_id, event_time } = payment
  const all = await labelsOf(desk, customer_id, event_time - desk.config.limits.event_time_future_ms)
  const known = all.filter((label) => label.transaction_id === transaction_id)
  const { claimant } = claimOf({ ...request, observed_time: now })
  const own = known.filter((label) => claimOf(label).claimant === claimant)
  const last = own.toSorted((a, b) => a.observed_time - b.observed_time).at(-1)
  if (state === 'reversed' && last === undefined)
    throw refused(
      `${source} has said nothing of ${shown(transaction_id)}`,
      'reverse the label of the source that said it',
    )
  const label: Label = {
    label_id: sha256(JSON.stringify([transaction_id, source, state, fraud, now])).slice(0, 32),
    transaction_id,
    customer_id,
    merchant_id,
    terminal_id,
    device_id,
    fraud: state !== 'reversed' && fraud,
    state,
    source,
    fraud_type,
    effective_time: event_time,
    observed_time: Math.max(now, event_time),
  }
  if (
    last !== undefined &&
    last.state === state &&
    last.fraud === label.fraud &&
    last.fraud_type === fraud_type
  )
    return { label: last, isNew: false, view: viewAt(known, Number.POSITIVE_INFINITY) as LabelView }
  const checked = validateLabel(label, label.observed_time, anyTime)
  if (!checked.ok) throw refused(checked.rejection.message, 'keep to schemas/label.avsc')
  await desk.log.append([await labelRecord(desk, label)])
  return { label, isNew: true, view: viewAt([...known, label], Number.POSITIVE_INFINITY) as LabelView }
}

const refused = (message: string, cure: string): WeirError =>
  new WeirError('WEIR_LABEL_REFUSED', message, { cure })

/** The record that carries a label, where `weir produce` would put it. */
export async function labelRecord({ config, contracts, log }: Desk, label: Label): Promise<NewRecord> {
  const topic = config.topics.labels
  const key = label.customer_id
  const partition = partitionOf(key, await log.partitions(topic))
  return { topic, partition, key, value: contracts.labels.encode(label), timestamp: label.observed_time }
}

/** A customer's labels that were observed since a time, as their records are stamped. */
export async function labelsOf(desk: Desk, customerId: string, from: number): Promise<Label[]> {
  const topic = desk.config.topics.labels
  const partition = partitionOf(customerId, await desk.log.partitions(topic))
  const all = await readAllSince(desk, topic, desk.contracts.labels, { from, partition })
  return all.flatMap(({ value }) => (value.customer_id === customerId ? [value] : []))
}

/** Alerts first: they are few, and most labels are of one. */
async function findPayment(
  desk: Desk,
  { transaction_id, customer_id }: LabelRequest,
  now: number,
): Promise<Alert | Transaction> {
  const { config, contracts, log } = desk
  const { topics, cases } = config
  const from = now - cases.look_back_ms
  for (const [topic, codec] of [
    [topics.alerts, contracts.alerts],
    [topics.transactions, contracts.transactions],
  ] as const) {
    const partition =
      customer_id === null ? {} : { partition: partitionOf(customer_id, await log.partitions(topic)) }
    for await (const some of readSince<Alert | Transaction>(desk, topic, codec as never, {
      from,
      ...partition,
    })) {
      const found = some.find(({ value }) => value.transaction_id === transaction_id)
      if (found !== undefined) return found.value
    }
  }
  const days = cases.look_back_ms / 86_400_000
  const whose = customer_id === null ? '' : ` of ${shown(customer_id)}`
  throw new WeirError(
    'WEIR_LABEL_NOT_FOUND',
    `no payment${whose} of the last ${days} days has the id ${shown(transaction_id)}`,
    {
      cure: 'check the id, or look further back: --set cases.look_back_ms=…; weir produce FILE --as labels labels payments of any age',
    },
  )
}
