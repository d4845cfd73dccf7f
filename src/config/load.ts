import { readFileSync } from 'node:fs'
import { parseDocument } from 'yaml'
import type { z } from 'zod'
import { WeirError } from '../core/errors.ts'
import { nearestPath } from './nearest.ts'
import { type Config, configSchema } from './schema.ts'
import { redact, sections, settings, variableOf } from './settings.ts'

const defaultFile = 'weir.yaml'

export interface LoadOptions {
  /** Path of the file; absent: WEIR_CONFIG, else weir.yaml where there is one. */
  readonly file?: string | undefined
  /** `key=value` texts of --set; of two for one key the later wins. */
  readonly set?: readonly string[]
  readonly env?: Readonly<Record<string, string | undefined>>
}

export interface LoadedConfig {
  readonly config: Config
  /** Where each setting that is not a default came from, by path: a file, a variable or a flag. */
  readonly sources: ReadonlyMap<string, string>
}

/** One setting as somebody gave it. */
interface Given {
  readonly path: string
  readonly value: unknown
  readonly source: string
}

/**
 * Reads the configuration: defaults < file < WEIR_* environment < --set.
 *
 * @throws {WeirError} WEIR_CONFIG_UNREADABLE or WEIR_CONFIG_INVALID; the message has a line for each mistake.
 */
export function loadConfig(options: LoadOptions = {}): LoadedConfig {
  const env = options.env ?? process.env
  const { WEIR_CONFIG: file } = env
  const given = [
    ...fromFile(options.file ?? file),
    ...fromEnvironment(env),
    ...(options.set ?? []).map(fromFlag),
  ]
  const mistakes = given.filter(({ path }) => !settings.has(path)).map(unknownSetting)
  const known = new Map(given.filter(({ path }) => settings.has(path)).map((one) => [one.path, one]))
  const parsed = configSchema.safeParse(nest(known.values()))
  if (!parsed.success) mistakes.push(...new Set(parsed.error.issues.map((issue) => wrongValue(issue, known))))
  if (mistakes.length > 0 || !parsed.success) {
    throw new WeirError('WEIR_CONFIG_INVALID', mistakes.join('\n'), {
      cure: 'see docs/reference/configuration.md, or `weir config print` for every setting and its value',
    })
  }
  const sources = new Map([...known.values()].map(({ path, source }) => [path, source]))
  return { config: deepFreeze(parsed.data), sources }
}

