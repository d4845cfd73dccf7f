import type { Label, Transaction } from '../core/types.ts'
import { dayMs } from './drift.ts'
import type { Random } from './random.ts'

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
  const labels = [label(transaction, 1, true, 'reported', report.source, known, first)]
  const followUp = random.unit()
  const second = soon(random, first, 4 * dayMs, 0.8)
  if (followUp < laterConfirmed) {
    labels.push(label(transaction, 2, true, 'confirmed', 'analyst', fraudType, second))
  } else if (followUp < laterConfirmed + wronglyReversed) {
    labels.push(label(transaction, 2, false, 'reversed', report.source, null, second))
  }
  return labels
}

/** Good payments are labelled only when somebody doubts them. */
function labelsOfGood(random: Random, transaction: Transaction, arrival: number): Label[] {
  const doubt = random.unit()
  if (doubt < goodReported) {
    const first = soon(random, arrival, 20 * hourMs, 1.2)
    const labels = [label(transaction, 1, true, 'reported', 'customer', null, first)]
    if (random.chance(goodReversed)) {
      const second = soon(random, first, 5 * dayMs, 0.7)
      labels.push(label(transaction, 2, false, 'reversed', 'customer', null, second))
    }
    return labels
  }
  if (doubt > goodReported + goodChecked) return []
  return [label(transaction, 1, false, 'confirmed', 'analyst', null, soon(random, arrival, 3 * hourMs, 0.9))]
}

function soon(random: Random, from: number, medianMs: number, sigma: number): number {
  return from + 1000 + Math.min(longestDelayMs, Math.round(random.logNormal(medianMs, sigma)))
}

function label(
  transaction: Transaction,
  number: number,
  fraud: boolean,
  state: string,
  source: string,
  fraudType: string | null,
  observedTime: number,
): Label {
  return {
    label_id: `${transaction.transaction_id}-l${number}`,
    transaction_id: transaction.transaction_id,
    customer_id: transaction.customer_id,
    merchant_id: transaction.merchant_id,
    terminal_id: transaction.terminal_id,
    device_id: transaction.device_id,
    fraud,
    state,
    source,
    fraud_type: fraudType,
    effective_time: transaction.event_time,
    observed_time: observedTime,
  }
}
