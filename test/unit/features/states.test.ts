import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { sha256 } from '../../../src/config/definitions.ts'
import { advance, enrich } from '../../../src/core/enrich.ts'
import { compileFeatures } from '../../../src/core/features/compile.ts'
import { CustomerState } from '../../../src/core/features/customer-state.ts'
import { EntityState } from '../../../src/core/features/entity-state.ts'
import { byEntity, fold } from '../../../src/core/fold.ts'
import { applyLabels } from '../../../src/core/labels.ts'
import type { Arrival } from '../../../src/core/parties.ts'
import type { EntityDelta, Label } from '../../../src/core/types.ts'
import { aLabel } from '../../helpers/contracts.ts'
import { everyAggregate } from '../../helpers/feature-files.ts'
import { arrivals, day, midnight, minute, shipped, unknownEntities } from '../../helpers/feature-values.ts'
import { cut, histories } from '../../helpers/histories.ts'

const other = compileFeatures(everyAggregate, sha256)

interface Outcome {
  readonly states: Map<string, Buffer>
  readonly rows: Float32Array[]
  readonly deltas: (readonly EntityDelta[])[]
}

function enriched(chunks: readonly (readonly Arrival[])[], features = shipped): Outcome {
  const outcome: Outcome = { states: new Map(), rows: [], deltas: [] }
  const width = features.names.length
  for (const chunk of chunks) {
    const past = { customers: outcome.states, entities: unknownEntities(chunk) }
    const { rows, states, deltas } = enrich(chunk, past, features, minute)
    for (const [key, state] of states) outcome.states.set(key, state)
    for (let i = 0; i < chunk.length; i++) outcome.rows.push(rows.subarray(i * width, (i + 1) * width))
    outcome.deltas.push(deltas)
  }
  return outcome
}

test('where chunks end changes neither customer columns nor customer states', () => {
  const perCustomer = shipped.file.features.flatMap(({ entity }, i) =>
    entity === 'customer' || entity === 'transaction' ? [i] : [],
  )
  const columns = ({ rows }: Outcome) => rows.map((row) => perCustomer.map((i) => row[i]))
  fc.assert(
    fc.property(histories(80), ({ arrivals: all, chunks }) => {
      const [whole, parts, single] = [[all], chunks, cut(all, [1])].map((log) => enriched(log))
      expect(parts?.states).toEqual(whole?.states)
      expect(single?.states).toEqual(whole?.states)
      expect(columns(parts as Outcome)).toEqual(columns(whole as Outcome))
      expect(columns(single as Outcome)).toEqual(columns(whole as Outcome))
    }),
    { numRuns: 50 },
  )
})

test('advance gives the same states as enrich', () => {
  fc.assert(
    fc.property(histories(80), ({ arrivals: all, chunks }) => {
      const states = new Map<string, Buffer>()
      for (const chunk of chunks) {
        for (const [key, state] of advance(chunk, states, shipped)) states.set(key, state)
      }
      expect(states).toEqual(enriched([all]).states)
    }),
    { numRuns: 50 },
  )
})

test('folding is commutative and associative, byte for byte', () => {
  const permuted = histories(80).chain((history) => {
    const payments = enriched(history.chunks, other).deltas
    const reports = history.arrivals.map(({ transaction }, i) => {
      const { transaction_id, customer_id, event_time, merchant_id, terminal_id, device_id } = transaction
      const entities = { merchant_id, terminal_id, device_id }
      const times = { effective_time: event_time, observed_time: event_time + i * 3_600_000 }
      const label = aLabel({ transaction_id, customer_id, ...entities, ...times })
      return applyLabels([label], new Map(), other).deltas
    })
    const updates = [...payments, ...reports].map((deltas) => ({ deltas }))
    const any = { minLength: updates.length, maxLength: updates.length }
    return fc.tuple(fc.constant(updates), fc.shuffledSubarray(updates, any), fc.nat(updates.length))
  })
  const sorted = (states: Map<string, Buffer>) => new Map([...states].sort(([a], [b]) => (a < b ? -1 : 1)))
  const folded = (updates: { deltas: readonly EntityDelta[] }[], past = new Map<string, Buffer>()) =>
    new Map([...past, ...fold(byEntity(updates), past, other)])
  fc.assert(
    fc.property(permuted, ([updates, shuffled, at]) => {
      const all = sorted(folded(updates))
      expect(sorted(folded(shuffled))).toEqual(all)
      expect(sorted(folded(shuffled.slice(at), folded(shuffled.slice(0, at))))).toEqual(all)
    }),
    { numRuns: 50 },
  )
})

