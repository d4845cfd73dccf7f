import { join } from 'node:path'
import { type AdmissionOptions, admitModel } from '../adapters/model-admission.ts'
import { openThreadedModel, type ThreadedModel } from '../adapters/threaded-model.ts'
import { loadFeatures, loadPolicy } from '../config/definitions.ts'
import { loadRules } from '../config/rules-file.ts'
import type { Config } from '../config/schema.ts'
import { type ActiveSet, uncontrolled } from '../core/decide.ts'
import type { CompiledFeatures } from '../core/features/compile.ts'
import type { Model } from '../core/ports.ts'
import type { CompiledRules } from '../core/rules/rules.ts'

/** What the files of the configuration say; the control topic may replace policy and rules. */
export interface LoadedSet<M extends Model = Model> extends ActiveSet {
  readonly model: M
  readonly rules: CompiledRules | null
}

/** Of admission, in this thread or in one of its own. */
interface Opened<M extends Model> {
  readonly model: M
  readonly features: CompiledFeatures
}

/**
 * Loads what decides: features, champion, policy and rules, each checked against the others.
 *
 * @param log gets one line on where the model runs.
 * @throws WeirError WEIR_FEATURES_*, WEIR_POLICY_*, WEIR_RULES_* or WEIR_MODEL_* with its cure.
 */
export async function loadActiveSet(config: Config, log: (line: string) => void): Promise<LoadedSet> {
  return complete(config, await admitModel(...championOf(config, log)))
}

/** The same, with the model in a thread of its own, where it may not be ready yet: see ThreadedModel. */
export async function startActiveSet(
  config: Config,
  log: (line: string) => void,
): Promise<LoadedSet<ThreadedModel>> {
  const opened = await openThreadedModel(...championOf(config, log))
  try {
    return complete(config, opened)
  } catch (error) {
    await opened.model.close()
    throw error
  }
}

function championOf(config: Config, log: (line: string) => void): [dir: string, options: AdmissionOptions] {
  const { directory, champion, providers, threads } = config.models
  const features = loadFeatures(config.features)
  return [join(directory, ...champion.split('@')), { features, providers, threads, log }]
}

function complete<M extends Model>(config: Config, { model, features }: Opened<M>): LoadedSet<M> {
  const policy = loadPolicy(config.policy, features)
  const world = { features: features.names, parts: model.parts }
  const rules = config.rules === null ? null : loadRules(config.rules, world)
  return { features, policy, model, ...uncontrolled, rules, entityAgeLimitMs: config.limits.entity_age_ms }
}
