import { currencyFactor, entityHome } from '../../src/core/enrich.ts'
import { toEvent } from '../../src/core/features/event.ts'
import { byEntity, fold } from '../../src/core/fold.ts'
import { applyLabels } from '../../src/core/labels.ts'
import { entityIds, entityKey } from '../../src/core/parties.ts'
import { type EntityDelta, type EntityUpdate, entityKinds, type Label } from '../../src/core/types.ts'
import { checkRecords } from '../../src/stream/decoded.ts'
import { progressKey, withProgress } from '../../src/stream/entity-updates.ts'
import type { Before } from './before.ts'
import type { DeadLetters } from './dead-letters.ts'
import { type Evidence, laneKinds } from './evidence.ts'
import type { Findings } from './findings.ts'
import type { Installation } from './installation.ts'
import { plainAvro } from './plain-avro.ts'
import type { Recomputed } from './recheck-decisions.ts'

const avro = {
  label: plainAvro<Label>('label.avsc'),
  update: plainAvro<EntityUpdate>('entity-update.avsc'),
}
const chunkSize = 333

/** States that must be in the store, by lane (`t0`) and key. */
export type WantedStates = Map<string, Map<string, Buffer>>

/** Label states and, by the partition they were applied in, fraud deltas from the labels. Checks their dead letters on the way. */
export async function recheckLabels(
  { records }: Evidence,
  { topics, labelCodec, active }: Installation,
  letters: DeadLetters,
  findings: Findings,
  before: Before,
): Promise<{ states: WantedStates; deltas: EntityDelta[][]; applied: number }> {
  const states: WantedStates = new Map()
  const deltas: EntityDelta[][] = []
  let applied = 0
  for (const [partition, inputs] of records.labels.entries()) {
    const past = new Map<string, Buffer>()
    for (let at = 0; at < inputs.length; at += chunkSize) {
      const chunk = inputs.slice(at, at + chunkSize)
      const checked = await checkRecords(labelCodec, chunk)
      for (const [i, input] of chunk.entries()) {
        const one = checked[i]
        const source = before.labelledIn(input)
        if (one?.ok) {
          const result = applyLabels([avro.label.read(input.value)], past, active.features)
          for (const [customer, packed] of result.states) past.set(customer, packed as Buffer)
          const home = source ?? partition
          deltas[home] = [...(deltas[home] ?? []), ...result.deltas]
          applied++
        }
        letters.checkSkip(topics.labels, partition, input, source !== null, findings)
        if (source !== null) continue
        const count = letters.count(topics.labels, partition, input.offset)
        const name = `label ${topics.labels}-${partition}-${input.offset}`
        if (one?.ok === false && count === 0)
          findings.add('lost', `${name} was refused without a dead letter`)
        if (count > 1) findings.add('doubled', `${name} has ${count} dead letters`)
        letters.check(topics.labels, partition, input, one?.ok === false ? one.rejection : null, findings)
      }
    }
    states.set(`l${partition}`, past)
  }
  return { states, deltas, applied }
}

/** Entity states by folding every committed update from empty. */
export function refoldEntities(
  updates: readonly (readonly EntityUpdate[])[],
  { active }: Installation,
): WantedStates {
  const states: WantedStates = new Map()
  for (const [partition, all] of updates.entries()) {
    const past = new Map<string, Buffer>()
    for (let at = 0; at < all.length; at += chunkSize) {
      const chunk = all.slice(at, at + chunkSize)
      for (const [key, packed] of fold(byEntity(chunk), past, active.features)) past.set(key, packed)
      past.set(progressKey, withProgress(past.get(progressKey) ?? null, chunk))
    }
    states.set(`e${partition}`, past)
  }
  return states
}

/**
 * How far each home has folded is by partitions of the old installation in the updates and of the new one in the store:
 * after a rekey nothing can be said of it.
 */
export function forgetProgress(evidence: Evidence, wanted: WantedStates): void {
  for (const states of wanted.values()) states.delete(progressKey)
  const keys = evidence.keys as Map<string, Buffer>
  for (const key of keys.keys()) if (key.endsWith(`:s:${progressKey}`)) keys.delete(key)
}

export function readUpdates({ records }: Evidence, findings: Findings): EntityUpdate[][] {
  return records.entity_updates.map((all, partition) =>
    all.flatMap((record) => {
      try {
        return [avro.update.read(record.value)]
      } catch (error) {
        findings.add('changed', `entity update ${partition}-${record.offset}: ${(error as Error).message}`)
        return []
      }
    }),
  )
}

