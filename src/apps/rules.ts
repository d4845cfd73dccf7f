import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { readManifest } from '../adapters/model-package.ts'
import { loadFeatures, readText, sha256 } from '../config/definitions.ts'
import { loadRules, type RulesWorld, rulesOf } from '../config/rules-file.ts'
import type { Config } from '../config/schema.ts'
import { WeirError } from '../core/errors.ts'
import type { CompiledRules } from '../core/rules/rules.ts'
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
  const at = { topic: config.topics.control, partition: 0 }
  const { first, end } = await log.bounds(at)
  let newest: ActiveRules | null = null
  for await (const records of log.read(at, first, end)) {
    for (const [i, checked] of (await contracts.control.decode(records)).entries()) {
      if (!checked.ok || checked.value.kind !== 'rules') continue
      const source = `${at.topic}-0-${records[i]?.offset}`
      newest = validRules(source, checked.value.body.toString(), world) ?? newest
    }
  }
  if (newest !== null || config.rules === null) return newest
  return { source: config.rules, rules: loadRules(config.rules, world) }
}

/** What does not compile changes nothing. */
function validRules(source: string, text: string, world: RulesWorld): ActiveRules | null {
  try {
    return { source, rules: rulesOf(source, text, world) }
  } catch (error) {
    if (error instanceof WeirError) return null
    throw error
  }
}

/** Sends a rules file, which has been checked, to all members. */
export async function publishRules(
  { log, contracts }: Connection,
  { topics }: Config,
  path: string,
  { id, file }: CompiledRules,
  { author, comment }: { readonly author: string; readonly comment: string | null },
): Promise<string> {
  const body = Buffer.from(readText(path, 'WEIR_RULES_INVALID'))
  const control_id = randomUUID()
  const value = contracts.control.encode({
    control_id,
    kind: 'rules',
    name: 'rules',
    version: file.version,
    sha256: sha256(body),
    body,
    author,
    comment,
    created_time: Date.now(),
  })
  await log.append([{ topic: topics.control, partition: 0, key: 'rules', value, headers: { rules: id } }])
  return control_id
}
