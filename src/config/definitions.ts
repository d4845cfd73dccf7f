import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
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
  transactionValues,
  windowAggregates,
} from '../core/features/definition.ts'
import { type CompiledPolicy, compilePolicy, type PolicyFile } from '../core/policy.ts'
import { channels, entityKinds, outcomes, transactionTypes } from '../core/types.ts'

export const sha256 = (content: string | Uint8Array): string =>
  createHash('sha256').update(content).digest('hex')

const duration = z.string().refine((text) => !Number.isNaN(durationMs(text)), {
  error: 'must be a duration such as 10m, 24h or 30d',
})
const tiles = z.record(duration, duration)
const filter = z.strictObject({
  channel: z.array(z.enum(channels)).min(1).optional(),
  type: z.array(z.enum(transactionTypes)).min(1).optional(),
})
const named = {
  name: z.string().regex(/^[a-z][a-z0-9_]{0,63}$/, 'must be lower case letters, digits and _'),
  description: z.string().min(1),
}
const entity = z.enum(entityKinds)
const remembered = z.enum(rememberedFields)

const feature = z.union([
  z.strictObject({ ...named, entity: z.literal('transaction'), value: z.enum(transactionValues) }),
  z.strictObject({ ...named, entity: z.literal('transaction'), is: filter }),
  z.strictObject({
    ...named,
    entity: z.literal('customer'),
    aggregate: z.enum(windowAggregates),
    window: duration,
    field: remembered.optional(),
    where: filter.optional(),
    same: remembered.optional(),
  }),
  z.strictObject({ ...named, entity: z.literal('customer'), fact: z.enum(customerFacts) }),
  z.strictObject({ ...named, entity: z.literal('customer'), first_seen: remembered }),
  z.strictObject({
    ...named,
    entity,
    aggregate: z.enum(entityAggregates),
    window: duration,
    delay: duration.optional(),
  }),
  z.strictObject({ ...named, entity, distinct: z.literal('customer_id') }),
])

const featureFile = z.strictObject({
  version: z.literal(1),
  reference_currency: z.string().regex(/^[A-Z]{3}$/),
  rates: z.record(z.string().regex(/^[A-Z]{3}$/), z.number().positive()),
  customer: z.strictObject({
    keep_events: z.int().min(1).max(256),
    most_events: z.int().min(1).max(256),
    tiles,
    remember: z.partialRecord(remembered, z.int().min(1).max(256)),
  }),
  entities: z.strictObject({ tiles, most_customers: z.int().min(1).max(64) }),
  features: z.array(feature).min(1).max(1000),
})

const policyFile = z.strictObject({
  version: z.string().min(1).max(32),
  thresholds: z.strictObject({
    challenge: z.int().min(0).max(1000),
    review: z.int().min(0).max(1000),
    decline: z.int().min(0).max(1000),
  }),
  alert_on: z.array(z.enum(outcomes)),
  degraded: z
    .array(
      z.strictObject({
        channel: z.array(z.enum(channels)).min(1).optional(),
        amount_at_least: z.number().min(0).optional(),
        outcome: z.enum(outcomes),
        alert: z.boolean(),
      }),
    )
    .min(1),
  reasons: z.array(
    z.strictObject({
      code: z.string().regex(/^[A-Z][A-Z0-9_]{0,63}$/),
      feature: z.string(),
      at_least: z.number().optional(),
      at_most: z.number().optional(),
      text: z.string().min(1).max(256),
    }),
  ),
})

/** @throws WeirError WEIR_FEATURES_INVALID that names the place in the file. */
export function loadFeatures(path: string): CompiledFeatures {
  const file = readYaml(path, featureFile, 'WEIR_FEATURES_INVALID') as FeatureFile
  return compileFeatures(file, sha256)
}

/** @throws WeirError WEIR_POLICY_INVALID that names the place in the file. */
export function loadPolicy(path: string, features: CompiledFeatures): CompiledPolicy {
  const file = readYaml(path, policyFile, 'WEIR_POLICY_INVALID') as PolicyFile
  return compilePolicy(file, features, sha256)
}

function readYaml(path: string, schema: z.ZodType, code: ErrorCode): unknown {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    throw new WeirError(code, `cannot read ${path}: ${(cause as Error).message}`, {
      cure: 'name the file in the configuration, or let this user read it',
      cause,
    })
  }
  const document = parseDocument(text)
  const [mistake] = document.errors
  if (mistake !== undefined) throw new WeirError(code, `${path} is not YAML: ${mistake.message}`)
  const parsed = schema.safeParse(document.toJS())
  if (parsed.success) return parsed.data
  const lines = parsed.error.issues.map(
    (issue) => `${path}: ${place(document.toJS(), issue.path)} ${issue.message}`,
  )
  throw new WeirError(code, lines.join('\n'), {
    cure: 'mend the lines that are named; docs/features.md has the syntax',
  })
}

/** `features.12 (customer_count_1h).window`: a position alone says little in a list of sixty. */
function place(content: unknown, path: readonly PropertyKey[]): string {
  let node: unknown = content
  return path
    .map((key) => {
      node = (node as Record<PropertyKey, unknown> | undefined)?.[key]
      const name = (node as { name?: unknown } | undefined)?.name
      return typeof name === 'string' ? `${String(key)} (${name})` : String(key)
    })
    .join('.')
}
