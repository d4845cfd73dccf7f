import { dayMs } from '../days.ts'
import type { DecisionTable } from './decision-table.ts'

/** What is known of the payments at a cut-off. */
export interface Truth {
  /** Epoch milliseconds: labels that became known later do not count. */
  readonly labelsUntil: number
  /** Epoch milliseconds: later payments are too young for their labels to have come. */
  readonly judgedUntil: number
  /** 1 where a payment is old enough. */
  readonly judged: Uint8Array
  /** 1 where a label is known, of either kind. */
  readonly labelled: Uint8Array
  /** 1 where the label says fraud; what nobody labelled counts as honest. */
  readonly fraud: Uint8Array
}

/**
 * @param labelsUntil epoch milliseconds; null: all labels of the table, the cut-off being the last thing that happened.
 * @param maturityDays payments younger than this at the cut-off are not judged. Verification latency: Dal Pozzolo et
 * al., Credit card fraud detection: a realistic modeling and a novel learning strategy, IEEE TNNLS 29(8), 2018.
 */
export function truthAt(table: DecisionTable, labelsUntil: number | null, maturityDays: number): Truth {
  const { rows, eventTime, labelKnownTime, labelBefore } = table
  const cutOff = labelsUntil ?? lastTime(table)
  const judgedUntil = cutOff - maturityDays * dayMs
  const [judged, labelled, fraud] = [new Uint8Array(rows), new Uint8Array(rows), new Uint8Array(rows)]
  for (let row = 0; row < rows; row++) {
    if ((eventTime[row] as number) <= judgedUntil) judged[row] = 1
    const isLast = (labelKnownTime[row] as number) <= cutOff
    const held = isLast ? undefined : labelBefore.get(row)?.findLast(({ knownTime }) => knownTime <= cutOff)
    if (!isLast && held === undefined) continue
    labelled[row] = 1
    fraud[row] = held === undefined ? (table.fraud[row] as number) : Number(held.fraud)
  }
  return { labelsUntil: cutOff, judgedUntil, judged, labelled, fraud }
}

function lastTime({ rows, eventTime, labelKnownTime }: DecisionTable): number {
  let last = Number.NEGATIVE_INFINITY
  for (let row = 0; row < rows; row++) {
    last = Math.max(last, eventTime[row] as number)
    const known = labelKnownTime[row] as number
    if (known > last) last = known
  }
  return last
}

/**
 * The same truth for each way in which payments without an outcome could have turned out, beside the given one, by
 * which they are honest: all fraud; fraud where `flagged` says so; fraud where it does not. Counts and amounts of
 * payments, and their shares, are extreme in one of the four, since each only grows or falls with every such payment
 * that is a flagged, or a missed, fraud. After Manski: Nonparametric bounds on treatment effects. American Economic
 * Review 80(2), 1990.
 *
 * @param unknown rows.
 */
export function otherTruths(
  truth: Truth,
  unknown: Int32Array,
  flagged: (row: number) => boolean,
): readonly Truth[] {
  const cases = [() => true, flagged, (row: number) => !flagged(row)]
  return cases.map((isFraud) => {
    const fraud = truth.fraud.slice()
    for (const row of unknown) fraud[row] = isFraud(row) ? 1 : 0
    return { ...truth, fraud }
  })
}
