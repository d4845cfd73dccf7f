import { validateCaseAction } from '../core/case-action.ts'
import type { CaseAction } from '../core/cases.ts'
import type { Checked } from '../core/errors.ts'
import type { LogRecord } from '../core/ports.ts'
import type { Alert, Control, Decision, EntityUpdate, Label, Transaction } from '../core/types.ts'
import {
  type EventTimeLimits,
  validateControl,
  validateEntityUpdate,
  validateKey,
  validateLabel,
  validateTransaction,
} from '../core/validate.ts'
import { type Codec, createCodec, type SchemaSource } from './avro.ts'
import { readSchema } from './avro-schema-files.ts'

/** A codec for each topic that weir reads or writes. */
export interface Contracts {
  readonly transactions: Codec<Transaction>
  readonly labels: Codec<Label>
  readonly decisions: Codec<Decision>
  readonly alerts: Codec<Alert>
  readonly entityUpdates: Codec<EntityUpdate>
  readonly control: Codec<Control>
}

/** Names of the topics: a Schema Registry knows a schema by its topic. */
export type ContractTopics = { readonly [Name in keyof Contracts]: string }

export interface RecordLimits extends EventTimeLimits {
  /** Larger record values are refused, bytes; 65,536 by default. */
  readonly maxRecordBytes: number
}

/** Looks up the ids and prepares the codecs. Rejects with WEIR_SCHEMA_REGISTRY when ids cannot be had. */
export async function createContracts(
  source: SchemaSource,
  topics: ContractTopics,
  limits: RecordLimits,
): Promise<Contracts> {
  const codec = async <T>(
    topic: string,
    file: string,
    check: (value: T, record: LogRecord) => Checked<T>,
    maxRecordBytes = limits.maxRecordBytes,
  ): Promise<Codec<T>> =>
    createCodec<T>({
      schema: readSchema(file),
      id: await source.idOf(`${topic}-value`, file),
      source,
      maxRecordBytes,
      check,
    })
  return {
    transactions: await codec<Transaction>(topics.transactions, 'transaction.avsc', (value, record) =>
      keyed(validateTransaction(value, record.timestamp, limits), record),
    ),
    labels: await codec<Label>(topics.labels, 'label.avsc', (value, record) =>
      keyed(validateLabel(value, record.timestamp, limits), record),
    ),
    decisions: await codec<Decision>(topics.decisions, 'decision.avsc', own),
    alerts: await codec<Alert>(topics.alerts, 'alert.avsc', own),
    entityUpdates: await codec<EntityUpdate>(
      topics.entityUpdates,
      'entity-update.avsc',
      validateEntityUpdate,
      maxOwnRecordBytes,
    ),
    control: await codec<Control>(topics.control, 'control.avsc', validateControl, maxOwnRecordBytes),
  }
}

/** The codec of actions on cases, which members of the stream neither read nor write. */
export async function caseActionCodec(source: SchemaSource, topic: string): Promise<Codec<CaseAction>> {
  const file = 'case-action.avsc'
  return createCodec<CaseAction>({
    schema: readSchema(file),
    id: await source.idOf(`${topic}-value`, file),
    source,
    maxRecordBytes: maxOwnRecordBytes,
    check: (value, record) => keyed(validateCaseAction(value), record),
  })
}

/** Brokers accept no more by default; the limit for payments and labels does not hold for weir's own records and for changes. */
const maxOwnRecordBytes = 1_048_576

function keyed<T extends { readonly customer_id: string }>(
  checked: Checked<T>,
  record: LogRecord,
): Checked<T> {
  if (!checked.ok) return checked
  const rejection = validateKey(record.key, checked.value.customer_id)
  return rejection ? { ok: false, rejection } : checked
}

/** What weir wrote itself needs no check beyond its schema. */
function own<T>(value: T): Checked<T> {
  return { ok: true, value }
}
