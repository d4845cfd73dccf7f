import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { parseDocument } from 'yaml'
import { z } from 'zod'
import { type ErrorCode, WeirError } from '../core/errors.ts'
import { type CompiledFeatures, compileFeatures } from '../core/features/compile.ts'
import {
  customerFacts,
  durationMs,
  entityAggregates,
  type FeatureFile,
  rememberedFields,
  robustAggregates,
  type SequenceChannel,
  type SequenceFeature,
  sequenceChannels,
  transactionValues,
  windowAggregates,
} from '../core/features/definition.ts'
import { languages } from '../core/narrative/language.ts'
import { type CompiledPolicy, compilePolicy, type PolicyFile, policyId } from '../core/policy.ts'
import { channels, entityKinds, outcomes, transactionTypes } from '../core/types.ts'
import { ownCodes } from '../core/verdict.ts'
import { nearestPath } from './nearest.ts'

export const sha256 = (content: string | Uint8Array): string =>
  createHash('sha256').update(content).digest('hex')

/** An object of exactly these keys; for any other it says which one was likely meant. */
export const only = <Shape extends z.ZodRawShape>(shape: Shape) =>
  z.strictObject(shape, {
    error: (issue) =>
      issue.code === 'unrecognized_keys' ? unknownKeys(issue.keys, Object.keys(shape)) : undefined,
  })

export const oneOf = <const Values extends readonly string[]>(values: Values) =>
  z.enum(values, { error: ({ input }) => notAmong(input, values) })

/** What a file of rules or a policy calls itself: 1 to 32 characters. */
export const fileVersion = z
  .string({ error: ({ input }) => (input === undefined ? 'is missing' : 'must be a text, 1.0.0 or "1"') })
  .min(1)
  .max(32)

const duration = z.string().refine((text) => !Number.isNaN(durationMs(text)), {
  error: ({ input }) => `"${input}" is no duration; write for example 10m, 24h or 30d`,
})
const tiles = z.record(duration, duration)
const filterShape = {
  channel: z.array(oneOf(channels)).min(1).optional(),
  type: z.array(oneOf(transactionTypes)).min(1).optional(),
}
const filter = only(filterShape)
const common = {
  name: z.string().regex(/^[a-z][a-z0-9_]{0,63}$/, 'must be lower case letters, digits and _'),
  description: z.string().min(1),
  entity: z.string(),
}
const remembered = oneOf(rememberedFields)

/** What a feature of an entity can be, by the key that only this form has. */
const formsOfShared = {
  aggregate: only({
    ...common,
    aggregate: oneOf(entityAggregates),
    window: duration,
    delay: duration.optional(),
  }),
  distinct: only({ ...common, distinct: oneOf(['customer_id']) }),
}
const formsOf: Readonly<Record<string, Readonly<Record<string, z.ZodType>>>> = {
  transaction: {
    value: only({ ...common, value: oneOf(transactionValues) }),
    is: only({ ...common, is: filter }),
  },
  customer: {
    aggregate: only({
      ...common,
      aggregate: oneOf(windowAggregates),
      window: duration,
      field: remembered.optional(),
      where: filter.optional(),
      same: remembered.optional(),
    }),
    fact: only({ ...common, fact: oneOf(customerFacts) }),
    first_seen: only({ ...common, first_seen: remembered }),
    sequence: only({
      ...common,
      sequence: oneOf(sequenceChannels),
      back: z.int().min(0).max(256),
    }),
    robust: only({
      ...common,
      robust: oneOf(robustAggregates),
      last: z.int().min(3).max(256),
      window: duration.optional(),
      times: z.number().min(1).optional(),
    }),
  },
  ...Object.fromEntries(entityKinds.map((kind) => [kind, formsOfShared])),
}

/** Entity and form are looked up first, so that a mistake is told in the words of the form that was meant. */
const feature = z
  .looseObject({ entity: oneOf(['transaction', 'customer', ...entityKinds]) })
  .transform((given, context) => {
    const forms = formsOf[given.entity] ?? {}
    const form = Object.keys(given).find((key) => Object.hasOwn(forms, key))
    const parsed = (forms[form ?? ''] ?? formless(Object.keys(forms))).safeParse(given, { error: missing })
    if (parsed.success) return parsed.data
    for (const { message, path } of parsed.error.issues) {
      context.issues.push({ code: 'custom', message, path: [...path], input: given })
    }
    return z.NEVER
  })

const formless = (forms: readonly string[]) =>
  z.custom(() => false, {
    error: ({ input }) => {
      const near = Object.keys(input as object)
        .filter((key) => !Object.hasOwn(common, key))
        .flatMap((key) => hint(key, forms))
      return `needs one of ${forms.join(', ')}${near[0] ?? ''}`
    },
  })

