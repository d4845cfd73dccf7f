import { z } from 'zod'
import { configSchema } from './schema.ts'

/** The part of JSON Schema that the configuration uses. */
interface JsonSchema {
  readonly type?: string | readonly string[]
  readonly title?: string
  readonly description?: string
  readonly default?: unknown
  readonly secret?: boolean
  readonly enum?: readonly string[]
  readonly anyOf?: readonly JsonSchema[]
  readonly items?: JsonSchema
  readonly minItems?: number
  readonly minimum?: number
  readonly maximum?: number
  readonly properties?: Readonly<Record<string, JsonSchema>>
}

/** One line of the configuration. */
export interface Setting {
  /** Keys from the top, joined by dots: `kafka.sasl.password`. */
  readonly path: string
  readonly doc: string
  readonly fallback: unknown
  readonly secret: boolean
  /** What it may be, in words. */
  readonly allowed: string
  /** Makes a value of the text that an environment variable or a flag holds; the schema judges it afterwards. */
  readonly parse: (text: string) => unknown
}

export interface Section {
  readonly path: string
  readonly doc: string
}

const root = z.toJSONSchema(configSchema) as JsonSchema

function walk(schema: JsonSchema, path: string, visit: (schema: JsonSchema, path: string) => void): void {
  for (const [key, child] of Object.entries(schema.properties ?? {})) {
    const at = path === '' ? key : `${path}.${key}`
    visit(child, at)
    walk(child, at, visit)
  }
}

/** What a setting may be, in words, of its schema: used in messages and in the reference alike. */
function allowed(schema: JsonSchema): string {
  if (schema.anyOf !== undefined) return schema.anyOf.map(allowed).join(' or ')
  if (schema.title !== undefined) return schema.title
  if (schema.enum !== undefined) return `one of ${schema.enum.join(', ')}`
  if (schema.items !== undefined) {
    const least = schema.minItems === undefined ? '' : ', at least one'
    return `list of ${allowed(schema.items)}${least}`
  }
  if (schema.type === 'integer') return integerRange(schema.minimum, schema.maximum)
  if (schema.type === 'boolean') return 'true or false'
  if (Array.isArray(schema.type)) return 'text or null'
  return schema.type === 'null' ? 'null' : 'text'
}

function integerRange(minimum: number | undefined, maximum: number | undefined): string {
  const bounded = maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER
  return bounded ? `whole number, ${minimum} to ${maximum}` : `whole number, ${minimum} or more`
}

function parseText(schema: JsonSchema, text: string): unknown {
  const nullable = schema.anyOf?.some(({ type }) => type === 'null') ?? Array.isArray(schema.type)
  if (nullable && text === 'null') return null
  if (schema.items?.type === 'object') return fromJson(text)
  if (schema.items !== undefined) return text.split(',').map((item) => item.trim())
  if (schema.type === 'integer' && /^-?\d+$/.test(text.trim())) return Number(text)
  if (schema.type === 'boolean' && /^(true|false)$/.test(text)) return text === 'true'
  return text
}

/** The text itself where it is no JSON: the schema then says what is wrong. */
function fromJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

function listSettings(): ReadonlyMap<string, Setting> {
  const found = new Map<string, Setting>()
  walk(root, '', (schema, path) => {
    if (schema.properties !== undefined) return
    found.set(path, {
      path,
      doc: schema.description ?? '',
      fallback: schema.default,
      secret: schema.secret ?? false,
      allowed: allowed(schema),
      parse: (text) => parseText(schema, text),
    })
  })
  return found
}

function listSections(): ReadonlyMap<string, Section> {
  const found = new Map<string, Section>()
  walk(root, '', (schema, path) => {
    if (schema.properties !== undefined) found.set(path, { path, doc: schema.description ?? '' })
  })
  return found
}

/** Every setting by path, in the order of the schema. */
export const settings = listSettings()

/** Every section by path, in the order of the schema. */
export const sections = listSections()

/** The environment variable of a setting: `kafka.brokers` is WEIR_KAFKA__BROKERS. */
export const variableOf = (path: string): string => `WEIR_${path.replaceAll('.', '__').toUpperCase()}`

/** The value as it may be shown: secrets and the credentials in a URL are hidden. */
export function redact({ secret }: Setting, value: unknown): unknown {
  if (secret) return value === null ? null : '(redacted)'
  if (Array.isArray(value)) return value.map(withoutCredentials)
  return withoutCredentials(value)
}

/** Also of what only wants to be a URL: a password may hold a slash, and the scheme may be missing. */
function withoutCredentials(value: unknown): unknown {
  if (typeof value !== 'string') return value
  if (value.includes('PRIVATE KEY')) return '(redacted)'
  const [, scheme = '', before = ''] = /^(\w+:\/\/)?(.*)@/s.exec(value) ?? []
  const isLogin = scheme !== '' || before.includes(':')
  const shown = isLogin ? `${scheme}(redacted)${value.slice(scheme.length + before.length)}` : value
  return scheme === '' && !shown.includes('://') ? shown : shown.replace(/\?.*/s, '?(redacted)')
}
