import type { Curves } from './comparison.ts'
import type { CandidateColumns, DecisionTable } from './decision-table.ts'
import type { Truth } from './truth.ts'

/** A curve has a point wherever it moved by so much on one of its axes. */
const step = 1 / 100

/** Least payments of a bin of the calibration curve. */
const leastInBin = 50

const histogramBins = 50
const riskScores = 1000

/** After each run of equal scores, going down: how many frauds, how many payments, how much fraud value so far. */
interface Point {
  readonly score: number
  readonly frauds: number
  readonly payments: number
  readonly value: number
}

/** @param ranked judged rows by descending score. */
export function curvesOf(
  ranked: Int32Array,
  judged: Int32Array,
  { amount }: Pick<DecisionTable, 'amount'>,
  { score, riskScore }: CandidateColumns,
  { fraud }: Pick<Truth, 'fraud'>,
): Curves {
  const points = pointsOf(ranked, score, fraud, amount)
  const last = points.at(-1)
  const oneClass = last === undefined || last.frauds === 0 || last.frauds === last.payments
  const histogram = histogramOf(judged, riskScore, fraud)
  const calibration = calibrationOf(oneClass ? new Int32Array() : ranked, score, fraud)
  if (oneClass) return { ...noCurves, histogram, calibration }
  const { frauds, payments, value } = last
  const recall = (point: Point) => point.frauds / frauds
  const falsePositives = (point: Point) => (point.payments - point.frauds) / (payments - frauds)
  const share = (point: Point) => point.payments / payments
  const roc = thinned(points, falsePositives, recall)
  const ofRecall = thinned(points, recall, () => 0)
  const gains = thinned(points, share, recall)
  return {
    roc: {
      score: [null, ...roc.map((point) => point.score)],
      false_positive_rate: [0, ...roc.map(falsePositives)],
      recall: [0, ...roc.map(recall)],
    },
    precision_recall: {
      score: ofRecall.map((point) => point.score),
      recall: ofRecall.map(recall),
      precision: ofRecall.map((point) => point.frauds / point.payments),
    },
    gains: {
      payments: [0, ...gains.map(share)],
      recall: [0, ...gains.map(recall)],
      value_recall: [0, ...gains.map((point) => (value === 0 ? 0 : point.value / value))],
    },
    histogram,
    calibration,
  }
}

const noCurves = {
  roc: { score: [], false_positive_rate: [], recall: [] },
  precision_recall: { score: [], recall: [], precision: [] },
  gains: { payments: [], recall: [], value_recall: [] },
}

function pointsOf(ranked: Int32Array, score: Float64Array, fraud: Uint8Array, amount: Float64Array): Point[] {
  const points: Point[] = []
  let [frauds, value] = [0, 0]
  for (let place = 0; place < ranked.length; place++) {
    const row = ranked[place] as number
    if (fraud[row] === 1) {
      frauds++
      value += Math.round((amount[row] as number) * 100)
    }
    const here = score[row] as number
    if (here !== score[ranked[place + 1] ?? -1])
      points.push({ score: here, frauds, payments: place + 1, value })
  }
  return points
}

/** The points at which either axis has moved by a step since the last one kept, and the last of all. */
function thinned(
  points: readonly Point[],
  x: (point: Point) => number,
  y: (point: Point) => number,
): Point[] {
  let [lastX, lastY] = [0, 0]
  return points.filter((point, i) => {
    const moved = x(point) - lastX >= step || y(point) - lastY >= step
    if (!moved && i < points.length - 1) return false
    lastX = x(point)
    lastY = y(point)
    return true
  })
}

function histogramOf(judged: Int32Array, riskScore: Int16Array, fraud: Uint8Array): Curves['histogram'] {
  const width = riskScores / histogramBins
  const counts = [new Array<number>(histogramBins).fill(0), new Array<number>(histogramBins).fill(0)] as const
  for (const row of judged) {
    const risk = riskScore[row] as number
    if (risk < 0) continue
    const ofClass = counts[fraud[row] === 1 ? 1 : 0]
    const bin = Math.floor(risk / width)
    ofClass[bin] = (ofClass[bin] as number) + 1
  }
  const from = counts[0].map((_, bin) => bin * width)
  return { from, to: from.map((begin) => begin + width), honest: counts[0], fraud: counts[1] }
}

/**
 * Each bin holds half of the payments that are left above the one before: fraud is rare, and bins of equally many
 * payments would put all of it into the last.
 */
function calibrationOf(ranked: Int32Array, score: Float64Array, fraud: Uint8Array): Curves['calibration'] {
  const bins: { payments: number; scores: number; frauds: number }[] = []
  for (let left = ranked.length; left > 0; ) {
    const size = left < 2 * leastInBin ? left : Math.ceil(left / 2)
    let [scores, frauds] = [0, 0]
    for (const row of ranked.subarray(left - size, left)) {
      scores += score[row] as number
      frauds += fraud[row] as number
    }
    bins.push({ payments: size, scores, frauds })
    left -= size
  }
  const intervals = bins.map(({ frauds, payments }) => wilson(frauds, payments))
  return {
    payments: bins.map(({ payments }) => payments),
    mean_score: bins.map(({ scores, payments }) => scores / payments),
    fraud_rate: bins.map(({ frauds, payments }) => frauds / payments),
    low: intervals.map(([low]) => low),
    high: intervals.map(([, high]) => high),
  }
}

/** 95 % interval of a share. E. B. Wilson: Probable inference, the law of succession. JASA 22(158), 1927. */
function wilson(hits: number, of: number): readonly [low: number, high: number] {
  const z = 1.959963984540054
  const share = hits / of
  const centre = (share + (z * z) / (2 * of)) / (1 + (z * z) / of)
  const half = (z / (1 + (z * z) / of)) * Math.sqrt((share * (1 - share)) / of + (z * z) / (4 * of * of))
  return [Math.max(0, centre - half), Math.min(1, centre + half)]
}
