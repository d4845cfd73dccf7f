import { nearestPath } from '../config/nearest.ts'
import { WeirError } from '../core/errors.ts'
import type { PolicyFile } from '../core/policy.ts'

/** What differs from the configuration; what is not named is that of the configuration. */
export interface CandidateSpec {
  readonly name: string
  /** Folder of a package, or name@version of one in the model folder. */
  readonly model?: string | undefined
  /** Paths. */
  readonly policy?: string | undefined
  readonly features?: string | undefined
  /** Path; `none`: no rules. */
  readonly rules?: string | undefined
  /** In place of the policy's. */
  readonly thresholds: Partial<PolicyFile['thresholds']>
}

const keys = ['model', 'policy', 'features', 'rules', 'challenge', 'review', 'decline'] as const
const cutOffs = ['challenge', 'review', 'decline'] as const

/**
 * `strict:policy=strict.yaml,challenge=300`: a name, then what differs.
 *
 * @throws WeirError WEIR_CLI_USAGE that names the part.
 */
export function parseCandidate(text: string): CandidateSpec {
  const [, name, rest = ''] = /^([a-z][a-z0-9_-]{0,31}):(.+)$/s.exec(text) ?? []
  if (name === undefined) throw usage(`--candidate ${text}: begins with no name`)
  const given: Record<string, string> = {}
  for (const part of rest.split(',')) {
    const [key = '', ...value] = part.split('=')
    if (!(keys as readonly string[]).includes(key)) {
      const near = nearestPath(key, keys)
      throw usage(
        `--candidate ${name}: there is no "${key}"${near === undefined ? '' : `; did you mean ${near}?`}`,
      )
    }
    if (value.join('=') === '') throw usage(`--candidate ${name}: ${key} has no value`)
    given[key] = value.join('=')
  }
  const thresholds = Object.fromEntries(
    cutOffs.flatMap((cutOff) => (given[cutOff] === undefined ? [] : [[cutOff, riskScore(given[cutOff])]])),
  )
  const { model, policy, features, rules } = given
  return { name, model, policy, features, rules, thresholds }
}

function riskScore(text: string): number {
  if (/^\d{1,3}$/.test(text)) return Number(text)
  if (text === '1000') return 1_000
  throw usage(`--candidate: ${text} is no risk score, 0 to 999, or 1000 for never`)
}

export const usage = (message: string): WeirError =>
  new WeirError('WEIR_CLI_USAGE', message, {
    cure: `write NAME:key=value,key=value with keys ${keys.join(', ')}, for example strict:challenge=300`,
  })