/** Compares every key of the store with what must be there: states byte for byte, watermarks with the positions. */
export function compareStates(
  { keys, positions }: Evidence,
  { prefix }: Installation,
  wanted: WantedStates,
  findings: Findings,
): number {
  const missing = new Map<string, Buffer>()
  for (const [lane, states] of wanted) {
    for (const [key, packed] of states) missing.set(`{${prefix}.${lane}}:s:${key}`, packed)
  }
  for (const kind of laneKinds) {
    for (const [partition, position] of positions[kind].entries()) {
      if (position !== null) missing.set(`{${prefix}.${kind}${partition}}:wm`, Buffer.from(String(position)))
    }
  }
  const states = missing.size
  for (const [key, value] of keys) {
    if (key.endsWith('}:own')) continue
    const expected = missing.get(key)
    missing.delete(key)
    if (expected === undefined) findings.add('state_differences', `${key} is in the store and should not be`)
    else if (!expected.equals(value))
      findings.add('state_differences', `${key} ${differing(key, value, expected)}`)
  }
  for (const key of missing.keys()) findings.add('state_differences', `${key} is missing in the store`)
  return states
}

function differing(key: string, found: Buffer, wanted: Buffer): string {
  if (key.endsWith('}:wm')) return `is ${found}, the group stands at ${wanted}`
  const at = wanted.findIndex((byte, i) => byte !== found[i])
  return `has ${found.length} bytes, recomputed ${wanted.length}; they differ from byte ${at < 0 ? wanted.length : at}`
}

/** Adds up what was sent to the entities and compares it with what the inputs give: no update is lost or doubled. */
export function compareDeltas(
  updates: readonly (readonly EntityUpdate[])[],
  transactions: readonly Recomputed[],
  labelDeltas: readonly (readonly EntityDelta[])[],
  { active: { features }, topics }: Installation,
  findings: Findings,
): void {
  const sent = new Sums(features.entity.mostCustomers)
  for (const [home, all] of updates.entries()) {
    for (const { source_kind, source_partition, deltas } of all) {
      for (const delta of deltas) {
        sent.add(`${source_kind}${source_partition}`, delta)
        if (entityHome(entityKey(delta.kind, delta.key), topics.partitions) === home) continue
        findings.add('changed', `an update of ${delta.kind} ${delta.key} lies in partition ${home}`)
      }
    }
  }
  const wanted = new Sums(features.entity.mostCustomers)
  for (const [partition, deltas] of labelDeltas.entries()) {
    for (const delta of deltas ?? []) wanted.add(`l${partition}`, delta)
  }
  const tileMs = features.entity.tiers[0]?.tileMs ?? 1
  for (const { counted } of transactions) {
    for (const { partition, offset, transaction } of counted) {
      const event = toEvent(transaction, offset, currencyFactor(features, transaction.currency) as number)
      const time = event.time - (event.time % tileMs)
      for (const [i, key] of entityIds(transaction).entries()) {
        const kind = entityKinds[i]
        if (kind === undefined || key === null || !features.kinds.includes(kind)) continue
        wanted.add(`t${partition}`, {
          kind,
          key,
          time,
          count: 1,
          sum: event.amount,
          frauds: 0,
          payment_frauds: 0,
          odd_payments: 0,
          customers: [event.customer],
        })
      }
    }
  }
  sent.compare(wanted, findings)
}

/** Counts, sums and frauds by source, entity and tile; of each entity the customers that its state keeps. */
class Sums {
  readonly #amounts = new Map<string, [count: number, sum: number, frauds: number]>()
  readonly #customers = new Map<string, Set<number>>()
  readonly #mostCustomers: number

  constructor(mostCustomers: number) {
    this.#mostCustomers = mostCustomers
  }

  add(source: string, { kind, key, time, count, sum, frauds, customers }: EntityDelta): void {
    const entity = entityKey(kind, key)
    const name = `${source} ${entity} ${new Date(time).toISOString()}`
    const [a, b, c] = this.#amounts.get(name) ?? [0, 0, 0]
    this.#amounts.set(name, [a + count, b + sum, c + frauds])
    const seen = this.#customers.get(entity) ?? new Set()
    this.#customers.set(entity, seen)
    for (const customer of customers) seen.add(customer)
  }

  compare(wanted: Sums, findings: Findings): void {
    const differs = (name: string, sent: unknown, recomputed: unknown) => {
      if (String(sent) === String(recomputed)) return
      findings.add('state_differences', `updates of ${name} add up to ${sent}, recomputed ${recomputed}`)
    }
    for (const name of new Set([...this.#amounts.keys(), ...wanted.#amounts.keys()])) {
      differs(name, this.#amounts.get(name), wanted.#amounts.get(name))
    }
    for (const name of new Set([...this.#customers.keys(), ...wanted.#customers.keys()])) {
      differs(`the customers of ${name}`, this.#smallest(name), wanted.#smallest(name))
    }
  }

  #smallest(name: string): number[] {
    return [...(this.#customers.get(name) ?? [])].sort((a, b) => a - b).slice(0, this.#mostCustomers)
  }
}
