import type { CompiledFeatures } from './features/compile.ts'
import type { Decision } from './types.ts'

/** A decision as people and JSON read it: its features by name. */
export type ReadableDecision = Omit<Decision, 'features'> & {
  /** By name; null: missing. Empty where nothing was scored; null where other features were scored than those known here. */
  readonly features: Readonly<Record<string, number | null>> | null
}

/** @param features those that are known: a vector of others cannot be read. */
export function readable(
  decision: Decision,
  { hash, names }: Pick<CompiledFeatures, 'hash' | 'names'>,
): ReadableDecision {
  const { features, feature_hash } = decision
  if (features.length === 0) return { ...decision, features: {} }
  if (feature_hash !== hash || features.length !== 4 * names.length) return { ...decision, features: null }
  const values = names.map((name, column) => {
    const value = features.readFloatLE(4 * column)
    return [name, Number.isNaN(value) ? null : value] as const
  })
  return { ...decision, features: Object.fromEntries(values) }
}
