import { join } from 'node:path'
import { readManifest } from '../adapters/model-package.ts'
import { loadFeatures } from '../config/definitions.ts'
import { loadRules, type RulesWorld, rulesOf } from '../config/rules-file.ts'
import type { Config } from '../config/schema.ts'
import { bodyOf } from '../core/control.ts'
import { unlessRefused } from '../core/errors.ts'
import type { CompiledRules } from '../core/rules/rules.ts'
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

/** Whether a rule of that id is among those that members use. */
export async function isActiveRule(connection: Connection, config: Config, id: string): Promise<boolean> {
  const active = await activeRules(connection, config, await rulesWorldOf(config))
  return active?.rules.file.rules.some((rule) => rule.id === id) ?? false
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
      const source = `${topic}-0-${offset}`
      // What does not compile changes nothing.
      const rules = unlessRefused(() => rulesOf(source, bodyOf(control), world))
      if (rules !== null) newest = { source, rules }
    }
  }
  if (newest !== null || config.rules === null) return newest
  return { source: config.rules, rules: loadRules(config.rules, world) }
}
