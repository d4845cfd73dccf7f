import type { Codec } from '../../src/adapters/avro.ts'
import { type LoadedSet, loadActiveSet } from '../../src/apps/active-set.ts'
import { openContracts } from '../../src/apps/connect.ts'
import type { Config } from '../../src/config/schema.ts'
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
  }
}
