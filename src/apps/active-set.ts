import { join } from 'node:path'
import { admitModel } from '../adapters/model-admission.ts'
import { loadFeatures, loadPolicy } from '../config/definitions.ts'
import type { Config } from '../config/schema.ts'
import { type ActiveSet, uncontrolled } from '../core/decide.ts'

/**
 * Loads what decides: features, champion and policy, each checked against the others.
 *
 * @param log gets one line on where the model runs.
 * @throws WeirError WEIR_FEATURES_*, WEIR_POLICY_* or WEIR_MODEL_* with its cure.
 */
export async function loadActiveSet(config: Config, log: (line: string) => void): Promise<ActiveSet> {
  const { directory, champion, providers, threads } = config.models
  const { model, features } = await admitModel(join(directory, ...champion.split('@')), {
    features: loadFeatures(config.features),
    providers,
    threads,
    log,
  })
  const policy = loadPolicy(config.policy, features)
  return { features, policy, model, ...uncontrolled, entityAgeLimitMs: config.limits.entity_age_ms }
}
