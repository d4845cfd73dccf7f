/** What a metric is, for tables and plots. Formulas and sources: docs/evaluation.md. */
export interface MetricDefinition {
  readonly title: string
  readonly unit: 'share' | 'money' | 'a day' | 'ratio' | 'number'
  /** Which of two values is the better; null: neither in itself. */
  readonly better: 'higher' | 'lower' | null
  /** False for what decisions tell alone: it covers payments that are too young for labels, too. */
  readonly needsLabels: boolean
}

/** In the order of reports. `flagged` means: not approved; `caught`: a fraud that is flagged. */
export const metrics = {
  fraud_value_caught: { title: 'Fraud value caught', unit: 'money', better: 'higher', needsLabels: true },
  fraud_value_missed: { title: 'Fraud value missed', unit: 'money', better: 'lower', needsLabels: true },
  value_detection_rate: { title: 'Value detection rate', unit: 'share', better: 'higher', needsLabels: true },
  good_value_declined: { title: 'Good value declined', unit: 'money', better: 'lower', needsLabels: true },
  good_value_challenged: {
    title: 'Good value challenged or in review',
    unit: 'money',
    better: 'lower',
    needsLabels: true,
  },
  insult_rate: { title: 'Insult rate', unit: 'share', better: 'lower', needsLabels: true },
  alert_rate: { title: 'Alert rate', unit: 'share', better: null, needsLabels: false },
  alerts_per_day: { title: 'Review load', unit: 'a day', better: null, needsLabels: false },
  account_detection_rate: {
    title: 'Account detection rate',
    unit: 'share',
    better: 'higher',
    needsLabels: true,
  },
  account_false_positive_ratio: {
    title: 'Account false-positive ratio',
    unit: 'ratio',
    better: 'lower',
    needsLabels: true,
  },
  precision: { title: 'Precision', unit: 'share', better: 'higher', needsLabels: true },
  recall: { title: 'Recall', unit: 'share', better: 'higher', needsLabels: true },
  f1: { title: 'F1', unit: 'number', better: 'higher', needsLabels: true },
  accuracy: { title: 'Accuracy', unit: 'share', better: 'higher', needsLabels: true },
  average_precision: { title: 'Average precision', unit: 'number', better: 'higher', needsLabels: true },
  auc_roc: { title: 'AUC-ROC', unit: 'number', better: 'higher', needsLabels: true },
  card_precision: { title: 'Card precision@k', unit: 'share', better: 'higher', needsLabels: true },
  brier: { title: 'Brier score', unit: 'number', better: 'lower', needsLabels: true },
} as const satisfies Readonly<Record<string, MetricDefinition>>

export type MetricName = keyof typeof metrics

/** Its title, with the currency where it is money. */
export const titleIn = (metric: MetricName, currency: string): string =>
  metrics[metric].unit === 'money' ? `${metrics[metric].title}, ${currency}` : metrics[metric].title

export const metricNames = Object.keys(metrics) as readonly MetricName[]
