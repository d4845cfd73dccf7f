import { join } from 'node:path'
import { admitModel } from '../adapters/model-admission.ts'
import { loadFeatures, loadPolicy } from '../config/definitions.ts'
import { loadRules } from '../config/rules-file.ts'
import type { Config } from '../config/schema.ts'
import { type ActiveSet, uncontrolled } from '../core/decide.ts'
import type { CompiledRules } from '../core/rules/rules.ts'

/** What the files of the configuration say; the control topic may replace policy and rules. */
export interface LoadedSet extends ActiveSet {
  readonly rules: CompiledRules | null
}

/**
 * Loads what decides: features, champion, policy and rules, each checked against the others.
 *
 * @param log gets one line on where the model runs.
 * @throws WeirError WEIR_FEATURES_*, WEIR_POLICY_*, WEIR_RULES_* or WEIR_MODEL_* with its cure.
 */
export async function loadActiveSet(config: Config, log: (line: string) => void): Promise<LoadedSet> {
  const { directory, champion, providers, threads } = config.models
  const { model, features } = await admitModel(join(directory, ...champion.split('@')), {
    features: loadFeatures(config.features),
    providers,
    threads,
    log,
  })
  const policy = loadPolicy(config.policy, features)
  const world = { features: features.names, parts: model.parts }
  const rules = config.rules === null ? null : loadRules(config.rules, world)
  return { features, policy, model, ...uncontrolled, rules, entityAgeLimitMs: config.limits.entity_age_ms }
}
