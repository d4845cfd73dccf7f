import { deltasAlone, type EntityValue } from '../../src/core/enrich.ts'
import { byEntity, fold } from '../../src/core/fold.ts'
import { applyLabels } from '../../src/core/labels.ts'
import type { Label, Transaction } from '../../src/core/types.ts'
import { arrivals, shipped } from './feature-values.ts'

/** Entity values after these payments and labels, each folded as an update of its own. */
export function past(
  payments: readonly Partial<Transaction>[],
  labels: readonly Label[] = [],
  features = shipped,
): Map<string, EntityValue> {
  const chunks = payments.map((payment) => deltasAlone(arrivals([payment]), features))
  const labelled = applyLabels(labels, new Map(), features).deltas
  const updates = [...chunks, labelled].map((deltas) => ({ deltas }))
  const states = fold(byEntity(updates), new Map(), features)
  const values = new Map<string, EntityValue>([
    ['merchant:m-1', { packed: null, ageMs: 0 }],
    ['device:d-1', { packed: null, ageMs: 0 }],
  ])
  for (const [key, packed] of states) values.set(key, { packed, ageMs: 0 })
  return values
}
