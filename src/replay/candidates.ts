import { join } from 'node:path'
import { admitModel } from '../adapters/model-admission.ts'
import { openThreadedModel, type ThreadedModel } from '../adapters/threaded-model.ts'
import { loadFeatures, loadPolicy, sha256 } from '../config/definitions.ts'
import { nearestPath } from '../config/nearest.ts'
import type { Config } from '../config/schema.ts'
import type { ActiveSet } from '../core/decide.ts'
import { WeirError } from '../core/errors.ts'
import type { CompiledFeatures } from '../core/features/compile.ts'
import { compilePolicy, type PolicyFile } from '../core/policy.ts'
import type { Model } from '../core/ports.ts'

/** What differs from the configuration; what is not named is that of the configuration. */
export interface CandidateSpec {
  readonly name: string
  /** Folder of a package, or name@version of one in the model folder. */
  readonly model?: string | undefined
  /** Paths. */
  readonly policy?: string | undefined
  readonly features?: string | undefined
  /** In place of the policy's. */
  readonly thresholds: Partial<PolicyFile['thresholds']>
}

/** One of those that are replayed: everything that decides, under a name. */
export interface Candidate {
  readonly name: string
  readonly active: ActiveSet
}

/** Candidates, and the threads in which their models run. */
export interface Candidates {
  readonly all: readonly Candidate[]
  close(): Promise<void>
}

const keys = ['model', 'policy', 'features', 'challenge', 'review', 'decline'] as const
const cutOffs = ['challenge', 'review', 'decline'] as const

/**
 * `strict:policy=strict.yaml,challenge=300`: a name, then what differs.
 *
 * @throws WeirError WEIR_CLI_USAGE that names the part.
 */
export function parseCandidate(text: string): CandidateSpec {
  const [, name, rest = ''] = /^([a-z][a-z0-9_-]{0,31}):(.+)$/s.exec(text) ?? []
  if (name === undefined) throw usage(`--candidate ${text}: begins with no name`)
  const given: Record<string, string> = {}
  for (const part of rest.split(',')) {
    const [key = '', ...value] = part.split('=')
    if (!(keys as readonly string[]).includes(key)) {
      const near = nearestPath(key, keys)
      throw usage(
        `--candidate ${name}: there is no "${key}"${near === undefined ? '' : `; did you mean ${near}?`}`,
      )
    }
    if (value.join('=') === '') throw usage(`--candidate ${name}: ${key} has no value`)
    given[key] = value.join('=')
  }
  const thresholds = Object.fromEntries(
    cutOffs.flatMap((cutOff) => (given[cutOff] === undefined ? [] : [[cutOff, riskScore(given[cutOff])]])),
  )
  const { model, policy, features } = given
  return { name, model, policy, features, thresholds }
}

function riskScore(text: string): number {
  if (/^\d{1,3}$/.test(text)) return Number(text)
  if (text === '1000') return 1_000
  throw usage(`--candidate: ${text} is no risk score, 0 to 999, or 1000 for never`)
}

const usage = (message: string): WeirError =>
  new WeirError('WEIR_CLI_USAGE', message, {
    cure: `write NAME:key=value,key=value with keys ${keys.join(', ')}, for example strict:challenge=300`,
  })

/**
 * Loads each and holds it against every check that it must pass before it serves. Those with the same features share
 * them, those with the same model its thread.
 *
 * @throws WeirError WEIR_MODEL_*, WEIR_FEATURES_* or WEIR_POLICY_* that says which candidate.
 */
export async function openCandidates(config: Config, specs: readonly CandidateSpec[]): Promise<Candidates> {
  const double = specs.find(({ name }, i) => specs.findIndex((other) => other.name === name) !== i)
  if (double !== undefined) throw usage(`two candidates have the name ${double.name}`)
  const models = new Map<string, { model: Model; features: CompiledFeatures }>()
  const compiled = new Map<string, CompiledFeatures>()
  const threads: ThreadedModel[] = []
  const all: Candidate[] = []
  for (const spec of specs) {
    try {
      const featuresPath = spec.features ?? config.features
      const dir = folderOf(spec.model ?? config.models.champion, config)
      const key = `${dir}\n${featuresPath}`
      if (!models.has(key)) {
        const base = compiled.get(featuresPath) ?? loadFeatures(featuresPath)
        compiled.set(featuresPath, base)
        const execution = { providers: config.models.providers, threads: config.models.threads }
        const { model, features } = await admitModel(dir, { ...execution, features: base })
        const thread = await openThreadedModel(model, dir, execution)
        threads.push(thread)
        models.set(key, { model: remembering(thread), features })
      }
      const { model, features } = models.get(key) as { model: Model; features: CompiledFeatures }
      const { file } = loadPolicy(spec.policy ?? config.policy, features)
      const policy = compilePolicy(
        { ...file, thresholds: { ...file.thresholds, ...spec.thresholds } },
        features,
        sha256,
      )
      const active = { features, model, policy, entityAgeLimitMs: config.limits.entity_age_ms }
      all.push({ name: spec.name, active })
    } catch (error) {
      if (!(error instanceof WeirError)) throw error
      throw new WeirError(error.code, `candidate ${spec.name}: ${error.message}`, {
        ...(error.cure === undefined ? {} : { cure: error.cure }),
        cause: error,
      })
    }
  }
  return {
    all,
    async close() {
      await Promise.all(threads.map((thread) => thread.close()))
    },
  }
}

/** `champion@1.0.0` is in the model folder; anything else is a path. */
function folderOf(model: string, { models }: Config): string {
  const [, name, version] = /^([a-z0-9_-]+)@(\d+\.\d+\.\d+)$/.exec(model) ?? []
  if (name === undefined || version === undefined) return model
  return join(models.directory, name, version)
}

/** Policies that share a model ask it for the same batch: it answers once. */
function remembering(model: Model): Model {
  let last: { features: Float32Array; scores: ReturnType<Model['score']> } | null = null
  return {
    ...model,
    score(features, rows) {
      if (last?.features !== features) last = { features, scores: model.score(features, rows) }
      return last.scores
    },
  }
}
