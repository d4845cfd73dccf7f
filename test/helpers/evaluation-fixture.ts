import { readFileSync } from 'node:fs'
import type { DecisionTable, TextColumn } from '../../src/core/evaluation/decision-table.ts'

const read = (name: string) =>
  readFileSync(new URL(`../fixtures/evaluation/${name}`, import.meta.url), 'utf8')

type Values = Readonly<Record<string, number | null>>

/** What scikit-learn, the Handbook's card precision and decimals say: training/tests/evaluation_fixture.py. */
export const expected = JSON.parse(read('expected.json')) as {
  readonly cards: number
  /** Of the first 1,000 rows, by `candidate.metric`. */
  readonly money: Readonly<Record<string, string>>
  readonly champion: {
    readonly plain: Values
    readonly weighted: Values
    readonly roc: Readonly<Record<'false_positive_rate' | 'recall', readonly number[]>>
    readonly precision_recall: Readonly<Record<'precision' | 'recall', readonly number[]>>
  }
  readonly challenger: { readonly plain: Values; readonly weighted: Values }
}

/** The fixture's decisions, all labelled, each an hour after its payment. @param most rows. */
export function fixtureTable(most = Number.POSITIVE_INFINITY): DecisionTable {
  const [head = '', ...lines] = read('decisions.csv').trim().split('\n')
  const rows = lines.slice(0, most).map((line) => line.split(','))
  const names = head.split(',')
  const column = (name: string) => rows.map((row) => Number(row[names.indexOf(name)]))
  const none: TextColumn = { values: [], codes: new Int32Array(rows.length).fill(-1) }
  return {
    rows: rows.length,
    eventTime: Float64Array.from(column('event_time')),
    amount: Float64Array.from(column('amount')),
    customer: Int32Array.from(column('customer')),
    fraud: Uint8Array.from(column('fraud')),
    labelBefore: new Map(),
    labelKnownTime: Float64Array.from(column('event_time'), (time) => time + 3_600_000),
    segments: { type: none, channel: none, country: none, mcc: none, currency: none, fraud_type: none },
    candidates: ['champion', 'challenger'].map((name) => {
      const score = Float64Array.from(column(`${name}_score`))
      return {
        name,
        score,
        riskScore: Int16Array.from(score, (one) => Math.min(999, Math.floor(one * 1000))),
        outcome: Uint8Array.from(column(`${name}_outcome`)),
      }
    }),
  }
}
