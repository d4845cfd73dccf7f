import { join } from 'node:path'
import { listModels } from '../adapters/model-package.ts'
import { openThreadedModel, type ThreadedModel } from '../adapters/threaded-model.ts'
import { loadFeatures, loadPolicy, sha256 } from '../config/definitions.ts'
import { loadRules, type RulesWorld } from '../config/rules-file.ts'
import type { Config } from '../config/schema.ts'
import { type ActiveSet, uncontrolled } from '../core/decide.ts'
import { WeirError } from '../core/errors.ts'
import type { CompiledFeatures } from '../core/features/compile.ts'
import { compilePolicy } from '../core/policy.ts'
import type { Model } from '../core/ports.ts'
import type { CompiledRules } from '../core/rules/rules.ts'
import { type CandidateSpec, usage } from './candidate-spec.ts'

/** One of those that are replayed: everything that decides, under a name. */
export interface Candidate {
  readonly name: string
  readonly active: ActiveSet
  /** Those of the active set; null: none. */
  readonly rules: CompiledRules | null
}

/** Candidates, and the threads in which their models run. */
export interface Candidates {
  readonly all: readonly Candidate[]
  close(): Promise<void>
}

/**
 * Loads each and holds it against every check that it must pass before it serves. Those with the same features share
 * them, those with the same model its thread.
 *
 * @throws WeirError WEIR_MODEL_*, WEIR_FEATURES_*, WEIR_POLICY_* or WEIR_RULES_* that says which candidate.
 */
export async function openCandidates(config: Config, specs: readonly CandidateSpec[]): Promise<Candidates> {
  const double = specs.find(({ name }, i) => specs.findIndex((other) => other.name === name) !== i)
  if (double !== undefined) throw usage(`two candidates have the name ${double.name}`)
  const opened = new Opened(config)
  try {
    const all: Candidate[] = []
    for (const spec of specs) all.push(await opened.candidate(spec))
    return { all, close: () => opened.close() }
  } catch (error) {
    await opened.close()
    throw error
  }
}

/** What candidates share. */
class Opened {
  readonly #config: Config
  readonly #features = new Map<string, CompiledFeatures>()
  readonly #models = new Map<string, { readonly model: Model; readonly features: CompiledFeatures }>()
  readonly #threads: ThreadedModel[] = []

  constructor(config: Config) {
    this.#config = config
  }

  async candidate(spec: CandidateSpec): Promise<Candidate> {
    const { limits, policy: configured } = this.#config
    try {
      const { model, features } = await this.#modelOf(spec)
      const { file } = loadPolicy(spec.policy ?? configured, features)
      const thresholds = { ...file.thresholds, ...spec.thresholds }
      const policy = compilePolicy({ ...file, thresholds }, features, sha256)
      const rules = this.#rulesOf(spec, { features: features.names, parts: model.parts })
      const entityAgeLimitMs = limits.entity_age_ms
      return {
        name: spec.name,
        active: { features, model, policy, ...uncontrolled, rules, entityAgeLimitMs },
        rules,
      }
    } catch (error) {
      if (!(error instanceof WeirError)) throw error
      throw new WeirError(error.code, `candidate ${spec.name}: ${error.message}`, {
        ...(error.cure === undefined ? {} : { cure: error.cure }),
        cause: error,
      })
    }
  }

  #rulesOf(spec: CandidateSpec, world: RulesWorld): CompiledRules | null {
    const path = spec.rules ?? this.#config.rules
    return path === null || path === 'none' ? null : loadRules(path, world)
  }

  async close(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.close()))
  }

  async #modelOf(spec: CandidateSpec): Promise<{ model: Model; features: CompiledFeatures }> {
    const { models, features: configured } = this.#config
    const path = spec.features ?? configured
    const dir = await folderOf(spec.model ?? models.champion, this.#config)
    const key = `${dir}\n${path}`
    const known = this.#models.get(key)
    if (known !== undefined) return known
    const compiled = this.#features.get(path) ?? loadFeatures(path)
    this.#features.set(path, compiled)
    const execution = { providers: models.providers, threads: models.threads }
    const { model: thread, features } = await openThreadedModel(dir, { ...execution, features: compiled })
    this.#threads.push(thread)
    await thread.ready
    const opened = { model: remembering(thread), features }
    this.#models.set(key, opened)
    return opened
  }
}

/** `champion@1.0.0` is in the model folder; anything else is the path of a package, or of a folder with only one. */
export async function folderOf(model: string, { models }: Config): Promise<string> {
  const [, name, version] = /^([a-z0-9_-]+)@(\d+\.\d+\.\d+)$/.exec(model) ?? []
  if (name !== undefined && version !== undefined) return join(models.directory, name, version)
  const packages = await listModels(model)
  const [only] = packages
  if (packages.length < 2) return only?.dir ?? model
  throw new WeirError('WEIR_CLI_USAGE', `${model} holds ${packages.length} packages`, {
    cure: `name one: ${packages.map(({ dir }) => dir).join(', ')}`,
  })
}

/**
 * Policies that share a model ask it for the same batch: it answers once. It does not say why: a replay keeps scores and
 * outcomes, which do not depend on that, and to explain costs more than to score.
 */
function remembering({ explain: _, ...model }: Model): Model {
  let last: { features: Float32Array; scores: ReturnType<Model['score']> } | null = null
  return {
    ...model,
    score(features, rows) {
      if (last?.features !== features) last = { features, scores: model.score(features, rows) }
      return last.scores
    },
  }
}
