import rateLimit from '@fastify/rate-limit'
import type { FastifyInstance } from 'fastify'
import type { ControlState } from '../core/control.ts'
import type { Checked } from '../core/errors.ts'
import type { CompiledFeatures } from '../core/features/compile.ts'
import type { Clock } from '../core/ports.ts'
import type { Alert, Decision, Label } from '../core/types.ts'
import type { Unchecked } from '../core/validate.ts'
import type { ScoreNow } from '../stream/score-now.ts'
import { serveControl } from './control.ts'
import { serveDecisions } from './decisions.ts'
import { type ApiKey, checkRole, createKeyring, type Role } from './keys.ts'
import { serveLabels } from './labels.ts'
import { Refused, refusalOf, sendProblem } from './problem.ts'
import { serveScore } from './score.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Least role that may call. */
    role?: Role
  }
  interface FastifyRequest {
    caller: Pick<ApiKey, 'name' | 'role'> | null
  }
}

/** What answers: a running member. */
export interface Backend {
  readonly scoreNow: ScoreNow
  /** Those that are scored now. */
  readonly features: Pick<CompiledFeatures, 'hash' | 'names'>
  /** Rules and lists that hold now. */
  readonly control: () => ControlState
  readonly findDecision: (id: string) => Promise<Decision | null>
  /** Of a decision_id. */
  readonly findAlert: (id: string) => Promise<Alert | null>
  /** Base and weightiest contributions of a decision, as an alert has them; null where they cannot be had. */
  readonly explain: (decision: Decision) => Promise<Pick<Alert, 'base' | 'contributions'> | null>
  /** Checks a label as a record of this timestamp (epoch milliseconds) and appends it. */
  readonly appendLabel: (label: Unchecked<Label>, timestamp: number) => Promise<Checked<Label>>
}

export interface ApiOptions {
  /** Null while there is nobody to ask. */
  readonly backend: () => Backend | null
  /** Without any, only this machine may call. */
  readonly keys: readonly ApiKey[]
  /** Larger bodies are refused, bytes. */
  readonly maxBytes: number
  /** Of one key. */
  readonly requestsPerSecond: number
  /** Payments that are scored side by side. */
  readonly concurrentScores: number
  readonly clock: Clock
}

export interface ApiParts extends Omit<ApiOptions, 'keys'> {
  /** @throws {Refused} 503 while there is no use in asking. */
  readonly ready: (backend: Backend | null) => Backend
}

/**
 * The routes under /v1, in a scope of their own: keys, limits, problem details.
 *
 * @param unready what keeps the member from being ready, in words; null when nothing does.
 * @param failed told what no request is to blame for.
 */
export async function serveApi(
  api: FastifyInstance,
  options: ApiOptions & { readonly host: string },
  unready: () => string | null,
  failed: (error: unknown) => void,
): Promise<void> {
  const { keys, host, maxBytes, requestsPerSecond } = options
  const callerOf = createKeyring(keys, host)
  api.decorateRequest('caller', null)
  api.addHook('onRequest', async (request) => {
    request.caller = callerOf(request)
    checkRole(request.caller, request.routeOptions.config.role ?? 'analyst')
  })
  await api.register(rateLimit, {
    max: requestsPerSecond,
    timeWindow: 1_000,
    keyGenerator: ({ caller }) => caller?.name ?? '',
    errorResponseBuilder: () =>
      new Refused(429, 'WEIR_HTTP_LIMIT', `more than ${requestsPerSecond} requests a second`, 1),
  })
  api.setErrorHandler((error, _, reply) => {
    const refused = refusalOf(error, maxBytes)
    if (refused === null) failed(error)
    return sendProblem(
      reply,
      refused ?? new Refused(500, 'WEIR_HTTP_FAILED', 'the request could not be served'),
    )
  })
  const parts: ApiParts = {
    ...options,
    ready(backend) {
      const why = unready()
      if (why === null && backend !== null) return backend
      throw new Refused(503, 'WEIR_HTTP_NOT_READY', why ?? 'starting', 1)
    },
  }
  serveScore(api, parts)
  serveDecisions(api, parts)
  serveLabels(api, parts)
  serveControl(api, parts)
}
