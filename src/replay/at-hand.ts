import { admitModel } from '../adapters/model-admission.ts'
import { listModels, readManifest } from '../adapters/model-package.ts'
import { loadFeatures, loadPolicy } from '../config/definitions.ts'
import type { Config } from '../config/schema.ts'
import { type ActiveSet, uncontrolled } from '../core/decide.ts'
import { WeirError } from '../core/errors.ts'
import type { CompiledFeatures } from '../core/features/compile.ts'
import type { Decision } from '../core/types.ts'

/** What decisions name: their version in all its parts. */
export type Version = Pick<Decision, 'feature_hash' | 'model' | 'model_sha256' | 'policy'>

/** Files beside those of the configuration. */
export interface MoreFiles {
  /** Folders of model packages. */
  readonly models?: readonly string[]
  readonly policies?: readonly string[]
  readonly features?: readonly string[]
}

/** What decided, or why it cannot be had. */
export type Found = { readonly active: ActiveSet } | { readonly missing: string }

/** Everything that decisions may have been made with: packages by hash, policies and feature files. */
export interface AtHand {
  /** That of the configuration first; each a hash of its own. */
  readonly features: readonly CompiledFeatures[]
  /** Admits a package when it is first asked for. */
  find(version: Version): Promise<Found>
}

/**
 * Looks through the files of the configuration, its folder of model packages and what else is given.
 *
 * @throws WeirError WEIR_FEATURES_*, WEIR_POLICY_* or WEIR_MODEL_* of a file that was named and cannot be used.
 */
export async function findAtHand(config: Config, more: MoreFiles = {}): Promise<AtHand> {
  const features = distinct([config.features, ...(more.features ?? [])].map((path) => loadFeatures(path)))
  const policies = [config.policy, ...(more.policies ?? [])]
  for (const path of policies) checkPolicy(path, features)
  const packages = await packagesOf(config, more.models ?? [])
  const found = new Map<string, Promise<Found>>()

  async function admit({ model_sha256, model, policy: policyId }: Version): Promise<Found> {
    const dir = packages.get(model_sha256)
    if (dir === undefined)
      return { missing: `no package of ${model} with SHA-256 ${model_sha256}: give --model` }
    const { manifest } = await readManifest(dir)
    const base = features.find(({ hash }) => hash === manifest.feature_hash)
    if (base === undefined) {
      return { missing: `no feature file with hash ${manifest.feature_hash}: give --features` }
    }
    const { providers, threads } = config.models
    const admitted = await admitModel(dir, { features: base, providers, threads })
    const policy = policies
      .flatMap((path) => policyFor(path, admitted.features))
      .find(({ id }) => id === policyId)
    if (policy === undefined) return { missing: `no policy ${policyId}: give --policy` }
    return { active: { ...admitted, policy, ...uncontrolled, entityAgeLimitMs: config.limits.entity_age_ms } }
  }

  return {
    features,
    find(version) {
      const key = `${version.model_sha256} ${version.policy}`
      let one = found.get(key)
      if (one === undefined) {
        one = admit(version).catch((error: unknown) => {
          // A package that lies about and is damaged: what it decided cannot be verified, all else can.
          if (error instanceof WeirError) return { missing: error.message }
          throw error
        })
        found.set(key, one)
      }
      return one
    },
  }
}

function distinct(features: readonly CompiledFeatures[]): CompiledFeatures[] {
  return [...new Map(features.toReversed().map((one) => [one.hash, one])).values()].toReversed()
}

/** Folders by the hash that decisions name. */
async function packagesOf({ models }: Config, more: readonly string[]): Promise<Map<string, string>> {
  const packages = new Map<string, string>()
  const add = (sha256: string, dir: string) => packages.set(sha256.slice(0, 16), dir)
  for (const listed of await listModels(models.directory))
    if (listed.error === null) add(listed.sha256, listed.dir)
  for (const dir of more) add((await readManifest(dir)).sha256, dir)
  return packages
}

/** A policy must fit one of the feature files: its reasons name columns. */
function checkPolicy(path: string, features: readonly CompiledFeatures[]): void {
  if (features.some((one) => policyFor(path, one).length > 0)) return
  loadPolicy(path, features[0] as CompiledFeatures)
}

function policyFor(path: string, features: CompiledFeatures): ActiveSet['policy'][] {
  try {
    return [loadPolicy(path, features)]
  } catch (error) {
    if (error instanceof WeirError) return []
    throw error
  }
}