/** Packed states of each kind, and what opens and packs them again. */
const packings = histories(80).map(({ arrivals: all, chunks }) => {
  const { states, deltas } = enriched(chunks)
  const labels: Label[] = all.map(({ transaction: { customer_id, transaction_id } }) =>
    aLabel({ customer_id, transaction_id }),
  )
  const customer = new CustomerState(shipped.customer)
  const entity = new EntityState(shipped.entity)
  const otherEntity = new EntityState(other.entity)
  const reports = applyLabels(labels, new Map(), other).deltas
  const updates = [...enriched(chunks, other).deltas, reports].map((one) => ({ deltas: one }))
  return [
    ...fold(byEntity(updates), new Map(), other).map(([, packed]) => ({
      packed,
      again: (bytes: Uint8Array) => otherEntity.open(bytes).pack(),
    })),
    ...[...states.values()].map((packed) => ({
      packed,
      again: (bytes: Uint8Array) => customer.open(bytes).pack(),
    })),
    ...fold(byEntity(deltas.map((one) => ({ deltas: one }))), new Map(), shipped).map(([, packed]) => ({
      packed,
      again: (bytes: Uint8Array) => entity.open(bytes).pack(),
    })),
    ...applyLabels(labels, new Map(), shipped).states.map(([customerId, packed]) => ({
      packed,
      again: (bytes: Uint8Array) => {
        // A label that is known already leaves the state as it is.
        const last = labels.findLast(({ customer_id }) => customer_id === customerId) as Label
        const [state] = applyLabels([last], new Map([[customerId, bytes]]), shipped).states
        return state?.[1] as Buffer
      },
    })),
  ]
})

test('what is packed and opened and packed again has the same bytes', () => {
  fc.assert(
    fc.property(packings, (all) => {
      for (const { packed, again } of all) expect(again(packed)).toEqual(packed)
    }),
    { numRuns: 30 },
  )
})

test('damaged bytes are refused with a RangeError, or opened harmlessly', () => {
  const damage = fc.record({
    which: fc.nat(),
    at: fc.nat(),
    byte: fc.nat(255),
    length: fc.option(fc.nat(), { freq: 3, nil: null }),
  })
  let refused = 0
  let opened = 0
  fc.assert(
    fc.property(packings, fc.array(damage, { minLength: 20, maxLength: 20 }), (all, damages) => {
      for (const { which, at, byte, length } of damages) {
        const { packed, again } = all[which % all.length] as (typeof all)[number]
        const damaged = Buffer.from(packed)
        damaged[at % packed.length] = byte
        try {
          const bytes = length === null ? damaged : damaged.subarray(0, length % packed.length)
          const result = again(bytes)
          expect(result.length).toBeLessThan(2 * packed.length + 1024)
          opened++
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError)
          refused++
        }
      }
    }),
    { numRuns: 50 },
  )
  expect(Math.min(refused, opened)).toBeGreaterThan(50)
})

describe('damaged bytes that open', () => {
  test('can be used for deciding without reading out of bounds or hanging', () => {
    const bytes = fc.tuple(fc.nat(), fc.uint8Array({ minLength: 1, maxLength: 8 }))
    fc.assert(
      fc.property(
        histories(60),
        fc.array(bytes, { minLength: 10, maxLength: 10 }),
        ({ arrivals: all }, damages) => {
          const { states } = enriched([all])
          for (const [at, garbage] of damages) {
            for (const [key, state] of states) {
              const damaged = Buffer.from(state)
              damaged.set(garbage, at % Math.max(1, damaged.length - garbage.length))
              const past = { customers: new Map([[key, damaged]]), entities: unknownEntities(all) }
              try {
                const { rows } = enrich(all.slice(0, 3), past, shipped, minute)
                expect(rows.length % shipped.names.length).toBe(0)
              } catch (error) {
                expect(error).toBeInstanceOf(RangeError)
              }
            }
          }
        },
      ),
      { numRuns: 20 },
    )
  })
})

test('a label observed later than event_time - delay changes no bit of any feature', () => {
  const now = midnight + 40 * day + 5 * 3_600_000
  // All that can have been observed when the event is decided, and the rest of that day.
  const observed = fc.integer({ min: now - 40 * day, max: midnight + 41 * day - 1 })
  const label = fc.record({ transaction: fc.nat(15), fraud: fc.boolean(), observed })
  const rowOf = (labels: Label[]) => {
    const deltas = applyLabels(labels, new Map(), shipped).deltas
    const states = fold(byEntity([{ deltas }]), new Map(), shipped)
    const chunk = arrivals([{ event_time: now, terminal_id: 't-1' }])
    const entities = unknownEntities(chunk)
    for (const [key, packed] of states) entities.set(key, { packed, ageMs: 0 })
    const { rows } = enrich(chunk, { customers: new Map(), entities }, shipped, minute)
    return new Uint32Array(rows.buffer, rows.byteOffset, rows.length)
  }
  fc.assert(
    fc.property(fc.array(label, { maxLength: 40, size: 'max' }), (said) => {
      const labels = said
        .toSorted((a, b) => a.observed - b.observed)
        .map(({ transaction, fraud, observed: observed_time }) =>
          aLabel({ transaction_id: `tx-${transaction}`, fraud, observed_time, terminal_id: 't-1' }),
        )
      const flipped = labels.map((one) => ({ ...one, fraud: one.fraud !== one.observed_time > now - day }))
      expect(rowOf(flipped)).toEqual(rowOf(labels))
    }),
    { numRuns: 200 },
  )
})
