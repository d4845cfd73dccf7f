import type { ControlState } from '../core/control.ts'
import type { ActiveSet } from '../core/decide.ts'
import { explainRows, weightiest } from '../core/explain/explained.ts'
import { partitionOf } from '../core/partition.ts'
import type { Decision } from '../core/types.ts'
import { validateLabel } from '../core/validate.ts'
import type { Backend } from '../http/api.ts'
import { findAlert, findDecision } from '../ledger/find-decision.ts'
import type { Scorer, ScorerParts } from '../stream/scorer.ts'

/** What a running member answers over HTTP. */
export function createBackend(
  { config, log, contracts, active }: Pick<ScorerParts, 'config' | 'log' | 'contracts' | 'active'>,
  { scoreNow }: Pick<Scorer, 'scoreNow'>,
  control: () => ControlState,
): Backend {
  const { topics } = config
  return {
    scoreNow,
    features: active().features,
    control,
    findDecision: (id) => findDecision({ log, topics, contracts }, id),
    findAlert: (id) => findAlert({ log, topics, contracts }, id),
    explain: (decision) => explain(decision, active()),
    async appendLabel(candidate, timestamp) {
      const limits = { eventTimePastMs: 0, eventTimeFutureMs: config.limits.event_time_future_ms }
      const checked = validateLabel(candidate, timestamp, limits)
      if (!checked.ok) return checked
      const { customer_id: key } = checked.value
      const partition = partitionOf(key, topics.partitions)
      await log.append([
        { topic: topics.labels, partition, key, value: contracts.labels.encode(checked.value), timestamp },
      ])
      return checked
    },
  }
}

/** By the model that decided, where it is the one that decides now and explains at all. */
async function explain(decision: Decision, { model, features }: ActiveSet): ReturnType<Backend['explain']> {
  const { features: vector, feature_hash, model_sha256 } = decision
  const isKnown = model_sha256 === model.sha256 && feature_hash === features.hash
  if (!isKnown || vector.length !== 4 * features.names.length) return null
  const row = Float32Array.from(features.names, (_, column) => vector.readFloatLE(4 * column))
  const explained = (await explainRows(model, row, 1, [0])).get(0)
  if (explained === undefined) return null
  return { base: explained.base, contributions: weightiest(features.names, vector, explained) }
}
