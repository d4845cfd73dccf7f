import { createHash } from 'node:crypto'
import { join } from 'node:path'
import fc from 'fast-check'
import { loadFeatures } from '../../src/config/definitions.ts'
import { Random } from '../../src/core/random.ts'
import { type Dice, FeatureRun } from '../../test/helpers/feature-run.ts'
import { type History, histories } from '../../test/helpers/histories.ts'
import { Breaches, type Fault } from '../fault.ts'

const features = loadFeatures(join(import.meta.dirname, '../../features.yaml'))
const hourMs = 3_600_000

/** A clock that is an hour off, one way or the other, for a stretch of the history. */
function withClockJump({ chunks, arrivals }: History, dice: Dice): History {
  const [from, until] = [dice(arrivals.length), dice(arrivals.length)].sort((a, b) => a - b) as [
    number,
    number,
  ]
  const off = dice(2) === 0 ? hourMs : -hourMs
  const first = arrivals[from]?.offset ?? 0
  const last = arrivals[until]?.offset ?? 0
  const moved = chunks.map((chunk) =>
    chunk.map((arrival) => {
      if (arrival.offset < first || arrival.offset > last) return arrival
      const { transaction } = arrival
      return { ...arrival, transaction: { ...transaction, event_time: transaction.event_time + off } }
    }),
  )
  return { arrivals: moved.flat(), chunks: moved }
}

interface Passed {
  readonly differences: number
  readonly rows: number
  readonly duplicates: number
  readonly bytes: string
}

/** One pass over a history, beside the naive implementation; the seed decides where entities are folded. */
function pass({ chunks }: History, seed: number): Passed {
  const run = new FeatureRun(features, diceOf(seed))
  const hash = createHash('sha256')
  for (const chunk of chunks) {
    const rows = run.payments(chunk)
    hash.update(new Uint8Array(rows.buffer, rows.byteOffset, rows.byteLength))
    run.fold()
  }
  return {
    differences: run.differences.length,
    rows: run.rows,
    duplicates: run.duplicates,
    bytes: hash.digest('hex'),
  }
}

function diceOf(seed: number): Dice {
  const random = new Random(seed, 1)
  return (below) => random.between(0, below - 1)
}

export const order: Fault = {
  name: 'order',
  promise:
    'payments that come twice, in another order, late, from the future or from a clock an hour off: features equal a second, naive implementation bit for bit, and another pass gives the same bytes',
  times: { whole: 10_000, short: 100 },
  async run({ seed, times }) {
    const breaches = new Breaches()
    const total = { rows: 0, duplicates: 0 }
    let cases = 0
    for (let at = 0; at < times && breaches.all.length < 10; at++) {
      const [drawn] = fc.sample(histories(40), { numRuns: 1, seed: seed + at }) as [History]
      const history = at % 2 === 0 ? drawn : withClockJump(drawn, diceOf(seed - at))
      const [first, second] = [pass(history, seed + at), pass(history, seed + at)]
      breaches.must(first.differences === 0, `case ${at}: ${first.differences} values differ`)
      breaches.must(first.bytes === second.bytes, `case ${at}: a second pass gave other bytes`)
      total.rows += first.rows
      total.duplicates += first.duplicates
      cases++
    }
    breaches.must(total.duplicates > 0, 'no payment came twice: this proves little')
    return { injected: cases, verdict: null, figures: total, breaches: breaches.all }
  },
}
