import { dayMs } from '../core/days.ts'
import type { Random } from '../core/random.ts'
import type { Label, Transaction } from '../core/types.ts'

const hourMs = 3_600_000
const longestDelayMs = 90 * dayMs

/** How a fraud comes to light: who says so, how often, and after how long (median and spread of a log-normal). */
const reports = [
  { source: 'customer', weight: 50, medianMs: 14 * hourMs, sigma: 1.3 },
  { source: 'chargeback', weight: 25, medianMs: 11 * dayMs, sigma: 0.6 },
  { source: 'issuer', weight: 15, medianMs: 2 * dayMs, sigma: 0.9 },
  { source: 'analyst', weight: 10, medianMs: 2 * hourMs, sigma: 0.8 },
] as const
const reportWeights = reports.map((report) => report.weight)

const neverReported = 0.12
const laterConfirmed = 0.4
const wronglyReversed = 0.02
const goodReported = 0.0005
const goodReversed = 0.8
const goodChecked = 0.001

type Finding = Pick<Label, 'fraud' | 'state' | 'source' | 'fraud_type' | 'observed_time'>

const confirmed = { state: 'confirmed', source: 'analyst' }
const reported = { fraud: true, state: 'reported' }
const reversed = { fraud: false, state: 'reversed', fraud_type: null }

/**
 * What will become known about a transaction, and when: none, one or two labels in order of `observed_time`,
 * the first at least a second after `arrival`.
 */
export function labelsOf(
  random: Random,
  transaction: Transaction,
  fraudType: string | null,
  arrival: number,
): Label[] {
  if (fraudType === null) return labelsOfGood(random, transaction, arrival)
  if (random.chance(neverReported)) return []
  const report = reports[random.weighted(reportWeights)] as (typeof reports)[number]
  const first = soon(random, arrival, report.medianMs, report.sigma)
  const known = random.chance(0.8) ? fraudType : null
  const { source } = report
  const labels = [label(transaction, { ...reported, source, fraud_type: known, observed_time: first })]
  const followUp = random.unit()
  const second = soon(random, first, 4 * dayMs, 0.8)
  if (followUp < laterConfirmed) {
    labels.push(
      label(transaction, { ...confirmed, fraud: true, fraud_type: fraudType, observed_time: second }),
    )
  } else if (followUp < laterConfirmed + wronglyReversed) {
    labels.push(label(transaction, { ...reversed, source, observed_time: second }))
  }
  return labels
}

/** Good payments are labelled only when somebody doubts them. */
function labelsOfGood(random: Random, transaction: Transaction, arrival: number): Label[] {
  const doubt = random.unit()
  if (doubt < goodReported) {
    const first = soon(random, arrival, 20 * hourMs, 1.2)
    const labels = [
      label(transaction, { ...reported, source: 'customer', fraud_type: null, observed_time: first }),
    ]
    if (random.chance(goodReversed)) {
      const second = soon(random, first, 5 * dayMs, 0.7)
      labels.push(label(transaction, { ...reversed, source: 'customer', observed_time: second }))
    }
    return labels
  }
  if (doubt > goodReported + goodChecked) return []
  const observedTime = soon(random, arrival, 3 * hourMs, 0.9)
  return [label(transaction, { ...confirmed, fraud: false, fraud_type: null, observed_time: observedTime })]
}

function soon(random: Random, from: number, medianMs: number, sigma: number): number {
  return from + 1000 + Math.min(longestDelayMs, Math.round(random.logNormal(medianMs, sigma)))
}

function label(transaction: Transaction, finding: Finding): Label {
  return {
    label_id: `${transaction.transaction_id}-${finding.state}`,
    transaction_id: transaction.transaction_id,
    customer_id: transaction.customer_id,
    merchant_id: transaction.merchant_id,
    terminal_id: transaction.terminal_id,
    device_id: transaction.device_id,
    effective_time: transaction.event_time,
    ...finding,
  }
}
