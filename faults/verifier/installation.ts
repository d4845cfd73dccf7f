import { join } from 'node:path'
import type { Codec } from '../../src/adapters/avro.ts'
import { type Part, readManifest, readPackage } from '../../src/adapters/model-package.ts'
import { type LoadedSet, loadActiveSet } from '../../src/apps/active-set.ts'
import { openContracts } from '../../src/apps/connect.ts'
import type { Config } from '../../src/config/schema.ts'
import type { Tree } from '../../src/core/explain/trees.ts'
import type { Label, Transaction } from '../../src/core/types.ts'
import { withRates } from '../../src/stream/scorer.ts'

/** What decides, and what tells a record that can be decided from one that cannot. */
export interface Installation {
  readonly topics: Config['topics']
  /** Start of every Redis key, without the brace. */
  readonly prefix: string
  readonly codec: Codec<Transaction>
  readonly labelCodec: Codec<Label>
  /** What decides before any change on the control topic. */
  readonly active: LoadedSet
  /** Those of the model package, and the places of their columns in the vector; null where it has none. */
  readonly trees: { readonly trees: readonly Tree[]; readonly places: readonly number[] } | null
}

export async function loadInstallation(config: Config): Promise<Installation> {
  const active = await loadActiveSet(config, () => {})
  const contracts = await openContracts(config)
  return {
    topics: config.topics,
    prefix: `${config.app}.${active.features.layoutHash}`,
    codec: withRates(contracts.transactions, active.features),
    labelCodec: contracts.labels,
    active,
    trees: await loadTrees(config, active),
  }
}

async function loadTrees({ models }: Config, { features }: LoadedSet): Promise<Installation['trees']> {
  const dir = join(models.directory, ...models.champion.split('@'))
  const { trees, manifest } = await readPackage(dir, await readManifest(dir))
  if (trees === null) return null
  const [{ columns }] = manifest.parts as [Part]
  return { trees: trees.trees, places: columns.map((column) => features.names.indexOf(column)) }
}
