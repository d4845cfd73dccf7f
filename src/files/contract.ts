import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseDocument } from 'yaml'
import { z } from 'zod'
import { readSchema } from '../adapters/avro-schema-files.ts'
import { WeirError } from '../core/errors.ts'
import type { Cell } from './cells.ts'
import type { Form } from './conversions.ts'
import { type Mapping, mappingSchema } from './mapping.ts'

/** What `--map NAME` finds without a path. */
const builtIn = new URL('../../mappings/', import.meta.url)

interface AvroField {
  readonly name: string
  readonly type: unknown
  readonly default?: string | null
}

/** How a file whose columns already are the fields of a contract is read: each column by the Avro type of its field. */
export function contractFields(schema: string): Record<string, Cell> {
  const { fields } = JSON.parse(readSchema(schema)) as { fields: AvroField[] }
  return Object.fromEntries(
    fields.map(({ name, type, default: fallback }) => [
      name,
      {
        column: name,
        as: formOf(type),
        strip: '',
        prefix: '',
        round: false,
        optional: fallback !== undefined,
        fallback: fallback ?? null,
      },
    ]),
  )
}

function formOf(type: unknown): Form {
  const text = JSON.stringify(type)
  if (text.includes('timestamp-millis')) return 'epoch_ms'
  if (/"(int|long)"/.test(text)) return 'integer'
  if (text.includes('"double"')) return 'number'
  return text.includes('"boolean"') ? 'boolean' : 'text'
}

/** Files of transactions as `weir generate` writes them. */
export function contractMapping(): Mapping {
  return { transaction: contractFields('transaction.avsc') as Mapping['transaction'] }
}

/**
 * @param name a path, or the name of a mapping that weir brings along.
 * @throws {WeirError} WEIR_CLI_INPUT that names the place in the file.
 */
export function loadMapping(name: string): Mapping {
  const path = /[./\\]/.test(name) ? name : new URL(`${name}.yaml`, builtIn)
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    throw new WeirError('WEIR_CLI_INPUT', `there is no mapping ${name}: ${(cause as Error).message}`, {
      cure: 'give the path of a mapping file, or the name of one in mappings/ such as handbook',
      cause,
    })
  }
  const document = parseDocument(text)
  const mistakes = document.errors.map(({ message }) => message)
  const parsed = mappingSchema.safeParse(document.toJS())
  if (parsed.success && mistakes.length === 0) return beside(path, parsed.data)
  throw new WeirError(
    'WEIR_CLI_INPUT',
    [...mistakes, parsed.error && z.prettifyError(parsed.error)].join('\n'),
    {
      cure: `mend ${name}; mappings/handbook.yaml is an example`,
    },
  )
}

/** Files that a mapping names lie where they lie from the mapping. */
function beside(path: string | URL, { defaults, ...mapping }: Mapping): Mapping {
  if (defaults === undefined) return mapping
  const folder = dirname(path instanceof URL ? fileURLToPath(path) : path)
  const from = (file: string | undefined) => file && join(folder, file)
  const { features, policy, recipe } = defaults
  return { ...mapping, defaults: { features: from(features), policy: from(policy), recipe: from(recipe) } }
}
