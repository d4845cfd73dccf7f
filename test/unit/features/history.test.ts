import fc from 'fast-check'
import { expect, test } from 'vitest'
import { sha256 } from '../../../src/config/definitions.ts'
import { type EntityValue, enrich } from '../../../src/core/enrich.ts'
import { type CompiledFeatures, compileFeatures } from '../../../src/core/features/compile.ts'
import { byEntity, fold } from '../../../src/core/fold.ts'
import { History, type PlacedLabel } from '../../../src/core/history.ts'
import { applyLabels } from '../../../src/core/labels.ts'
import { type Arrival, partiesOf } from '../../../src/core/parties.ts'
import type { EntityDelta, Label } from '../../../src/core/types.ts'
import { aLabel } from '../../helpers/contracts.ts'
import { everyAggregate } from '../../helpers/feature-files.ts'
import { shipped } from '../../helpers/feature-values.ts'
import { histories } from '../../helpers/histories.ts'

/** What the live lanes do, were each payment and each label a chunk of its own, folded at once. */
class Lanes {
  readonly customers = new Map<string, Buffer>()
  readonly labelled = new Map<string, Buffer>()
  readonly entities = new Map<string, Buffer>()
  readonly #features: CompiledFeatures

  constructor(features: CompiledFeatures) {
    this.#features = features
  }

  payment(arrival: Arrival): Float32Array {
    const { entities } = partiesOf([arrival], this.#features.kinds)
    const values = entities
      .flat()
      .map(({ key }): [string, EntityValue] => [key, { packed: this.entities.get(key) ?? null, ageMs: 0 }])
    const past = { customers: this.customers, entities: new Map(values) }
    const { rows, states, deltas } = enrich([arrival], past, this.#features, 0)
    for (const [customer, packed] of states) this.customers.set(customer, packed)
    this.#fold(deltas)
    return rows
  }

  label(label: Label): void {
    const { states, deltas } = applyLabels([label], this.labelled, this.#features)
    for (const [customer, packed] of states) this.labelled.set(customer, packed)
    this.#fold(deltas)
  }

  #fold(deltas: readonly EntityDelta[]): void {
    for (const [key, packed] of fold(byEntity([{ deltas }]), this.entities, this.#features)) {
      this.entities.set(key, packed)
    }
  }
}

const labelOf = ({ transaction }: Arrival, mark: Pick<Label, 'fraud' | 'source' | 'state'>): Label =>
  aLabel({
    transaction_id: transaction.transaction_id,
    customer_id: transaction.customer_id,
    merchant_id: transaction.merchant_id,
    terminal_id: transaction.terminal_id,
    device_id: transaction.device_id,
    ...mark,
    effective_time: transaction.event_time,
    observed_time: transaction.event_time + 1_000,
  })

/** Whether a payment is labelled, and how many payments later. */
const marks = fc.array(
  fc.option(
    fc.record({
      after: fc.nat(12),
      fraud: fc.boolean(),
      source: fc.constantFrom('customer', 'analyst', 'chargeback'),
      state: fc.constantFrom('reported', 'confirmed', 'reversed'),
    }),
    { freq: 2 },
  ),
  { minLength: 1 },
)

const hex = (states: Iterable<readonly [string, Buffer]>) =>
  [...states].map(([key, packed]) => [key, packed.toString('hex')]).toSorted()

test.each([
  ['features.yaml', shipped],
  ['a file with every aggregate', compileFeatures(everyAggregate, sha256)],
])(
  'a history in chunks, labels between, has the bits of lanes that take one at a time: %s',
  (_, features) => {
    fc.assert(
      fc.property(histories(60), marks, ({ arrivals, chunks }, marked) => {
        const due = arrivals.map((): Label[] => [])
        for (const [i, arrival] of arrivals.entries()) {
          const mark = marked[i % marked.length] ?? null
          if (mark === null) continue
          const { after, ...said } = mark
          due[i + 1 + after]?.push(labelOf(arrival, said))
        }
        const [lanes, history] = [new Lanes(features), new History(features)]
        let at = 0
        for (const chunk of chunks) {
          const labels: PlacedLabel[] = []
          const rows = chunk.map((arrival, place) => {
            for (const label of due[at + place] ?? []) {
              labels.push({ before: place, label })
              lanes.label(label)
            }
            return lanes.payment(arrival)
          })
          const enriched = history.enrich(chunk, labels)
          const width = features.names.length
          for (const [place, row] of rows.entries()) {
            const bits = Buffer.from(enriched.rows.slice(place * width, (place + 1) * width).buffer)
            expect(bits.equals(Buffer.from(row.buffer))).toBe(true)
          }
          at += chunk.length
        }
        for (const states of ['customers', 'labelled', 'entities'] as const) {
          expect(hex(history[states])).toEqual(hex(lanes[states]))
        }
      }),
      { numRuns: 150 },
    )
  },
)
