import { readSchema } from '../adapters/avro-schema-files.ts'

/** As much of JSON Schema (2020-12, as OpenAPI 3.1 has it) as contracts need. */
export interface JsonSchema {
  readonly $ref?: string
  readonly $id?: string
  readonly type?: string | readonly string[]
  readonly description?: string
  readonly default?: unknown
  readonly items?: JsonSchema
  readonly enum?: readonly unknown[]
  readonly pattern?: string
  readonly minimum?: number
  readonly maximum?: number
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: JsonSchema | boolean
  readonly anyOf?: readonly JsonSchema[]
  readonly examples?: readonly unknown[]
}

type AvroType =
  | string
  | readonly AvroType[]
  | AvroRecord
  | { readonly type: AvroType; readonly items?: AvroType }

interface AvroRecord {
  readonly type: 'record'
  readonly doc?: string
  readonly fields: readonly {
    readonly name: string
    readonly type: AvroType
    readonly doc?: string
    readonly default?: unknown
  }[]
}

const simple: Readonly<Record<string, string>> = {
  string: 'string',
  int: 'integer',
  long: 'integer',
  float: 'number',
  double: 'number',
  boolean: 'boolean',
  null: 'null',
}

/**
 * The JSON form of a contract of schemas/: one definition for the wire and for HTTP. Fields with a default may be left
 * out of what is sent; others than these are none.
 *
 * @param instead schemas of fields that JSON has otherwise than Avro.
 */
export function contractSchema(file: string, instead: Readonly<Record<string, JsonSchema>> = {}): JsonSchema {
  return recordSchema(JSON.parse(readSchema(file)) as AvroRecord, instead)
}

/** What is meant by leaving a field out: its default, null where it has none. */
export function contractDefaults(file: string): Record<string, unknown> {
  const { fields } = JSON.parse(readSchema(file)) as AvroRecord
  return Object.fromEntries(fields.map(({ name, default: fallback = null }) => [name, fallback]))
}

function recordSchema(
  { doc, fields }: AvroRecord,
  instead: Readonly<Record<string, JsonSchema>> = {},
): JsonSchema {
  const properties = fields.map(({ name, type, doc, default: fallback }) => [
    name,
    {
      ...(instead[name] ?? schemaOf(type)),
      ...(doc !== undefined && { description: doc }),
      ...(fallback !== undefined && { default: fallback }),
    },
  ])
  return {
    type: 'object',
    ...(doc !== undefined && { description: doc }),
    properties: Object.fromEntries(properties),
    required: fields.filter((field) => field.default === undefined).map(({ name }) => name),
    additionalProperties: false,
  }
}

function schemaOf(type: AvroType): JsonSchema {
  if (typeof type === 'string') return { type: simple[type] as string }
  if (Array.isArray(type)) {
    const branches = (type as readonly AvroType[]).map(schemaOf)
    const isPlain = branches.every(
      (branch) => Object.keys(branch).length === 1 && typeof branch.type === 'string',
    )
    return isPlain ? { type: branches.map((branch) => branch.type as string) } : { anyOf: branches }
  }
  const named = type as Exclude<AvroType, string | readonly AvroType[]>
  if ('fields' in named) return recordSchema(named)
  return named.type === 'array'
    ? { type: 'array', items: schemaOf(named.items as AvroType) }
    : schemaOf(named.type)
}
