import type { MetricName } from '../core/evaluation/metrics.ts'

/** What each figure means, for the end of a report. Formulas and sources: docs/evaluation.md. */
export const meanings: Readonly<Record<MetricName, string>> = {
  fraud_value_caught: 'Amount of the frauds that were not approved: challenged, sent to review or declined.',
  fraud_value_missed: 'Amount of the frauds that were approved.',
  value_detection_rate: 'Fraud value caught, of the amount of all frauds.',
  good_value_declined: 'Amount of honest payments that were declined.',
  good_value_challenged:
    'Amount of honest payments that were challenged or sent to review: delayed, and perhaps given up.',
  insult_rate: 'Honest payments that were not approved, of all honest payments.',
  alert_rate: 'Payments that become an alert, of all payments.',
  alerts_per_day: 'Alerts a day: what people have to look at.',
  account_detection_rate: 'Customers with fraud of whom a payment was flagged, of all customers with fraud.',
  account_false_positive_ratio: 'Honest customers who were flagged, for each customer with fraud who was.',
  precision: 'Frauds among the payments that were not approved.',
  recall: 'Frauds that were not approved, of all frauds.',
  f1: 'Harmonic mean of precision and recall.',
  accuracy: 'Payments that were judged rightly. High where fraud is rare, whatever the model does.',
  average_precision:
    'Precision averaged over recall, of the score alone: 1 is perfect, the fraud rate is chance.',
  auc_roc: 'Probability that a fraud has a higher score than an honest payment: 1 is perfect, 0.5 is chance.',
  card_precision:
    'Customers with fraud among the k with the highest scores of a day, those found before left out; mean over days.',
  brier: 'Mean squared distance of the score from what came out: 0 is perfect.',
}

/** Words that are used throughout. */
export const words: readonly (readonly [word: string, meaning: string])[] = [
  ['Champion', 'What the candidate is compared with: as a rule, what decides today.'],
  ['Candidate', 'The change that is tried on history.'],
  ['Flagged', 'Not approved: challenged, sent to review or declined.'],
  [
    'Judged',
    'Payments old enough for their labels to have come. Figures that need to know what was fraud count these only. A judged payment that nobody labelled counts as honest.',
  ],
  ['Newly caught, newly missed', 'Frauds that only the candidate flags; that only the champion flags.'],
  [
    'Newly hit, newly released',
    'Honest payments that only the candidate flags; that only the champion flags. Flagged is not declined: it may be challenged or in review only.',
  ],
  [
    'Interval',
    'Where the figure would lie, had other customers of the same kind paid: customers are drawn again at random, many times. A difference is called shown where its interval does not reach zero, else chance alone may have made it.',
  ],
  [
    'Bounds',
    'Nobody learns what a payment would have been that was declined and never labelled. The bounds are the worst and the best that these could make of a figure.',
  ],
]
