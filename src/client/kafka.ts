import { randomUUID } from 'node:crypto'
import type { Codec, SchemaSource } from '../adapters/avro.ts'
import { createContracts } from '../adapters/avro-contracts.ts'
import { createFileSchemaSource } from '../adapters/avro-schema-files.ts'
import type { KafkaClientOptions } from '../adapters/kafka-client.ts'
import { createKafkaLog } from '../adapters/kafka-log.ts'
import { createSchemaRegistry } from '../adapters/schema-registry.ts'
import { configSchema } from '../config/schema.ts'
import type { Log } from '../core/ports.ts'
import type { Decision, Transaction } from '../core/types.ts'
import { findDecision } from '../ledger/find-decision.ts'
import { follow } from '../stream/follow.ts'
import type { Client, ClientEvent } from './answer.ts'
import { PendingPayments } from './pending.ts'

export interface KafkaOptions extends Omit<KafkaClientOptions, 'logger'> {
  /** As in weir's configuration; its defaults where absent. */
  readonly topics?: { readonly transactions?: string; readonly decisions?: string }
  /** Where schema ids come from; absent: the files that weir brings along. */
  readonly schemaRegistry?: { readonly url: string; readonly username?: string; readonly password?: string }
  /** Payments that wait for a decision, late ones included; 10,000 where absent. */
  readonly maxPending?: number
}

const defaults = configSchema.parse({})

/** Sends payments and reads decisions from the end of their topic, in a group of its own that never commits. */
export async function openKafkaClient(
  { topics: given = {}, schemaRegistry, maxPending = 10_000, ...client }: KafkaOptions,
  onEvent: (event: ClientEvent) => void,
): Promise<Client> {
  const { topics: names, limits } = defaults
  const topics = { ...names, ...given }
  const log = createKafkaLog({ client: { clientId: 'weir-client', ...client } })
  try {
    const contracts = await createContracts(
      sourceOf(schemaRegistry),
      { ...topics, entityUpdates: topics.entity_updates },
      {
        maxRecordBytes: limits.record_bytes,
        // What is too old or too early is weir's to say.
        eventTimePastMs: Number.POSITIVE_INFINITY,
        eventTimeFutureMs: Number.POSITIVE_INFINITY,
      },
    )
    const find = (id: string) => findDecision({ log, topics, contracts }, id)
    const pending = await openPending({ log, topics, contracts, find, maxPending, onEvent })
    const name = `weir-client-${randomUUID()}`
    const subscription = await follow(
      log,
      topics.decisions,
      { group: name, fromStart: false },
      async (records) => {
        for (const checked of await contracts.decisions.decode(records))
          if (checked.ok) pending.decided(checked.value)
      },
    )
    return {
      decide: (transaction, options) => pending.decide(transaction, options),
      async close() {
        await pending.close()
        await subscription.stop()
        await log.close()
      },
    }
  } catch (error) {
    await log.close()
    throw error
  }
}

interface Parts {
  readonly log: Log
  readonly topics: { readonly transactions: string }
  readonly contracts: { readonly transactions: Codec<Transaction> }
  readonly find: (id: string) => Promise<Decision | null>
  readonly maxPending: number
  readonly onEvent: (event: ClientEvent) => void
}

async function openPending({ log, topics, contracts, ...rest }: Parts): Promise<PendingPayments> {
  const topic = topics.transactions
  const partitions = await log.partitions(topic)
  return new PendingPayments({ ...rest, topic, partitions, log, codec: contracts.transactions })
}

function sourceOf(registry: KafkaOptions['schemaRegistry']): SchemaSource {
  if (registry === undefined) return createFileSchemaSource()
  const { url, username = null, password = null } = registry
  return createSchemaRegistry({ url, username, password, register: false })
}