const featureFile = only({
  version: z.literal(1),
  reference_currency: z.string().regex(/^[A-Z]{3}$/),
  rates: z.record(z.string().regex(/^[A-Z]{3}$/), z.number().positive()),
  customer: only({
    keep_events: z.int().min(1).max(256),
    most_events: z.int().min(1).max(256),
    tiles,
    remember: z.partialRecord(remembered, z.int().min(1).max(256)),
  }),
  entities: only({
    tiles,
    most_customers: z.int().min(1).max(64),
    odd: only({ feature: z.string(), at_least: z.number() }).optional(),
  }),
  features: z.array(feature).min(1).max(1000),
  sequence: only({
    steps: z.int().min(2).max(64),
    channels: z.array(oneOf(sequenceChannels)).min(1),
  }).optional(),
})

/** Codes of reasons that rules and policies give. */
export const reasonCode = z
  .string()
  .regex(/^[A-Z][A-Z0-9_]{0,63}$/, 'must be upper case letters, digits and _')
  .refine((code) => !ownCodes.has(code), {
    error: ({ input }) => `${input} is what weir says of its own accord; choose another`,
  })

const cutOff = z.int().min(0).max(1000)
const thresholds = only({ challenge: cutOff, review: cutOff, decline: cutOff })

const featureAmong = (features: readonly string[] | null) =>
  z.string().refine((name) => features?.includes(name) ?? true, {
    error: ({ input }) =>
      `"${input}" is not in the feature file${hint(String(input), features ?? []).join('')}`,
  })

/** Nobody's is above a twentieth: what looks so was written in percent. */
const fraudRate = z
  .number()
  .min(0)
  .max(0.05, { error: ({ input }) => `${input} is a share of the value: 0.13 % is 0.0013` })

const scaSection = (named: z.ZodType<string>) =>
  only({
    low_value: only({ count: named.optional(), sum: named.optional() }).optional(),
    tra: only({
      fraud_rate: only({ card: fraudRate.optional(), transfer: fraudRate.optional() }),
      risk_below: z.int().min(0).max(1000),
      unless: z.array(
        only({ feature: named, at_least: z.number().optional(), at_most: z.number().optional() }),
      ),
    }).optional(),
    recurring: only({ initiated_by: oneOf(['payee', 'payer']), first: named.optional() }).optional(),
  })

/** @param features that reasons may name; null: any. */
function policyFile(features: readonly string[] | null) {
  const known = featureAmong(features)
  return only({
    version: fileVersion,
    language: oneOf(languages).optional(),
    thresholds,
    segments: z
      .array(
        only({
          name: z.string().regex(/^[a-z][a-z0-9_-]{0,63}$/, 'must be lower case letters, digits, _ and -'),
          when: only({
            ...filterShape,
            country: z
              .array(z.string().regex(/^[A-Z]{2}$/, 'must be two capital letters'))
              .min(1)
              .optional(),
            amount_at_least: z.number().min(0).optional(),
            amount_below: z.number().positive().optional(),
          }),
          thresholds,
        }),
      )
      .optional(),
    alert_on: z.array(oneOf(outcomes)),
    degraded: z
      .array(
        only({
          channel: z.array(oneOf(channels)).min(1).optional(),
          amount_at_least: z.number().min(0).optional(),
          outcome: oneOf(outcomes),
          alert: z.boolean(),
        }),
      )
      .min(1),
    sca: scaSection(featureAmong(features)).optional(),
    reasons: z.array(
      only({
        code: reasonCode,
        feature: known,
        features: z.array(known).optional(),
        at_least: z.number().optional(),
        at_most: z.number().optional(),
        text: z.string().min(1).max(256),
        text_zh: z.string().min(1).max(256).optional(),
        usual: only({
          feature: known,
          per: z.number().positive().default(1),
          text: z.string().min(1).max(256),
          text_zh: z.string().min(1).max(256).optional(),
        }).optional(),
      }),
    ),
  })
}

const missing: z.core.$ZodErrorMap = ({ input }) => (input === undefined ? 'is missing' : undefined)

function notAmong(input: unknown, values: readonly string[]): string {
  if (input === undefined) return `is missing: one of ${values.join(', ')}`
  return `"${String(input)}" is none of ${values.join(', ')}${hint(String(input), values).join('')}`
}

function unknownKeys(keys: readonly string[], known: readonly string[]): string {
  return keys
    .map((key) => `has no key "${key}"${hint(key, known)[0] ?? ` (there are ${known.join(', ')})`}`)
    .join('; ')
}

export const hint = (given: string, known: readonly string[]): string[] => {
  const nearest = nearestPath(given, known)
  return nearest === undefined ? [] : [`; did you mean ${nearest}?`]
}

/** @throws WeirError WEIR_FEATURES_INVALID that names the place in the file. */
export function loadFeatures(path: string): CompiledFeatures {
  const { sequence, ...file } = readYaml(path, featureFile, 'WEIR_FEATURES_INVALID') as FeatureFile & {
    readonly sequence?: { readonly steps: number; readonly channels: readonly SequenceChannel[] }
  }
  if (sequence === undefined) return compileFeatures(file, sha256)
  return compileFeatures({ ...file, features: [...file.features, ...cellsOf(sequence)] }, sha256)
}

