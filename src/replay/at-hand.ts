import { admitModel } from '../adapters/model-admission.ts'
import { listModels, readManifest } from '../adapters/model-package.ts'
import { createControlReader } from '../config/control-texts.ts'
import { loadFeatures, loadPolicy } from '../config/definitions.ts'
import { loadRules } from '../config/rules-file.ts'
import type { Config } from '../config/schema.ts'
import { controlled, initialControl } from '../core/control.ts'
import { type ActiveSet, uncontrolled } from '../core/decide.ts'
import { unlessRefused, WeirError } from '../core/errors.ts'
import type { CompiledFeatures } from '../core/features/compile.ts'
import type { CompiledPolicy } from '../core/policy.ts'
import type { CompiledRules } from '../core/rules/rules.ts'
import type { Decision } from '../core/types.ts'
import type { ControlHistory, Timeline } from './control-history.ts'

/** What decisions name: their version in all its parts. */
export type Version = Pick<
  Decision,
  'feature_hash' | 'model' | 'model_sha256' | 'policy' | 'rules' | 'control_offset'
>

/** Files beside those of the configuration. */
export interface MoreFiles {
  /** Folders of model packages. */
  readonly models?: readonly string[]
  readonly policies?: readonly string[]
  readonly features?: readonly string[]
  readonly rules?: readonly string[]
  /** Changes that decisions name by their offset. */
  readonly control?: ControlHistory
}

/** What decided, or why it cannot be had. */
export type Found = { readonly active: ActiveSet } | { readonly missing: string }

/** Everything that decisions may have been made with: packages by hash, policies, rules, feature files and changes. */
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
  const rules = [...(config.rules === null ? [] : [config.rules]), ...(more.rules ?? [])]
  const packages = await packagesOf(config, more.models ?? [])
  async function packageOf({ model_sha256, model }: Version): Promise<Package> {
    const dir = packages.get(model_sha256)
    if (dir === undefined) throw missing(`no package of ${model} with SHA-256 ${model_sha256}: give --model`)
    const { manifest } = await readManifest(dir)
    const base = features.find(({ hash }) => hash === manifest.feature_hash)
    if (base === undefined) {
      throw missing(`no feature file with hash ${manifest.feature_hash}: give --features`)
    }
    const { providers, threads } = config.models
    const admitted = await admitModel(dir, { features: base, providers, threads })
    const world = { features: admitted.features.names, parts: admitted.model.parts }
    return {
      ...admitted,
      policies: policies.flatMap((path) => unlessRefused(() => loadPolicy(path, admitted.features)) ?? []),
      rules: rules.flatMap((path) => unlessRefused(() => loadRules(path, world)) ?? []),
      timelines: new Map(),
    }
  }

  /** The changes upon one policy and one rules file, which hold until something replaces them. */
  function timelineOf(
    of: Package,
    policy: CompiledPolicy,
    rules: CompiledRules | null,
  ): Timeline | undefined {
    const key = `${policy.id} ${rules?.id}`
    let timeline = of.timelines.get(key)
    if (timeline === undefined && more.control !== undefined) {
      timeline = more.control.timeline(initialControl({ policy, rules }), createControlReader(of))
      of.timelines.set(key, timeline)
    }
    return timeline
  }

  function activeOf(of: Package, version: Version): ActiveSet {
    const { model, features } = of
    const entityAgeLimitMs = config.limits.entity_age_ms
    const policy = of.policies.find(({ id }) => id === version.policy)
    const rules = of.rules.find(({ id }) => id === version.rules) ?? null
    const base = { features, model, entityAgeLimitMs, ...uncontrolled }
    let active: ActiveSet | undefined = policy && { ...base, policy, rules }
    if (version.control_offset !== null) {
      // Where the changes name no policy, the files must; where they do, it does not matter which was before.
      const first = policy ?? of.policies[0]
      const timeline = first && timelineOf(of, first, rules)
      if (first === undefined || timeline === undefined) throw missing('no control topic is at hand')
      const state = timeline.at(version.control_offset)
      if (state === null)
        throw missing(`the control topic has nothing before offset ${version.control_offset}`)
      active = controlled({ ...base, policy: first }, state)
    }
    if (active?.policy.id !== version.policy) throw missing(`no policy ${version.policy}: give --policy`)
    if ((active.rules?.id ?? null) !== version.rules) throw missing(`no rules ${version.rules}: give --rules`)
    return active
  }

  const found = new Map<string, Promise<Found>>()
  const opened = new Map<string, Promise<Package>>()

  async function search(version: Version): Promise<Found> {
    let opening = opened.get(version.model_sha256)
    if (opening === undefined) {
      opening = packageOf(version)
      opened.set(version.model_sha256, opening)
    }
    try {
      return { active: activeOf(await opening, version) }
    } catch (error) {
      // A package that lies about and is damaged: what it decided cannot be verified, all else can.
      if (error instanceof WeirError) return { missing: error.message }
      throw error
    }
  }

  return {
    features,
    find(version) {
      const key = nameOfVersion(version)
      let one = found.get(key)
      if (one === undefined) {
        one = search(version)
        found.set(key, one)
      }
      return one
    },
  }
}

/** The same for the same version. */
export const nameOfVersion = ({ model_sha256, policy, rules, control_offset }: Version): string =>
  `${model_sha256} ${policy} ${rules} ${control_offset}`

/** An admitted package, and what of the files fits it. */
interface Package extends Pick<ActiveSet, 'features' | 'model'> {
  readonly policies: readonly CompiledPolicy[]
  readonly rules: readonly CompiledRules[]
  readonly timelines: Map<string, Timeline>
}

const missing = (what: string): WeirError => new WeirError('WEIR_REPLAY_DIFFERS', what)

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
  if (features.some((one) => unlessRefused(() => loadPolicy(path, one)) !== null)) return
  loadPolicy(path, features[0] as CompiledFeatures)
}
