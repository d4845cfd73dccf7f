import type { ControlState } from '../core/control.ts'
import { partitionOf } from '../core/partition.ts'
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
