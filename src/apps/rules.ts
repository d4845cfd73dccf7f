import { join } from 'node:path'
import { readManifest } from '../adapters/model-package.ts'
import { loadFeatures } from '../config/definitions.ts'
import { loadRules, type RulesWorld, rulesOf } from '../config/rules-file.ts'
import type { Config } from '../config/schema.ts'
import { bodyOf } from '../core/control.ts'
import { WeirError } from '../core/errors.ts'
import type { CompiledRules } from '../core/rules/rules.ts'
import type { Control } from '../core/types.ts'
import { readChanges } from '../stream/control-changes.ts'
import type { Connection } from './connect.ts'

/** What the rules of an installation are compiled against. The model itself is not loaded. */
export async function rulesWorldOf({ features, models }: Config): Promise<RulesWorld> {
  const { manifest } = await readManifest(join(models.directory, ...models.champion.split('@')))
  return { features: loadFeatures(features).names, parts: manifest.parts.map(({ name }) => name) }
}

/** Rules, and where they come from, in words. */
export interface ActiveRules {
  readonly source: string
  readonly rules: CompiledRules
}

/** The rules that members use: the newest valid ones of the control topic, else those of the setting `rules`. */
export async function activeRules(
  { log, contracts }: Connection,
  config: Config,
  world: RulesWorld,
): Promise<ActiveRules | null> {
  const { control: topic } = config.topics
  let newest: ActiveRules | null = null
  for await (const changes of readChanges(log, topic, contracts.control, 0)) {
    for (const { offset, control } of changes) {
      if (control?.kind !== 'rules') continue
      newest = validRules(`${topic}-0-${offset}`, control, world) ?? newest
    }
  }
  if (newest !== null || config.rules === null) return newest
  return { source: config.rules, rules: loadRules(config.rules, world) }
}

/** What does not compile changes nothing. */
function validRules(source: string, control: Control, world: RulesWorld): ActiveRules | null {
  try {
    return { source, rules: rulesOf(source, bodyOf(control), world) }
  } catch (error) {
    if (error instanceof WeirError) return null
    throw error
  }
}
