import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { loadFeatures, sha256 } from '../../../src/config/definitions.ts'
import { compileFeatures } from '../../../src/core/features/compile.ts'
import type { Arrival } from '../../../src/core/parties.ts'
import type { Label, Transaction } from '../../../src/core/types.ts'
import { generate } from '../../../src/generator/generate.ts'
import { aLabel } from '../../helpers/contracts.ts'
import { everyAggregate } from '../../helpers/feature-files.ts'
import { type Dice, FeatureRun } from '../../helpers/feature-run.ts'
import { type History, histories } from '../../helpers/histories.ts'

const shipped = loadFeatures(join(import.meta.dirname, '../../../features.yaml'))
const dayMs = 86_400_000

const choices = fc.infiniteStream(fc.nat()).map(
  (stream): Dice =>
    (below) =>
      (stream.next().value as number) % below,
)

/** Between chunks: labels of what was paid before, and folding. */
function run(features: typeof shipped, { chunks }: History, dice: Dice): FeatureRun {
  const live = new FeatureRun(features, dice)
  const paid: Transaction[] = []
  for (const chunk of chunks) {
    live.payments(chunk)
    paid.push(...chunk.map(({ transaction }) => transaction))
    const labels = Array.from({ length: dice(4) }, () =>
      labelOf(paid[dice(paid.length)] as Transaction, dice),
    )
    if (labels.length > 0) live.labels(labels)
    live.fold()
  }
  return live
}

function labelOf(transaction: Transaction, dice: Dice): Label {
  const { transaction_id, customer_id, merchant_id, terminal_id, device_id, event_time } = transaction
  return aLabel({
    transaction_id,
    customer_id,
    merchant_id,
    terminal_id,
    device_id,
    fraud: dice(3) > 0,
    source: ['customer', 'issuer', 'early_fraud_warning', 'analyst', 'chargeback'][dice(5)] as string,
    state: ['reported', 'confirmed', 'reversed'][dice(3)] as string,
    effective_time: event_time,
    observed_time: event_time + dice(4 * dayMs) * (dice(5) === 0 ? 10 : 1),
  })
}

test.each([
  ['features.yaml', shipped, 150],
  ['a file with every aggregate', compileFeatures(everyAggregate, sha256), 100],
] as const)(
  'any history: the columns of %s equal the naive implementation bit for bit',
  (_, features, numRuns) => {
    fc.assert(
      fc.property(histories(120), choices, (history, dice) => {
        expect(run(features, history, dice).differences).toEqual([])
      }),
      // Shrinking a long history ends in time, too.
      { numRuns, interruptAfterTimeLimit: 90_000, markInterruptAsFailure: true },
    )
  },
)

test('the generated stream, with many late and sent again: all columns equal the naive implementation', () => {
  let state = 7
  const dice: Dice = (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return (state >>> 8) % below
  }
  const live = new FeatureRun(shipped, dice)
  const options = { seed: 11, events: 3000, customers: 40, merchants: 60, fraudRate: 0.05 }
  let chunk: Arrival[] = []
  let offset = 0
  const flush = () => {
    if (chunk.length > 0) live.payments(chunk)
    chunk = []
    live.fold()
  }
  for (const record of generate({ ...options, lateRate: 0.1, duplicateRate: 0.05 })) {
    if (record.kind === 'label') {
      flush()
      live.labels([record.label])
    } else if (record.kind === 'transaction') {
      chunk.push({ partition: 0, offset: offset++, transaction: record.transaction })
      if (dice(20) === 0) flush()
    }
  }
  flush()
  expect(live.differences).toEqual([])
  expect(live.rows).toBeGreaterThan(2900)
  expect(live.duplicates).toBeGreaterThan(100)
})