/** A sequence as features, one a cell: the oldest step first, in each the channels as given. */
function cellsOf({
  steps,
  channels,
}: {
  readonly steps: number
  readonly channels: readonly SequenceChannel[]
}): SequenceFeature[] {
  const backs = Array.from({ length: steps }, (_, step) => steps - 1 - step)
  return backs.flatMap((back) =>
    channels.map((sequence) => ({
      name: `seq_${back}_${sequence}`,
      entity: 'customer',
      sequence,
      back,
      description: `${sequence} of the payment ${back} back.`,
    })),
  )
}

/** @throws WeirError WEIR_POLICY_INVALID that names the place in the file. */
export function loadPolicy(path: string, features: CompiledFeatures): CompiledPolicy {
  const cure =
    'mend the lines that are named (policy.yaml has the syntax), or for a policy of other features name their file, --set features=FILE'
  const file = readYaml(path, policyFile(features.names), 'WEIR_POLICY_INVALID', cure) as PolicyFile
  return compilePolicy(file, features, sha256)
}

/**
 * A policy of the text of a whole one.
 *
 * @param source where the text comes from, for messages.
 * @throws WeirError WEIR_POLICY_INVALID that names the place in the text.
 */
export function policyOf(source: string, text: string, features: CompiledFeatures): CompiledPolicy {
  const code = 'WEIR_POLICY_INVALID'
  const cure = 'mend the lines that are named; policy.yaml has the syntax'
  const content = yamlOf(source, text, code)
  return compilePolicy(
    checked(source, content, policyFile(features.names), code, cure) as PolicyFile,
    features,
    sha256,
  )
}

/**
 * A policy for what it says without a vector: whatever features its reasons name.
 *
 * @throws WeirError WEIR_POLICY_INVALID that names the place in the file.
 */
export function readPolicy(path: string): { readonly file: PolicyFile; readonly id: string } {
  const file = readYaml(path, policyFile(null), 'WEIR_POLICY_INVALID') as PolicyFile
  return { file, id: policyId(file, sha256) }
}

/**
 * The content of a YAML file as the schema has it.
 *
 * @param cure says where a user reads what may be written.
 * @throws WeirError of `code` that names the place in the file.
 */
export function readYaml(
  path: string,
  schema: z.ZodType,
  code: ErrorCode,
  cure = 'mend the lines that are named; docs/features.md has the syntax',
): unknown {
  return checked(path, extended(path, parseYaml(path, code), code), schema, code, cure)
}

/**
 * Content that the schema has.
 *
 * @param source where it comes from, for the message.
 * @throws WeirError of `code` that names the place in the content.
 */
export function checked(
  source: string,
  content: unknown,
  schema: z.ZodType,
  code: ErrorCode,
  cure: string,
): unknown {
  const parsed = schema.safeParse(content, { error: missing })
  if (parsed.success) return parsed.data
  const lines = parsed.error.issues.map((issue) =>
    `${source}: ${place(content, issue.path)} ${issue.message}`.replace(':  ', ': '),
  )
  throw new WeirError(code, lines.join('\n'), { cure })
}

/** A file may name another that it `extends`: its own keys come in place of that one's. */
function extended(path: string, content: unknown, code: ErrorCode): unknown {
  const { extends: base, ...own } = (content ?? {}) as { readonly extends?: unknown }
  if (base === undefined) return content
  const basePath = join(dirname(path), String(base))
  return { ...(parseYaml(basePath, code) as object), ...own }
}

const parseYaml = (path: string, code: ErrorCode): unknown => yamlOf(path, readText(path, code), code)

export function readText(path: string, code: ErrorCode): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new WeirError(code, `cannot read ${path}: ${(cause as Error).message}`, {
      cure: 'name the file in the configuration, or let this user read it',
      cause,
    })
  }
}

export function yamlOf(source: string, text: string, code: ErrorCode): unknown {
  const document = parseDocument(text)
  try {
    for (const mistake of document.errors) throw mistake
    // Aliases are resolved only here.
    return document.toJS()
  } catch (cause) {
    throw new WeirError(code, `${source} is not YAML: ${(cause as Error).message}`, {
      cure: 'mend the line that is named',
      cause,
    })
  }
}

/** `features.12 (customer_count_1h).window`: a position alone says little in a list of sixty. */
function place(content: unknown, path: readonly PropertyKey[]): string {
  let node: unknown = content
  return path
    .map((key) => {
      node = (node as Record<PropertyKey, unknown> | undefined)?.[key]
      const { name, id } = (node ?? {}) as { readonly name?: unknown; readonly id?: unknown }
      const known = name ?? id
      return typeof known === 'string' ? `${String(key)} (${known})` : String(key)
    })
    .join('.')
}