function fromFile(path: string | undefined): Given[] {
  const file = path ?? defaultFile
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (cause) {
    if (path === undefined && (cause as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw new WeirError('WEIR_CONFIG_UNREADABLE', `cannot read ${file}: ${(cause as Error).message}`, {
      cure: 'name the file by --config or WEIR_CONFIG; without a file the defaults hold',
      cause,
    })
  }
  const content = parseYaml(file, text)
  if (content === null || isMapping(content)) return flatten(content ?? {}, '', file)
  throw new WeirError('WEIR_CONFIG_INVALID', `${file} does not hold settings`, {
    cure: 'write `key: value` lines, as in config/weir.yaml',
  })
}

/** Says where a mistake is and of what kind: the messages of the parser repeat the text, which may be a password. */
function parseYaml(file: string, text: string): unknown {
  const document = parseDocument(text)
  const [mistake] = document.errors
  try {
    if (mistake === undefined) return document.toJS()
  } catch {
    // Of an alias: `password: *abc`.
    throw notYaml(file, 'it refers to an anchor that is not there', 'put text that begins with * in quotes')
  }
  const [at] = mistake.linePos ?? []
  const kind = mistake.code.toLowerCase().replaceAll('_', ' ')
  throw notYaml(file, `line ${at?.line}, column ${at?.col}: ${kind}`, 'mend the line that is named')
}

function notYaml(file: string, why: string, cure: string): WeirError {
  return new WeirError('WEIR_CONFIG_UNREADABLE', `${file} is not YAML: ${why}`, { cure })
}

function flatten(content: object, prefix: string, source: string): Given[] {
  return Object.entries(content).flatMap(([key, value]: [string, unknown]) => {
    const path = prefix + key
    if (isMapping(value)) return flatten(value, `${path}.`, source)
    // A section whose lines are all commented out is null, and means nothing.
    return value === null && sections.has(path) ? [] : [{ path, value, source }]
  })
}

const isMapping = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** No settings: what Kubernetes sets in every pod beside a service named weir, what our tests use, `weir train`'s. */
const foreign = /^WEIR_((SERVICE_(HOST|PORT)|PORT)(_|$)|TEST_|PYTHON$)/

function fromEnvironment(env: Readonly<Record<string, string | undefined>>): Given[] {
  return Object.entries(env).flatMap(([variable, text]): Given[] => {
    if (text === undefined || !variable.startsWith('WEIR_') || variable === 'WEIR_CONFIG') return []
    if (foreign.test(variable)) return []
    const path = variable.slice('WEIR_'.length).replaceAll('__', '.').toLowerCase()
    const secret = settings.get(path.replace(/_file$/, ''))
    if (secret?.secret && path.endsWith('_file')) {
      return [{ path: secret.path, value: readSecret(variable, text), source: variable }]
    }
    return [{ path, value: settings.get(path)?.parse(text) ?? null, source: variable }]
  })
}

function readSecret(variable: string, file: string): string {
  const secret = textOf(variable, file).replace(/\r?\n$/, '')
  if (secret !== '') return secret
  // As a secret it would be none, and a login without one is another mistake, told by somebody else.
  throw new WeirError('WEIR_CONFIG_INVALID', `${variable}: the file that it names is empty`, {
    cure: 'write the secret into the file, or leave the variable out where there is none',
  })
}

function textOf(variable: string, file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    // Not by its name: some put the secret itself there.
    const { code } = cause as NodeJS.ErrnoException
    throw new WeirError(
      'WEIR_CONFIG_UNREADABLE',
      `${variable}: cannot read the file that it names (${code})`,
      {
        cure: 'mount the file, or let this user read it',
        cause,
      },
    )
  }
}

function fromFlag(text: string): Given {
  const [, path, value] = /^([^=]+)=(.*)$/s.exec(text) ?? []
  if (path === undefined || value === undefined) {
    // Without its key nobody knows whether the rest is a secret.
    const key = /^[\w.]*/.exec(text)?.[0]
    throw new WeirError('WEIR_CLI_USAGE', `--set ${settings.has(key ?? '') ? key : '…'} has no value`, {
      cure: 'write --set key=value, for example --set kafka.brokers=a:9092,b:9092',
    })
  }
  return { path, value: settings.get(path)?.parse(value) ?? null, source: `--set ${path}` }
}

function unknownSetting({ path, source }: Given): string {
  if (sections.has(path)) return `${source}: ${path} is a section; set one of its keys`
  const parent = path.slice(0, path.lastIndexOf('.'))
  // `password: {abc}` is a mapping, and what stands in it part of the password.
  if (settings.has(parent)) return `${source}: ${parent} is no section; put its text in quotes`
  const nearest = nearestPath(path, settings.keys())
  if (nearest === undefined) return `${source}: there is no setting ${path}`
  const meant = source.startsWith('WEIR_') ? variableOf(nearest) : nearest
  return `${source}: there is no setting ${path}; did you mean ${meant}?`
}

function wrongValue(issue: z.core.$ZodIssue, known: ReadonlyMap<string, Given>): string {
  // A mistake inside a list belongs to the list.
  const path = issue.path.filter((key) => typeof key === 'string').join('.')
  const setting = settings.get(path)
  const given = known.get(path)
  if (issue.code === 'custom' || setting === undefined) return `${path}: ${issue.message}`
  const shown = JSON.stringify(redact(setting, given?.value))
  return `${given?.source}: ${path} is ${shown}; allowed: ${setting.allowed}`
}

/** Dotted paths to the tree that the schema describes. */
function nest(given: Iterable<Given>): Record<string, unknown> {
  const tree: Record<string, unknown> = {}
  for (const { path, value } of given) {
    const keys = path.split('.')
    const last = keys.pop() as string
    let node = tree
    for (const key of keys) {
      node[key] ??= {}
      node = node[key] as Record<string, unknown>
    }
    node[last] = value
  }
  return tree
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) Object.values(value).forEach(deepFreeze)
  return Object.freeze(value)
}
